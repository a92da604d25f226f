/** Connection under load, in virtual time: priorities, credit, cancel, limits, slow handlers. */
import test from 'ava';
import type { DwcpError } from '../../lib/errors.ts';
import { SimulatedClock, simulatedPipePair } from '../../lib/testing/index.ts';
import {
  Connection,
  FrameKind,
  type FramePipe,
  Priority,
  type Stream,
} from '../../lib/transport/index.ts';
import { connectionPair } from '../fakes/connection-pair.ts';

const MiB = 1024 * 1024;

test('an rpc message overtakes a 64 MB bulk message within the high-water mark', async (t) => {
  const rate = 12_500_000; // 100 Mbit/s
  const got: string[] = [];
  let rpcAtMs = 0;
  const { clock, dialer } = connectionPair({ delayMs: 10, rateBytesPerSecond: rate }, (stream) => {
    stream.onMessage((message) => {
      got.push(message.length > 1000 ? 'bulk' : 'rpc');
      if (got.at(-1) === 'rpc') rpcAtMs = clock.monotonic();
    });
  });
  const bulk = dialer.open(2).send(Buffer.alloc(64 * MiB), { priority: Priority.bulk });
  await clock.advance(500);
  const startedMs = clock.monotonic();
  const rpc = dialer.open(1);
  const urgent = rpc.send(Buffer.from('urgent'), { priority: Priority.rpc });
  await clock.runUntil(() => got.includes('rpc'));
  await urgent;
  const aheadBytes = ((rpcAtMs - startedMs - 10) / 1000) * rate;
  // What the pipe already holds, and the frame on the line.
  t.true(aheadBytes <= 256 * 1024 + 2 * 65_552, `${aheadBytes} bytes were ahead`);
  t.deepEqual(got, ['rpc']);
  await clock.runUntil(() => got.length === 2);
  await bulk;
});

test('classes leave in order, streams of a class share frame by frame, and bulk never starves', async (t) => {
  const order: number[] = [];
  const { clock, dialer } = connectionPair({ rateBytesPerSecond: 10_000_000 }, () => {});
  const send = dialer.pipe.send.bind(dialer.pipe);
  dialer.pipe.send = (frames) => {
    for (const frame of frames) if (frame.kind === FrameKind.data) order.push(frame.stream);
    return send(frames);
  };
  const streams = [Priority.bulk, Priority.rpc, Priority.rpc, Priority.control].map((priority) =>
    dialer.open(1, { priority }),
  );
  const sizes = [4 * MiB, 4 * MiB, 4 * MiB, 256 * 1024];
  const sends = streams.map((stream, i) => stream.send(Buffer.alloc(sizes[i]!)));
  await Promise.all([clock.runUntil(() => dialer.sendQueueBytes === 0), ...sends]);
  const [bulk, rpcA, rpcB, control] = streams.map((stream) => stream.id);
  t.true(
    order.slice(0, 4).every((id) => id === control),
    'control first',
  );
  // Credit starts at 256 KiB per stream, so the first frames tell about order and turns.
  const rpcTurns = order.slice(4, 12).filter((id) => id === rpcA || id === rpcB);
  t.deepEqual(rpcTurns.slice(0, 4), [rpcA, rpcB, rpcA, rpcB]);
  t.true(order.indexOf(bulk!) >= 0);
});

test('a saturated urgent class still leaves a sixteenth to bulk', async (t) => {
  const bytes = new Map<number, number>();
  const limits = { initialCreditBytes: 64 * MiB, maxCreditBytes: 64 * MiB };
  const { clock, dialer } = connectionPair({ rateBytesPerSecond: 100_000_000 }, () => {}, limits);
  await clock.advance(10);
  const send = dialer.pipe.send.bind(dialer.pipe);
  dialer.pipe.send = (frames) => {
    for (const { kind, stream, payload } of frames) {
      if (kind !== FrameKind.data) continue;
      const size = payload.reduce((sum, part) => sum + part.length, 0);
      bytes.set(stream, (bytes.get(stream) ?? 0) + size);
    }
    return send(frames);
  };
  const rpc = dialer.open(1, { priority: Priority.rpc });
  const bulk = dialer.open(2, { priority: Priority.bulk });
  rpc.send(Buffer.alloc(48 * MiB)).catch(() => {});
  bulk.send(Buffer.alloc(48 * MiB)).catch(() => {});
  await clock.runUntil(() => (bytes.get(rpc.id) ?? 0) >= 32 * MiB);
  const share = bytes.get(bulk.id)! / bytes.get(rpc.id)!;
  t.true(share > 0.04 && share < 0.08, `bulk got ${share} of the bytes of rpc`);
  dialer.destroy();
});

