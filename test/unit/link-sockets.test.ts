/** Links of several sockets in virtual time: joining, identities, tokens, peers that know nothing of it. */
import test from 'ava';
import type { DwcpError } from '../../lib/errors.ts';
import { decodeHello, encodeHello } from '../../lib/links/hello.ts';
import { Channel, type Hello, type NodeLinks } from '../../lib/links/link.ts';
import { createLinks, type LinksOptions } from '../../lib/links/links.ts';
import { HandoverPipe } from '../../lib/links/handover-pipe.ts';
import { seededRandom } from '../../lib/random.ts';
import { SimulatedClock } from '../../lib/testing/simulated-clock.ts';
import { type SimulatedPipeOptions, SimulatedNetwork } from '../../lib/testing/simulated-pipe.ts';
import type { Address, FramePipe, PeerIdentity } from '../../lib/transport/frame-pipe.ts';
import { type PipeTransport, Priority } from '../../lib/transport/index.ts';
import { helloOf } from '../fakes/node-rig.ts';

const place: Address = { host: 'a', port: 1 };

/** Two linked nodes; `b` dials. */
async function linked(
  options: SimulatedPipeOptions = {},
  more: { readonly a?: Partial<LinksOptions>; readonly b?: Partial<LinksOptions> } = {},
): Promise<{
  readonly clock: SimulatedClock;
  readonly network: SimulatedNetwork;
  /** Of the network; new pipes have them as they are then. */
  readonly settings: { -readonly [K in keyof SimulatedPipeOptions]: SimulatedPipeOptions[K] };
  readonly a: NodeLinks;
  readonly b: NodeLinks;
  /** What `b` dialled. */
  readonly pipes: FramePipe[];
  readonly refused: DwcpError[];
  readonly arrived: Buffer[];
}> {
  const clock = new SimulatedClock();
  const settings = { clock, latencyMs: 20, ...options };
  const network = new SimulatedNetwork(settings);
  const pipes: FramePipe[] = [];
  const own = network.transport();
  const watched: PipeTransport = {
    ...own,
    connect: async (address, signal) => {
      const pipe = await own.connect(address, signal);
      pipes.push(pipe);
      return pipe;
    },
  };
  const make = (
    hello: Hello,
    transport: PipeTransport,
    extra: Partial<LinksOptions> = {},
  ): NodeLinks =>
    createLinks({ self: () => hello, transport, clock, random: seededRandom(3), ...extra });
  const a = make(helloOf('a'), own, more.a);
  const b = make(helloOf('b'), watched, more.b);
  const [refused, arrived]: [DwcpError[], Buffer[]] = [[], []];
  for (const links of [a, b]) links.on('refused', (_, error) => refused.push(error));
  a.handle(Channel.state, (_link, stream) =>
    stream.onMessage((message) => void arrived.push(message)),
  );
  await a.listen(place);
  b.dial(place);
  await clock.advance(400);
  return { clock, network, settings, a, b, pipes, refused, arrived };
}

/** Sends bulk from `b` to `a`. */
async function flow(clock: SimulatedClock, b: NodeLinks, count: number): Promise<void> {
  const stream = b.get('a')!.open(Channel.state);
  for (let n = 0; n < count; n++) {
    stream.send(Buffer.alloc(100_000, n), { priority: Priority.bulk }).catch(() => {});
  }
  await clock.advance(60);
}

test('a link whose only socket is cut under bulk goes on over another: no link goes down', async (t) => {
  const { clock, a, b, pipes, refused, arrived } = await linked();
  let downs = 0;
  for (const links of [a, b]) links.on('down', () => (downs += 1));
  await flow(clock, b, 40);
  await clock.advance(120);
  pipes[0]!.destroy();
  await clock.advance(4000);
  t.deepEqual(
    arrived.map((message) => message[0]),
    Array.from({ length: 40 }, (_, n) => n),
  );
  t.is(pipes.length, 2);
  t.is(downs, 0);
  t.deepEqual(refused, []);
  const { sockets, cuts } = b.get('a')!.stats();
  t.deepEqual({ sockets, cuts }, { sockets: 1, cuts: 1 });
});

