/**
 * One node of the soak of links: serves, calls the others, writes, and loses one of its links every second. Its
 * parent starts and stops the load, asks for numbers, and compares what all nodes hold at the end.
 */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { createNode, type NodeIdentity } from '../../lib/index.ts';
import { seededRandom } from '../../lib/random.ts';
import type { Address, FramePipe, PipeTransport } from '../../lib/transport/index.ts';

/** First message to the child. */
export interface SoakNode {
  readonly nodeId: string;
  readonly region: string;
  readonly identity: NodeIdentity;
  readonly seeds: readonly Address[];
  readonly seed: number;
}

/** What the parent gets when it asks. */
export interface LinksReport {
  readonly cuts: number;
  /** Links that came up. */
  readonly ups: number;
  /** Idempotent calls answered; every one must be. */
  readonly idempotent: number;
  /** Calls that may run once at most: answered, and failed with a code. */
  readonly answered: number;
  readonly failed: number;
  /** How often such calls ran here. */
  readonly ran: number;
  readonly items: number;
  readonly puts: number;
  readonly failures: Readonly<Record<string, number>>;
  /** Digest of everything the keyspace holds here. */
  readonly state: string;
  readonly linked: number;
}

const KEYS = 200;
const WORKERS = 4;
const PAUSE_MS = 4;
/** Writes before the load begins: as many as the bounded tables of a node remember. */
const FIRST_PUTS = 20_000;
const CUT_EVERY_MS = 1_000;

const pipes = new Set<FramePipe>();

/** A transport that remembers the pipes which live, to cut one. */
function remembering(own: PipeTransport): PipeTransport {
  const seen = (pipe: FramePipe): FramePipe => {
    pipes.add(pipe);
    const start = pipe.start.bind(pipe);
    pipe.start = (handler) =>
      start({
        onFrames: (frames) => handler.onFrames(frames),
        onWritable: () => handler.onWritable(),
        onClose: (error) => {
          pipes.delete(pipe);
          handler.onClose(error);
        },
      });
    return pipe;
  };
  return {
    tier: own.tier,
    listen: (address, onPipe) => own.listen(address, (pipe) => onPipe(seen(pipe))),
    connect: async (address, options) => seen(await own.connect(address, options)),
  };
}

async function run(self: SoakNode): Promise<void> {
  const { nodeId, region, identity, seeds, seed } = self;
  const random = seededRandom(seed);
  const node = await createNode({
    region,
    identity,
    seeds,
    transport: remembering,
    // Small caches are full when the warm-up ends: what grows afterwards is a leak.
    limits: { state: { frameCacheBytes: 1 << 20, baseCacheBytes: 1 << 22, maxAuditRecords: 100 } },
    reconnect: { baseMs: 20, maxMs: 200, floorMs: 5, stableMs: 300 },
  });
  const count = {
    cuts: 0,
    ups: 0,
    idempotent: 0,
    answered: 0,
    failed: 0,
    ran: 0,
    items: 0,
    puts: 0,
  };
  const failures: Record<string, number> = {};
  const fail = (kind: string, error: unknown): void => {
    const { code, cause } = error as { code?: string; cause?: { message?: string } };
    const key = `${kind} ${code ?? String(error)}${cause ? `: ${cause.message}` : ''}`;
    failures[key] = (failures[key] ?? 0) + 1;
  };
  node.on('peerUp', () => (count.ups += 1));
  node.handle('echo', (payload) => payload);
  node.handle('once', (payload) => {
    count.ran += 1;
    return payload;
  });
  const keyspace = node.keyspace('state', { codec: 'json' });
  let running = false;

  const callers = async (): Promise<void> => {
    const payload = Buffer.alloc(256, nodeId);
    while (running) {
      await node
        .call('echo', payload, { local: false, idempotent: true })
        .then((reply) => {
          if (!reply.equals(payload)) throw new Error('another reply');
          count.idempotent += 1;
        })
        .catch((error: unknown) => fail('idempotent', error));
      await node.call('once', payload, { local: false }).then(
        () => (count.answered += 1),
        () => (count.failed += 1),
      );
      await delay(PAUSE_MS);
    }
  };
  const put = async (): Promise<void> => {
    const value = { by: nodeId, n: count.puts, fill: 'x'.repeat(200) };
    await keyspace
      .put(`${nodeId}/${count.puts % KEYS}`, value)
      .catch((error: unknown) => fail('put', error));
    count.puts += 1;
  };
  const writer = async (): Promise<void> => {
    while (running) {
      await put();
      await delay(PAUSE_MS);
    }
  };
  const cutter = async (): Promise<void> => {
    while (running) {
      await delay(CUT_EVERY_MS);
      const all = [...pipes];
      if (!running || all.length === 0) continue;
      all[Math.floor(random.next() * all.length)]!.destroy();
      count.cuts += 1;
    }
  };
  const state = async (): Promise<string> => {
    const hash = createHash('sha256');
    const rows: string[] = [];
    for await (const { key, value } of keyspace.scan()) rows.push(JSON.stringify([key, value]));
    for (const row of rows.toSorted()) hash.update(row);
    return `${rows.length} keys, ${hash.digest('hex').slice(0, 16)}`;
  };

  let load: Promise<unknown> = Promise.resolve();
  const answer = async (question: string): Promise<void> => {
    if (question === 'start') {
      while (count.puts < FIRST_PUTS) await put();
      running = true;
      load = Promise.all([...Array.from({ length: WORKERS }, callers), writer(), cutter()]);
      return void process.send!('started');
    }
    if (question === 'stop') {
      running = false;
      await load;
    }
    (globalThis as { gc?: () => void }).gc?.();
    const linked = node.status().peers.filter((peer) => peer.state !== 'dead').length;
    process.send!({ ...count, failures, state: await state(), linked } satisfies LinksReport);
  };
  process.on('message', (question: string) => void answer(question));
  process.send!({ address: node.address });
}

process.once('message', (self: SoakNode) => void run(self));