test('credit grows with the round trip: 16 MB over 80 ms takes a few windows, not sixty', async (t) => {
  let received = 0;
  const { clock, dialer } = connectionPair({ delayMs: 40 }, (stream) =>
    stream.onMessage((message) => {
      received += message.length;
    }),
  );
  await clock.advance(100);
  const startedMs = clock.monotonic();
  const sent = dialer.open(2).send(Buffer.alloc(16 * MiB));
  await clock.runUntil(() => received > 0);
  await sent;
  const roundTrips = (clock.monotonic() - startedMs) / 80;
  // A fixed 256 KiB window would need 64 round trips.
  t.true(roundTrips < 9, `${roundTrips} round trips`);
});

test('a slow handler holds the sender back at about a window', async (t) => {
  const settles: (() => void)[] = [];
  let received = 0;
  const { clock, dialer, acceptor } = connectionPair({ delayMs: 5 }, (stream) => {
    stream.onMessage((message) => {
      received += message.length;
      return new Promise((resolve) => settles.push(resolve));
    });
  });
  const stream = dialer.open(1);
  let handed = 0;
  for (let i = 0; i < 200; i++) void stream.send(Buffer.alloc(10_000)).then(() => handed++);
  await clock.advance(1_000);
  t.is(received, 260_000, 'a window and the message that straddles it are not yet complete');
  t.true(acceptor.stats().inboundBytes <= 256 * 1024);
  for (let rounds = 0; rounds < 100 && handed < 200; rounds++) {
    for (const settle of settles.splice(0)) settle();
    await clock.advance(20);
  }
  t.is(handed, 200);
  for (const settle of settles.splice(0)) settle();
  await clock.advance(20);
  for (const settle of settles.splice(0)) settle();
  await clock.advance(20);
  t.is(received, 2_000_000);
  t.is(acceptor.stats().inboundBytes, 0);
});

test('unfinished messages are held to the budget and all complete', async (t) => {
  let received = 0;
  let peakBytes = 0;
  const limits = { maxAssemblyBytes: 2 * MiB, maxMessageBytes: 4 * MiB };
  const { clock, dialer, acceptor } = connectionPair(
    { delayMs: 5, rateBytesPerSecond: 50_000_000 },
    (stream) => {
      stream.onMessage((message) => {
        received += message.length;
      });
    },
    limits,
  );
  const sends = Array.from({ length: 8 }, () => dialer.open(2).send(Buffer.alloc(3 * MiB)));
  await clock.runUntil(() => {
    peakBytes = Math.max(peakBytes, acceptor.stats().inboundBytes);
    return received === 24 * MiB;
  });
  await Promise.all(sends);
  // The budget, the message that is let through, first windows, and half a budget of growth.
  t.true(peakBytes <= 2 * MiB + 3 * MiB + 8 * 256 * 1024 + 1 * MiB, `${peakBytes}`);
  t.is(acceptor.stats().inboundBytes, 0);
  t.deepEqual(acceptor.stats().violations, {});
});

test('an aborted message that still waits leaves nothing behind', async (t) => {
  const got: string[] = [];
  const { clock, dialer } = connectionPair(
    { delayMs: 5, rateBytesPerSecond: 1_000_000 },
    (stream) => {
      stream.onMessage((message) => {
        got.push(`${message.length}`);
      });
    },
  );
  const stream = dialer.open(1);
  const first = stream.send(Buffer.alloc(1_000_000));
  const abort = new AbortController();
  const second = stream.send(Buffer.alloc(500_000), { signal: abort.signal });
  const third = stream.send(Buffer.alloc(7));
  await clock.advance(10);
  abort.abort(new Error('changed my mind'));
  const error = await t.throwsAsync(second, { code: 'ERR_DWCP_ABORTED' });
  t.is(((error as DwcpError).cause as Error).message, 'changed my mind');
  await clock.runUntil(() => got.length === 2);
  await Promise.all([first, third]);
  t.deepEqual(got, ['1000000', '7']);
  t.is(dialer.sendQueueBytes, 0);
});

