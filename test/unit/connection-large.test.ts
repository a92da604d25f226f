/** Large messages on a connection, in virtual time: joined over turns, and out of the way of calls. */
import test from 'ava';
import type { SimulatedClock } from '../../lib/testing/index.ts';
import { type Connection, FrameKind, Priority, type Stream } from '../../lib/transport/index.ts';
import { connectionPair } from '../fakes/connection-pair.ts';

const MiB = 1024 * 1024;

/** A pair over a line of a machine's own, where calls go on while 16 MB are under way. */
async function callsBesideValue(
  call: (dialer: Connection, clock: SimulatedClock, look: () => void) => Promise<void>,
): Promise<{ mostUnreadBytes: number; valueMs: number }> {
  let valueMs = 0;
  const { clock, dialer, acceptor } = connectionPair(
    { delayMs: 0.05, rateBytesPerSecond: 1_000_000_000 },
    (stream) => {
      stream.onMessage((message) => {
        if (stream.channel === 2) valueMs = clock.monotonic();
        else void stream.send(message, { end: true });
      });
    },
  );
  await clock.advance(10);
  const startMs = clock.monotonic();
  const value = dialer.open(2);
  let sentBytes = 0;
  const send = dialer.pipe.send.bind(dialer.pipe);
  dialer.pipe.send = (frames) => {
    for (const { kind, stream, payload } of frames) {
      if (kind !== FrameKind.data || stream !== value.id) continue;
      for (const part of payload) sentBytes += part.length;
    }
    return send(frames);
  };
  value.send(Buffer.alloc(16 * MiB), { priority: Priority.bulk, end: true }).catch(() => {});
  let mostUnreadBytes = 0;
  const look = (): void => {
    const underWay = sentBytes - acceptor.stats().inboundBytes;
    // The first window was granted before anybody called.
    const early = clock.monotonic() - startMs <= 2;
    if (!early && valueMs === 0) mostUnreadBytes = Math.max(mostUnreadBytes, underWay);
  };
  for (let turn = 0; turn < 100_000 && valueMs === 0; turn++) await call(dialer, clock, look);
  return { mostUnreadBytes, valueMs: valueMs - startMs };
}

test('beside calls over a short path a value has little under way; alone it is faster', async (t) => {
  const beside = await callsBesideValue(async (dialer, clock, look) => {
    const stream = dialer.open(1, { priority: Priority.rpc });
    let answered = false;
    stream.onMessage(() => {
      answered = true;
    });
    await stream.send(Buffer.alloc(256), { end: true });
    await clock.runUntil(() => {
      look();
      return answered;
    });
  });
  const alone = await callsBesideValue((_dialer, clock) => clock.advance(0.05));
  t.true(beside.mostUnreadBytes > 0 && beside.mostUnreadBytes <= 40 * 1024);
  t.true(alone.valueMs * 1.5 < beside.valueMs, `${alone.valueMs} ms alone`);
  t.true(beside.valueMs < 10 * alone.valueMs, `${beside.valueMs} ms beside calls`);
});

test('a large message is delivered before the end of its stream, though it takes turns to join', async (t) => {
  const seen: string[] = [];
  const { clock, dialer } = connectionPair({}, (stream) => {
    stream.onMessage((message) => void seen.push(`${message.length}`));
    stream.onEnd(() => {
      seen.push('end');
      stream.end();
    });
    stream.onClose((error) => void seen.push(error?.code ?? 'closed'));
  });
  const stream = dialer.open(2, { priority: Priority.bulk });
  void stream.send(Buffer.alloc(9 * MiB, 1));
  void stream.send(Buffer.alloc(10, 2));
  void stream.send(Buffer.alloc(2 * MiB, 3), { end: true });
  await clock.runUntil(() => seen.length === 5);
  t.deepEqual(seen, [`${9 * MiB}`, '10', `${2 * MiB}`, 'end', 'closed']);
});

test('a stream that is reset while its message is joined delivers nothing and holds nothing', async (t) => {
  let delivered = 0;
  const accepted: Stream[] = [];
  const { clock, dialer, acceptor } = connectionPair({}, (stream) => {
    accepted.push(stream);
    stream.onMessage(() => void delivered++);
  });
  const stream = dialer.open(2, { priority: Priority.bulk });
  const sent = stream.send(Buffer.alloc(9 * MiB, 1));
  await clock.runUntil(
    () => dialer.sendQueueBytes === 0 && acceptor.stats().inboundBytes >= 9 * MiB,
  );
  await sent;
  accepted[0]!.reset('ERR_DWCP_ABORTED');
  await clock.advance(100);
  t.is(delivered, 0);
  t.is(acceptor.stats().inboundBytes, 0);
});
