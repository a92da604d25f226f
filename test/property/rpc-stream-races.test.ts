/**
 * Streams over the shipped links and connections on a simulated network: readers that leave at random, sources
 * and handlers that fail at random, half-closes, slow readers and cut links, all at once. Whatever the order
 * of events, items come in order and whole, every stream ends with what its end was, memory in flight stays
 * inside the credit, and afterwards both sides count back to nothing.
 */
import test, { type ExecutionContext } from 'ava';
import { DwcpError, isDwcpError } from '../../lib/errors.ts';
import { createLinks, type Links } from '../../lib/links/index.ts';
import { seededRandom, type Random } from '../../lib/random.ts';
import {
  HandlerError,
  bidiStream,
  clientStream,
  createRpc,
  defineService,
  isRemoteError,
  serverStream,
  type Rpc,
} from '../../lib/rpc/index.ts';
import { SimulatedClock, SimulatedNetwork } from '../../lib/testing/index.ts';
import type { Address } from '../../lib/transport/index.ts';

const seeds = Array.from({ length: 10 }, (_, i) => 500 + i);
const streamCount = 60;
const deadlineMs = 3_000;

const service = defineService({
  name: 's',
  methods: {
    down: serverStream({ codec: 'bytes' }),
    up: clientStream({ codec: 'bytes' }),
    both: bidiStream({ codec: 'bytes' }),
  },
});

interface Peer {
  readonly rpc: Rpc;
  readonly links: Links;
  readonly address: Address;
}

async function start(
  nodeId: string,
  network: SimulatedNetwork,
  clock: SimulatedClock,
): Promise<Peer> {
  const random = seededRandom(1);
  const self = {
    wireMin: 1,
    wireMax: 2,
    cluster: 'sim',
    nodeId,
    incarnation: 1,
    region: 'eu',
    advertise: undefined,
    codecs: [],
    digests: [],
    maxMessageBytes: 1 << 20,
    policies: {},
  };
  const links = createLinks({ self: () => self, transport: network.transport(), clock, random });
  const address = await links.listen({ host: nodeId, port: 0 });
  return { rpc: createRpc({ links, clock, random, self }), links, address };
}

const pause = (clock: SimulatedClock, ms: number): Promise<void> =>
  new Promise((resolve) => clock.setTimer(resolve, ms));

/** Item `n` of some size: its number, then filling. */
function item(n: number, random: Random): Buffer {
  const size = random.next() < 0.1 ? 100_000 : 4 + Math.floor(random.next() * 2_000);
  const bytes = Buffer.alloc(size, n & 0xff);
  bytes.writeUInt32BE(n, 0);
  return bytes;
}

/** Yields numbered items with pauses; may throw, may be closed early. */
async function* produce(
  clock: SimulatedClock,
  random: Random,
  fail: () => Error,
): AsyncGenerator<Buffer> {
  const count = Math.floor(random.next() * 80);
  const failAt = random.next() < 0.2 ? Math.floor(random.next() * 80) : -1;
  for (let n = 0; n < count; n += 1) {
    if (n === failAt) throw fail();
    if (random.next() < 0.2) await pause(clock, random.next() * 5);
    yield item(n, random);
  }
}

/** Reads items to the end or leaves early; throws when one came changed or out of order. */
async function consume(
  items: AsyncIterable<Buffer>,
  clock: SimulatedClock,
  random: Random,
): Promise<number> {
  const leaveAt = random.next() < 0.3 ? Math.floor(random.next() * 40) : -1;
  const slow = random.next() < 0.3;
  let next = 0;
  for await (const bytes of items) {
    if (bytes.readUInt32BE(0) !== next) throw new Error(`item ${next} came out of order`);
    if (bytes.length > 4 && bytes.at(-1) !== (next & 0xff)) throw new Error('an item came changed');
    next += 1;
    if (next === leaveAt) break;
    if (slow) await pause(clock, random.next() * 10);
  }
  return next;
}

const cut = new DwcpError('ERR_DWCP_LINK_DOWN', 'cut');

class SourceError extends Error {}

const remoteFailure = (): Error => new HandlerError('PLANNED', 'as planned', { n: 1 });

function serve({ rpc }: Peer, clock: SimulatedClock, random: Random): void {
  rpc.serve(service, {
    down: () => produce(clock, random, remoteFailure),
    async up(items) {
      const count = await consume(items, clock, random);
      return Buffer.from([count]);
    },
    async *both(items) {
      const reading = consume(items, clock, random).catch(() => -1);
      yield* produce(clock, random, remoteFailure);
      await reading;
    },
  });
}