test('aborting a message that is partly sent resets the stream with ERR_DWCP_ABORTED', async (t) => {
  let reason: DwcpError | undefined;
  const { clock, dialer, acceptor } = connectionPair(
    { delayMs: 5, rateBytesPerSecond: 1_000_000 },
    (stream) => {
      stream.onMessage(() => t.fail('a cancelled message was delivered'));
      stream.onClose((error) => {
        reason = error;
      });
    },
  );
  const stream = dialer.open(1);
  const abort = new AbortController();
  const send = stream.send(Buffer.alloc(2_000_000), { signal: abort.signal });
  await clock.advance(200);
  abort.abort();
  await t.throwsAsync(send, { code: 'ERR_DWCP_ABORTED' });
  await clock.runUntil(() => reason !== undefined);
  t.is(reason?.code, 'ERR_DWCP_STREAM_RESET');
  t.like(reason?.cause, { code: 'ERR_DWCP_ABORTED' });
  t.is(acceptor.stats().inboundBytes, 0);
  t.is(dialer.sendQueueBytes, 0);
  await t.throwsAsync(stream.send(Buffer.alloc(1), { signal: AbortSignal.abort() }));
});

test('limits are refused by name: message, queue, streams', async (t) => {
  const limits = { maxMessageBytes: 1000, maxSendQueueBytes: 2500, maxStreams: 2 };
  const resets: (DwcpError | undefined)[] = [];
  const { clock, dialer, acceptor } = connectionPair({ delayMs: 5 }, () => {}, limits);
  const stream = dialer.open(1);
  await t.throwsAsync(stream.send(Buffer.alloc(1001)), { code: 'ERR_DWCP_LIMIT' });
  const sends = [stream.send(Buffer.alloc(1000)), stream.send(Buffer.alloc(1000))];
  await t.throwsAsync(stream.send(Buffer.alloc(1000)), { code: 'ERR_DWCP_LIMIT' });
  await clock.advance(10);
  await Promise.all(sends);
  dialer.open(1);
  t.throws(() => dialer.open(1), { code: 'ERR_DWCP_LIMIT' });
  t.is(acceptor.stats().streams, 1);
  t.deepEqual(resets, []);
});

test('a stream above the peer’s maxStreams is reset with ERR_DWCP_LIMIT; the others live', async (t) => {
  const clock = new SimulatedClock();
  const [a, b] = simulatedPipePair({ clock });
  let served = 0;
  const acceptor = new Connection({
    pipe: b,
    role: 'acceptor',
    clock,
    limits: { maxStreams: 2 },
    onStream: (stream) => stream.onMessage(() => void served++),
  });
  const dialer = new Connection({ pipe: a, role: 'dialer', clock, onStream: () => {} });
  const causes: (string | undefined)[] = [];
  const streams = [1, 2, 3].map(() => dialer.open(1));
  for (const stream of streams) {
    stream.onClose((error) => causes.push((error?.cause as DwcpError | undefined)?.code));
    await stream.send(Buffer.from('x'));
  }
  await clock.advance(1);
  t.deepEqual(causes, ['ERR_DWCP_LIMIT']);
  await streams[0]!.send(Buffer.from('y'));
  await clock.advance(1);
  t.is(served, 3);
  t.deepEqual(acceptor.stats().violations, { ERR_DWCP_LIMIT: 1 });
});

test('connections with different initial credit agree on the smaller start', async (t) => {
  const clock = new SimulatedClock();
  const [a, b] = simulatedPipePair({ clock, latencyMs: 5 });
  let received = 0;
  const acceptor = new Connection({
    pipe: b,
    role: 'acceptor',
    clock,
    limits: { initialCreditBytes: 8192, maxCreditBytes: 8192 },
    onStream: (stream) => stream.onMessage((m) => void (received += m.length)),
  });
  const dialer = new Connection({ pipe: a, role: 'dialer', clock, onStream: () => {} });
  const early = dialer.open(1).send(Buffer.alloc(100_000));
  await clock.advance(20);
  const late = dialer.open(1).send(Buffer.alloc(100_000));
  await clock.runUntil(() => received === 200_000);
  await Promise.all([early, late]);
  t.deepEqual(acceptor.stats().violations, {});
});

