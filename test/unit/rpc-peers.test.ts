/** Calls to peers that refuse, reset, answer nonsense or break the protocol. */
import test from 'ava';
import type { DwcpError } from '../../lib/errors.ts';
import { seededRandom } from '../../lib/random.ts';
import { createRpc } from '../../lib/rpc/index.ts';
import type { Stream } from '../../lib/transport/stream.ts';
import { encodeAnnounce, encodeRefused, okHeader } from '../../lib/rpc/wire.ts';
import type { FakeLinks } from '../fakes/network.ts';
import { failedWith, follow, world } from '../fakes/rpc-world.ts';

const ping = Buffer.from('ping');
const idempotent = { idempotent: true } as const;
const fromFar = (): Buffer => Buffer.from('far');

/** From now on the node treats inbound streams this way. */
function answerWith(links: FakeLinks, onStream: (stream: Stream) => void): void {
  links.handle(1, (_link, stream) => onStream(stream));
}

/** Opens a raw stream to a node, sends these messages, and tells how it closed. */
function raw(links: FakeLinks, to: string, messages: readonly Buffer[]): { closed?: DwcpError } {
  const seen: { closed?: DwcpError } = {};
  const stream = links.get(to)!.open(1);
  stream.onClose((error) => {
    if (error) seen.closed = error;
  });
  for (const message of messages) void stream.send(message);
  return seen;
}

test('a reset: idempotent calls go elsewhere, others report it as possibly executed', async (t) => {
  const { clock, caller, near, far, links } = await world();
  near.handle('work', () => t.fail());
  far.handle('work', fromFar);
  await clock.advance(100);
  answerWith(links.near, (stream) => stream.reset('ERR_DWCP_ABORTED', 'no'));
  const safe = follow(clock, caller.call('work', ping, idempotent));
  const unsafe = follow(clock, caller.call('work', ping));
  await clock.advance(100);
  t.is(safe.outcome?.value?.toString(), 'far');
  failedWith(t, unsafe, 'ERR_DWCP_STREAM_RESET');
});

test('a reset by the only endpoint is reported, not waited for', async (t) => {
  const { clock, caller, near, links } = await world();
  near.handle('work', () => t.fail());
  await clock.advance(100);
  answerWith(links.near, (stream) => stream.reset('ERR_DWCP_ABORTED', 'no'));
  const box = follow(clock, caller.call('work', ping, idempotent));
  await clock.advance(5);
  failedWith(t, box, 'ERR_DWCP_STREAM_RESET');
});

for (const [name, reply] of [
  ['bytes that do not decode', Buffer.from([7, 7])],
  ['a message that is no reply', encodeAnnounce(['x'])],
] as const) {
  test(`${name} as the reply: idempotent calls go elsewhere`, async (t) => {
    const { clock, caller, near, far, links } = await world();
    near.handle('work', () => t.fail());
    far.handle('work', fromFar);
    await clock.advance(100);
    answerWith(links.near, (stream) => void stream.send(reply, { end: true }));
    const box = follow(clock, caller.call('work', ping, idempotent));
    await clock.advance(100);
    t.is(box.outcome?.value?.toString(), 'far');
  });
}

test('a stream ended without a reply is a loss', async (t) => {
  const { clock, caller, near, links } = await world();
  near.handle('work', () => t.fail());
  await clock.advance(100);
  answerWith(links.near, (stream) => stream.end());
  const box = follow(clock, caller.call('work', ping));
  await clock.advance(5);
  failedWith(t, box, 'ERR_DWCP_PROTOCOL');
});

test('a request that cannot leave goes elsewhere even when not idempotent', async (t) => {
  const { clock, caller, near, far, links } = await world();
  near.handle('work', () => t.fail());
  far.handle('work', fromFar);
  await clock.advance(100);
  const link = links.caller.get('n')!;
  const streams = link.streams.size;
  link.full = true;
  const box = follow(clock, caller.call('work', ping));
  await clock.advance(100);
  t.is(box.outcome?.value?.toString(), 'far');
  t.is(link.streams.size, streams, 'its stream was given back');
});

test('a deadline that passes at the handler first is still ERR_DWCP_DEADLINE', async (t) => {
  const { clock, caller, near, links } = await world();
  near.handle('work', () => t.fail());
  await clock.advance(100);
  answerWith(links.near, (stream) => stream.reset('ERR_DWCP_DEADLINE', 'late'));
  const box = follow(clock, caller.call('work', ping));
  await clock.advance(5);
  failedWith(t, box, 'ERR_DWCP_DEADLINE');
});

test('overload everywhere: the retry budget runs out and the refusal is reported', async (t) => {
  const { clock, caller, near, far, links } = await world();
  for (const node of [near, far]) node.handle('work', () => t.fail());
  await clock.advance(100);
  for (const of of [links.near, links.far]) {
    answerWith(of, (stream) => void stream.send(encodeRefused(3, 2), { end: true }));
  }
  const boxes = Array.from({ length: 300 }, () => follow(clock, caller.call('work', ping)));
  await clock.advance(300);
  for (const box of boxes) failedWith(t, box, 'ERR_DWCP_LIMIT');
  const { retried } = caller.stats();
  t.true(retried >= 100 && retried <= 170, `${retried} retries for 300 calls`);
});