async function oneStream(rpc: Rpc, clock: SimulatedClock, random: Random): Promise<string> {
  const client = service.client(rpc);
  const kind = random.next();
  const controller = new AbortController();
  const options = { deadlineMs, signal: controller.signal };
  if (random.next() < 0.15) clock.setTimer(() => controller.abort(), random.next() * 100);
  const source = produce(clock, random, () => new SourceError('source'));
  try {
    if (kind < 0.4) await consume(client.down(Buffer.alloc(0), options), clock, random);
    else if (kind < 0.7) await client.up(source, options);
    else await consume(client.both(source, options), clock, random);
    return 'ok';
  } catch (error) {
    if (error instanceof SourceError) return 'source';
    if (isRemoteError(error)) return isRemoteError(error, 'PLANNED') ? 'planned' : error.message;
    if (isDwcpError(error)) return error.code;
    throw error;
  }
}

const expected = new Set([
  'ok',
  'source',
  'planned',
  'ERR_DWCP_ABORTED',
  'ERR_DWCP_LINK_DOWN',
  'ERR_DWCP_DEADLINE',
  'ERR_DWCP_NO_ENDPOINT',
]);

async function run(t: ExecutionContext, seed: number): Promise<void> {
  const random = seededRandom(seed);
  const clock = new SimulatedClock();
  const network = new SimulatedNetwork({ clock, latencyMs: 2 });
  const [caller, server] = [await start('c', network, clock), await start('s', network, clock)];
  serve(server, clock, random);
  caller.links.dial(server.address);
  await clock.advance(500);
  const ends: Promise<string>[] = [];
  for (let i = 0; i < streamCount; i += 1) {
    ends.push(oneStream(caller.rpc, clock, random));
    await clock.advance(random.next() * 20);
    if (random.next() < 0.03) caller.links.get('s')?.close(cut);
    for (const { links } of [caller, server]) {
      for (const link of links.all()) t.true(link.stats().sendQueueBytes <= 4_000_000);
    }
  }
  await clock.advance(deadlineMs + 500);
  const seen = await Promise.all(ends);
  for (const end of seen) t.true(expected.has(end), `${end}, seed ${seed}`);
  t.true(seen.filter((end) => end === 'ok').length > 5, `seed ${seed}`);
  t.like(caller.rpc.stats(), { inFlight: 0, streams: 0 }, `seed ${seed}`);
  t.is(server.rpc.stats().handling, 0, `every handler ended, seed ${seed}`);
  t.is(server.rpc.stats().malformed + caller.rpc.stats().malformed, 0, `seed ${seed}`);
  // What is left are the two streams of announcements.
  for (const link of caller.links.all()) t.true(link.stats().streams <= 2, `seed ${seed}`);
  for (const node of [caller, server]) {
    void node.rpc.close(0);
    void node.links.close(0);
  }
  await clock.advance(5_000);
}

for (const seed of seeds) {
  test(`cancel, half-close, failure and slow readers at once, seed ${seed}`, (t) => run(t, seed));
}

test('a reader that takes nothing stops its producer: what is in flight stays inside the credit', async (t) => {
  const clock = new SimulatedClock();
  const network = new SimulatedNetwork({ clock, latencyMs: 2 });
  const [caller, server] = [await start('c', network, clock), await start('s', network, clock)];
  let produced = 0;
  server.rpc.serve(service, {
    *down() {
      for (;;) {
        produced += 1;
        yield Buffer.alloc(1_000);
      }
    },
    up: () => Buffer.alloc(0),
    both: () => [],
  });
  caller.links.dial(server.address);
  await clock.advance(500);
  const items = service.client(caller.rpc).down(Buffer.alloc(0));
  const first = items.next();
  await clock.advance(100);
  await first;
  await clock.advance(2_000);
  const stopped = produced;
  await clock.advance(2_000);
  t.is(produced, stopped, 'nothing more is asked of the producer');
  t.true(produced <= 400, `${produced} items of 1,000 bytes with 256 KiB of credit`);
  for (let n = 0; n < 600; n += 1) {
    const next = items.next();
    await clock.advance(1);
    t.false((await next).done);
  }
  t.true(produced > stopped, 'taking items lets it go on');
  await items.return!();
  await clock.advance(50);
  t.is(server.rpc.stats().handling, 0);
});