test('a handler that throws resets its stream and no other', async (t) => {
  const { clock, dialer, acceptor } = connectionPair({ delayMs: 1 }, (stream) => {
    if (stream.channel === 9) throw new Error('onStream failed');
    stream.onMessage(async (message) => {
      if (message.toString() === 'bad') throw new Error('handler failed');
      await stream.send(message, { end: true });
    });
  });
  const outcome = (channel: number, text: string): Promise<string> => {
    const stream = dialer.open(channel);
    return new Promise((resolve) => {
      stream.onMessage((message) => resolve(message.toString()));
      stream.onClose((error) => resolve((error?.cause as Error | undefined)?.message ?? 'closed'));
      stream.send(Buffer.from(text)).catch(() => {});
    });
  };
  const all = Promise.all([outcome(1, 'bad'), outcome(9, 'x'), outcome(1, 'good')]);
  await clock.advance(20);
  t.deepEqual(await all, ['handler failed', 'onStream failed', 'good']);
  t.is(acceptor.stats().inboundBytes, 0);
});

test('messages wait for a late handler, and are delivered before the close', async (t) => {
  let stream: Stream | undefined;
  const { clock, dialer } = connectionPair({ delayMs: 1 }, (accepted) => {
    stream = accepted;
    accepted.end();
  });
  const opened = dialer.open(1);
  const sends = [opened.send(Buffer.from('a')), opened.send(Buffer.from('b'), { end: true })];
  await clock.advance(10);
  await Promise.all(sends);
  const events: string[] = [];
  stream!.onClose(() => events.push('close'));
  stream!.onEnd(() => events.push('end'));
  stream!.onMessage((message) => void events.push(message.toString()));
  await clock.advance(1);
  t.deepEqual(events, ['a', 'b', 'end', 'close']);
});

function raw(): {
  clock: SimulatedClock;
  pipe: FramePipe;
  peer: Connection;
  closed: () => unknown;
} {
  const clock = new SimulatedClock();
  const [pipe, b] = simulatedPipePair({ clock });
  let closed: unknown = 'open';
  const peer = new Connection({
    pipe: b,
    role: 'acceptor',
    clock,
    onStream: (stream) =>
      stream.onMessage((m) => (m.length === 65_536 ? new Promise(() => {}) : undefined)),
    onClose: (error) => {
      closed = error?.code;
    },
  });
  return { clock, pipe, peer, closed: () => closed };
}

type RawFrame = [kind: number, flags: number, stream: number, payload: Buffer];
const open = 0x02;
const end = 0x01;
const fin = 0x04;

const streamErrors: Record<string, RawFrame[]> = {
  'data on a stream never opened': [[1, end, 5, Buffer.from('x')]],
  'opening with the wrong parity': [[1, open | end, 4, Buffer.from('x')]],
  'opening twice': [
    [1, open | end, 1, Buffer.from('x')],
    [1, open | end | 0x08, 1, Buffer.from('x')],
  ],
  'a frame out of sequence': [
    [1, open, 1, Buffer.from('x')],
    [1, end | 0x10, 1, Buffer.from('x')],
  ],
  'a frame twice': [
    [1, open, 1, Buffer.from('x')],
    [1, 0x08, 1, Buffer.from('y')],
    [1, 0x08, 1, Buffer.from('y')],
  ],
  'data after half-close': [
    [1, open | end | fin, 1, Buffer.from('x')],
    [1, end | 0x08, 1, Buffer.from('x')],
  ],
  'half-close inside a message': [
    [1, open, 1, Buffer.from('x')],
    [1, fin | 0x08, 1, Buffer.alloc(0)],
  ],
  'an empty frame that ends nothing': [[1, open, 1, Buffer.alloc(0)]],
  'more bytes than credit': Array.from({ length: 5 }, (_, i) => [
    1,
    (i === 0 ? open | end : end) | ((i & 3) << 3),
    1,
    Buffer.alloc(65_536),
  ]),
};

for (const [name, frames] of Object.entries(streamErrors)) {
  test(`${name} costs the stream, not the link`, async (t) => {
    const { clock, pipe, peer, closed } = raw();
    const resets: number[] = [];
    pipe.start({
      onFrames: (got) => {
        for (const frame of got) if (frame.kind === FrameKind.reset) resets.push(frame.stream);
      },
      onWritable: () => {},
      onClose: () => {},
    });
    pipe.send(
      frames.map(([kind, flags, stream, payload]) => toFrame(kind, flags, stream, payload)),
    );
    await clock.advance(1);
    t.is(closed(), 'open');
    t.is(peer.stats().violations.ERR_DWCP_PROTOCOL, 1);
    t.is(resets.length, 1);
    t.is(peer.stats().inboundBytes, name === 'more bytes than credit' ? 4 * 65_536 : 0);
    pipe.send([toFrame(1, open | end, 99, Buffer.from('still here'))]);
    await clock.advance(1);
    t.true(peer.stats().streams >= 1);
  });
}