test('a payload above the peer’s limit is refused before it runs, and not retried', async (t) => {
  const { clock, caller, near, links } = await world();
  near.handle('work', () => t.fail());
  await clock.advance(100);
  answerWith(links.near, (stream) => void stream.send(encodeRefused(5, 2), { end: true }));
  const box = follow(clock, caller.call('work', ping, idempotent));
  await clock.advance(5);
  failedWith(t, box, 'ERR_DWCP_LIMIT');
  t.is(caller.stats().retried, 0);
});

test('protocol errors cost the stream: two announcements, a reply first, two requests', async (t) => {
  const { clock, near, links } = await world();
  const second = raw(links.caller, 'n', [encodeAnnounce(['a'])]);
  const reply = raw(links.caller, 'n', [okHeader(1)]);
  const large = raw(links.caller, 'n', [Buffer.concat([okHeader(1), Buffer.alloc(5_000_000)])]);
  await clock.advance(5);
  t.is(second.closed?.code, 'ERR_DWCP_STREAM_RESET');
  t.is(reply.closed?.code, 'ERR_DWCP_STREAM_RESET');
  t.is(large.closed, undefined);
  t.is(near.stats().malformed, 3);
});

test('json that does not parse: the handler’s side says so, and so does the caller’s', async (t) => {
  const { clock, caller, near, links } = await world();
  near.handle('work', (value) => value, { codec: 'json' });
  await clock.advance(100);
  await t.throwsAsync(caller.call('work', 1n, { codec: 'json' }), { code: 'ERR_DWCP_INVALID_ARG' });
  await t.throwsAsync(
    caller.call('work', () => 1, { codec: 'json' }),
    {
      code: 'ERR_DWCP_INVALID_ARG',
    },
  );
  const none = caller.call('work', undefined, { codec: 'json' });
  await clock.advance(5);
  t.is(await none, undefined);
  answerWith(links.near, (stream) => {
    void stream.send(Buffer.concat([okHeader(1), Buffer.from('{')]), { end: true });
  });
  const bad = t.throwsAsync(caller.call('work', 1, { codec: 'json' }), { code: 'ERR_DWCP_CODEC' });
  await clock.advance(5);
  await bad;
});

test('a node whose rpc starts after its links came up still learns who serves what', async (t) => {
  const { clock, net, caller, near, links } = await world();
  caller.handle('early', () => ping);
  const late = net.node('l', 'eu');
  net.connect(links.caller, late, 0.5);
  await clock.advance(600);
  const self = { nodeId: 'l', region: 'eu' };
  const rpc = createRpc({ links: late, clock, random: seededRandom(1), self });
  rpc.handle('late', () => ping);
  await clock.advance(300);
  t.deepEqual(rpc.serving('early'), ['c']);
  t.deepEqual(caller.serving('late'), ['l']);
  t.deepEqual(near.serving('early'), ['c']);
});

test('closing cancels what is under way: calls get ERR_DWCP_CLOSED, handlers their signal', async (t) => {
  const { clock, caller, near } = await world();
  let reason: unknown;
  near.handle('work', (_payload, { signal }) => {
    signal.addEventListener('abort', () => (reason = signal.reason));
    return new Promise(() => {});
  });
  caller.handle('own', () => new Promise(() => {}));
  await clock.advance(100);
  const boxes = ['work', 'own'].map((name) => follow(clock, caller.call(name, ping)));
  await clock.advance(5);
  const closed = caller.close(20);
  await clock.advance(25);
  await closed;
  for (const box of boxes) failedWith(t, box, 'ERR_DWCP_CLOSED');
  t.like(reason, { code: 'ERR_DWCP_ABORTED' });
  await caller[Symbol.asyncDispose]();
  t.throws(() => caller.handle('more', () => ping), { code: 'ERR_DWCP_CLOSED' });
});

test('arguments are checked: service, payload, key, codec, handler', async (t) => {
  const { caller } = await world();
  const rejects = (promise: Promise<unknown>): Promise<unknown> =>
    t.throwsAsync(promise, { code: 'ERR_DWCP_INVALID_ARG' });
  await rejects(caller.call('x'.repeat(256), ping));
  await rejects(caller.call('\ud800', ping));
  await rejects(caller.call('work', ping, { key: 'k'.repeat(2_000) }));
  // @ts-expect-error callers without types
  await rejects(caller.call('work', 'text'));
  // @ts-expect-error callers without types
  await rejects(caller.call('work', ping, { codec: 'xml' }));
  // @ts-expect-error callers without types
  await rejects(caller.call('work', ping, { key: 5 }));
  // @ts-expect-error callers without types
  t.throws(() => caller.handle('work', 5), { code: 'ERR_DWCP_INVALID_ARG' });
});