test('a peer that takes one socket only is linked to as before, whichever side it is', async (t) => {
  const single = { limits: { maxSockets: 1 } };
  for (const more of [{ a: single }, { b: single }]) {
    const { clock, a, b, pipes, arrived } = await linked({}, more);
    const [told, silent] = 'a' in more ? [b, a] : [a, b];
    t.truthy(silent.all()[0]!.peer.sockets);
    t.is(told.all()[0]!.peer.sockets, undefined);
    await flow(clock, b, 10);
    await clock.advance(3000);
    t.is(arrived.length, 10);
    t.is(pipes.length, 1);
  }
});

test('a Hello of a peer that says nothing of sockets is read, and one that says nonsense refused', (t) => {
  const hello = helloOf('a');
  t.is(decodeHello(encodeHello(hello)).sockets, undefined);
  const sockets = { max: 4, reorderBytes: 1000, token: '0'.repeat(32) };
  t.deepEqual(decodeHello(encodeHello({ ...hello, sockets })).sockets, sockets);
  for (const wrong of [
    7,
    {},
    { ...sockets, max: 256 },
    { ...sockets, reorderBytes: -1 },
    { ...sockets, token: 'x'.repeat(32) },
    { ...sockets, token: '0'.repeat(33) },
  ]) {
    const payload = Buffer.from(JSON.stringify({ ...hello, sockets: wrong }));
    t.throws(() => decodeHello(payload), { code: 'ERR_DWCP_HANDSHAKE' });
  }
});

/** Says something on a fresh pipe to `a`; resolves with the verdict. */
async function say(
  clock: SimulatedClock,
  network: SimulatedNetwork,
  words: object,
): Promise<Record<string, unknown> | undefined> {
  const dialling = network.transport().connect(place, {});
  await clock.advance(60);
  let verdict: Record<string, unknown> | undefined;
  const pipe = new HandoverPipe(await dialling, {
    onPayload: (payload) => (verdict = JSON.parse(Buffer.from(payload).toString())),
    onClose: () => {},
  });
  pipe.begin();
  pipe.sendHello(Buffer.from(JSON.stringify(words)));
  await clock.advance(60);
  return verdict;
}

test('a socket with a token of no link is refused with ERR_DWCP_LINK_DOWN, one without a token as a handshake', async (t) => {
  const { clock, network, refused } = await linked();
  const unknown = await say(clock, network, { join: 'f'.repeat(32) });
  t.is(unknown?.['code'], 'ERR_DWCP_LINK_DOWN');
  t.is(refused.pop()?.code, 'ERR_DWCP_LINK_DOWN');
  const nonsense = await say(clock, network, { join: 5 });
  t.is(nonsense?.['code'], 'ERR_DWCP_HANDSHAKE');
});

test('a socket that joins before the link takes any is refused with ERR_DWCP_LIMIT', async (t) => {
  const { clock, network, b } = await linked();
  const { token } = b.get('a')!.peer.sockets!;
  const verdict = await say(clock, network, { join: token });
  t.is(verdict?.['code'], 'ERR_DWCP_LIMIT');
});

const identity = (nodeId: string): PeerIdentity => ({ cluster: 'test', region: 'eu', nodeId });

for (const [who, field] of [
  ['acceptor', 'dialerIdentity'],
  ['dialer', 'acceptorIdentity'],
] as const) {
  test(`a peer that proves another identity on resume is refused by the ${who} with ERR_DWCP_IDENTITY`, async (t) => {
    const options = { dialerIdentity: identity('b'), acceptorIdentity: identity('a') };
    const { clock, settings, a, b, pipes, refused } = await linked(options);
    const downs: (string | undefined)[] = [];
    for (const links of [a, b]) links.on('down', (_link, error) => downs.push(error?.code));
    await flow(clock, b, 40);
    await clock.advance(120);
    settings[field] = identity('mallory');
    pipes[0]!.destroy();
    await clock.advance(150);
    if (who === 'acceptor') t.is(refused[0]?.code, 'ERR_DWCP_IDENTITY');
    t.is(downs.length, 1);
    await clock.advance(2000);
    // The other end waited for the peer it knew; only then the link is down on both.
    t.is(downs.length, 2);
    t.is(a.all().length, 0);
  });
}