const linkErrors: Record<string, [RawFrame, string]> = {
  'an unknown kind': [[12, 0, 0, Buffer.alloc(0)], 'ERR_DWCP_FRAME_KIND'],
  'reserved flags': [[1, 0x20, 1, Buffer.alloc(0)], 'ERR_DWCP_FRAME_FLAGS'],
  'flags on a ping': [[4, 1, 0, Buffer.alloc(8)], 'ERR_DWCP_FRAME_FLAGS'],
  'data on stream 0': [[1, open, 0, Buffer.alloc(1)], 'ERR_DWCP_FRAME_CORRUPT'],
  'a short ping': [[4, 0, 0, Buffer.alloc(3)], 'ERR_DWCP_FRAME_CORRUPT'],
  'a ping on a stream': [[4, 0, 3, Buffer.alloc(8)], 'ERR_DWCP_FRAME_CORRUPT'],
  'a short credit': [[2, 0, 1, Buffer.alloc(3)], 'ERR_DWCP_FRAME_CORRUPT'],
  'an absurd initial credit': [[2, 0, 0, Buffer.alloc(4, 0xff)], 'ERR_DWCP_FRAME_CORRUPT'],
  'a reset without a reason': [[3, 0, 1, Buffer.alloc(1)], 'ERR_DWCP_FRAME_CORRUPT'],
};

for (const [name, [[kind, flags, stream, payload], code]] of Object.entries(linkErrors)) {
  test(`${name} breaks the link with ${code}`, async (t) => {
    const { clock, pipe, peer, closed } = raw();
    pipe.send([toFrame(kind, flags, stream, payload)]);
    await clock.advance(1);
    t.is(closed(), code);
    t.is(peer.stats().violations[code as 'ERR_DWCP_FRAME_KIND'], 1);
  });
}

test('a peer that provokes answers without reading them is cut off', async (t) => {
  const clock = new SimulatedClock();
  const [pipe, b] = simulatedPipePair({ clock, socketBufferBytes: 65_536 });
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
  const pings = Array.from({ length: 5_000 }, () => toFrame(4, 0, 0, Buffer.alloc(8)));
  for (let i = 0; i < 40 && !closed; i++) {
    pipe.send(pings);
    await clock.advance(1);
  }
  t.is(closed?.code, 'ERR_DWCP_LIMIT');
});

function toFrame(
  kind: number,
  flags: number,
  stream: number,
  payload: Buffer,
): { kind: FrameKind; flags: number; channel: number; stream: number; payload: Buffer[] } {
  return { kind: kind as FrameKind, flags, channel: 1, stream, payload: [payload] };
}

test('what a handler gives back besides a promise means nothing', async (t) => {
  const got: number[] = [];
  const { clock, dialer } = connectionPair({ delayMs: 1 }, (stream) => {
    // As an arrow function returns it.
    stream.onMessage((message) => got.push(message.length) as never);
  });
  const stream = dialer.open(1);
  const closed: unknown[] = [];
  stream.onClose((error) => closed.push(error));
  for (const sizeBytes of [1, 2, 3]) void stream.send(Buffer.alloc(sizeBytes));
  await clock.advance(50);
  t.deepEqual(got, [1, 2, 3]);
  t.deepEqual(closed, []);
});

test('channels, priorities, messages and reasons that are none are refused, and the link goes on', async (t) => {
  const got: string[] = [];
  const { clock, dialer } = connectionPair({ delayMs: 1 }, (stream) => {
    stream.onMessage((message) => void got.push(message.toString()));
  });
  const refused = { code: 'ERR_DWCP_INVALID_ARG' };
  for (const channel of [-1, 70_000, 1.5, 'x']) {
    t.throws(() => dialer.open(channel as number), refused);
  }
  t.throws(() => dialer.open(1, { priority: 99 as Priority }), refused);
  const stream = dialer.open(1);
  for (const message of ['text', 5, [Buffer.of(1), 'x'], new Uint16Array(2)]) {
    await t.throwsAsync(stream.send(message as never), refused);
  }
  t.throws(() => stream.reset('nope' as never), refused);
  void stream.send(Buffer.from('well'));
  await clock.advance(50);
  t.deepEqual(got, ['well']);
});
