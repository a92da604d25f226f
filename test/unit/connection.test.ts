/** Connection over simulated pipes: messages, half-close, ping, goaway, resets, limits. */
import test from 'ava';
import { DwcpError } from '../../lib/errors.ts';
import type { LinkLimits } from '../../lib/limits.ts';
import { SimulatedClock, simulatedPipePair } from '../../lib/testing/index.ts';
import {
  Connection,
  type ConnectionOptions,
  FrameKind,
  type Stream,
} from '../../lib/transport/index.ts';

interface Pair {
  readonly clock: SimulatedClock;
  readonly dialer: Connection;
  readonly acceptor: Connection;
  readonly accepted: Stream[];
  readonly closes: (DwcpError | undefined)[];
}

function pair(
  limits: Partial<LinkLimits> = {},
  onStream: (stream: Stream) => void = () => {},
  extra: Partial<ConnectionOptions> = {},
): Pair {
  const clock = new SimulatedClock();
  const [a, b] = simulatedPipePair({ clock, latencyMs: 10 });
  const accepted: Stream[] = [];
  const closes: (DwcpError | undefined)[] = [];
  const acceptor = new Connection({
    pipe: b,
    role: 'acceptor',
    clock,
    limits,
    onStream: (stream) => {
      accepted.push(stream);
      onStream(stream);
    },
    ...extra,
  });
  const dialer = new Connection({
    pipe: a,
    role: 'dialer',
    clock,
    limits,
    onStream: () => {},
    onClose: (error) => closes.push(error),
  });
  return { clock, dialer, acceptor, accepted, closes };
}

test('a message crosses and is answered on the same stream', async (t) => {
  const { clock, dialer, accepted } = pair({}, (stream) => {
    stream.onMessage(async (message) => {
      await stream.send([Buffer.from('re: '), message], { end: true });
    });
  });
  const stream = dialer.open(7);
  let answer = '';
  let ended = false;
  let closed = false;
  stream.onMessage((message) => {
    answer = message.toString();
  });
  stream.onEnd(() => {
    ended = true;
  });
  stream.onClose((error) => {
    closed = error === undefined;
  });
  const sent = stream.send(Buffer.from('hello'), { end: true });
  await clock.runUntil(() => closed);
  await sent;
  t.is(answer, 're: hello');
  t.true(ended);
  t.is(accepted[0]!.channel, 7);
  t.is(stream.id, 1);
  t.is(dialer.stats().streams, 0);
});

test('messages of every size arrive whole and in order', async (t) => {
  const sizes = [0, 1, 15, 65_535, 65_536, 65_537, 300_000, 5_000_000, 3];
  const got: Buffer[] = [];
  const { clock, dialer, acceptor } = pair({}, (stream) => {
    stream.onMessage((message) => {
      got.push(message);
    });
  });
  const stream = dialer.open(1);
  const messages = sizes.map((size, i) => Buffer.alloc(size, i + 1));
  const sends = messages.map((message) => stream.send(message));
  await clock.runUntil(() => got.length === sizes.length);
  await Promise.all(sends);
  t.deepEqual(
    got.map((m) => m.length),
    sizes,
  );
  t.true(got.every((m, i) => m.equals(messages[i]!)));
  t.is(acceptor.stats().inboundBytes, 0);
  t.is(dialer.stats().sendQueueBytes, 0);
});

test('ping measures the round trip and hearing keeps lastHeardMs fresh', async (t) => {
  const { clock, dialer } = pair();
  await clock.advance(100);
  t.is(dialer.rttMs, 20);
  t.is(dialer.pingPendingSinceMs, undefined);
  dialer.ping();
  t.is(dialer.pingPendingSinceMs, 100);
  await clock.advance(30);
  t.is(dialer.pingPendingSinceMs, undefined);
  t.is(dialer.lastHeardMs, 120);
});

test('close lets streams finish, then both sides close without an error', async (t) => {
  let served = 0;
  const { clock, dialer, closes } = pair({}, (stream) => {
    stream.onMessage(async () => {
      served++;
      await stream.send(Buffer.from('done'), { end: true });
    });
  });
  const stream = dialer.open(1);
  let answer = '';
  stream.onMessage((message) => {
    answer = message.toString();
  });
  void stream.send(Buffer.from('work'), { end: true });
  let closed = false;
  void dialer.close({ timeoutMs: 1000 }).then(() => {
    closed = true;
  });
  t.throws(() => dialer.open(1), { code: 'ERR_DWCP_LINK_DOWN' });
  await clock.runUntil(() => closed, 500);
  t.is(served, 1);
  t.is(answer, 'done');
  t.deepEqual(closes, [undefined]);
});

test('destroy fails waiting sends and open streams with ERR_DWCP_LINK_DOWN', async (t) => {
  const { clock, dialer, closes } = pair();
  const stream = dialer.open(1);
  const error = new DwcpError('ERR_DWCP_PROTOCOL', 'test');
  let streamError: DwcpError | undefined;
  stream.onClose((e) => {
    streamError = e;
  });
  const send = stream.send(Buffer.alloc(8_000_000));
  await clock.advance(1);
  dialer.destroy(error);
  await t.throwsAsync(send, { code: 'ERR_DWCP_LINK_DOWN' });
  await clock.advance(50);
  t.is(streamError?.code, 'ERR_DWCP_LINK_DOWN');
  t.is(streamError?.cause, error);
  t.deepEqual(closes, [error]);
});

test('a reset tells the peer code and text', async (t) => {
  const { clock, dialer } = pair({}, (stream) => {
    stream.onMessage(() => stream.reset('ERR_DWCP_UNAUTHORIZED', 'not you'));
  });
  const stream = dialer.open(1);
  let error: DwcpError | undefined;
  stream.onClose((e) => {
    error = e;
  });
  await stream.send(Buffer.from('x'));
  await clock.runUntil(() => error !== undefined);
  t.is(error?.code, 'ERR_DWCP_STREAM_RESET');
  t.like(error?.cause, { code: 'ERR_DWCP_UNAUTHORIZED', message: 'not you' });
  await t.throwsAsync(stream.send(Buffer.from('y')), { code: 'ERR_DWCP_STREAM_RESET' });
});

test('a hello after the handshake breaks the link', async (t) => {
  const clock = new SimulatedClock();
  const [a, b] = simulatedPipePair({ clock });
  let closed: DwcpError | undefined;
  new Connection({
    pipe: b,
    role: 'acceptor',
    clock,
    onStream: () => {},
    onClose: (error) => {
      closed = error;
    },
  });
  a.send([{ kind: FrameKind.hello, flags: 0, channel: 0, stream: 0, payload: [] }]);
  await clock.advance(1);
  t.is(closed?.code, 'ERR_DWCP_FRAME_KIND');
});
