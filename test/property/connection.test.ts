/**
 * Random traffic over connections: every message of every stream arrives whole, in order, exactly once, on
 * any mix of sizes, classes, windows and link shapes; and with faults nothing wrong is ever delivered.
 */
import test from 'ava';
import * as fc from 'fast-check';
import { seededRandom } from '../../lib/random.ts';
import {
  fault,
  type FaultRates,
  shape,
  SimulatedClock,
  simulatedPipePair,
} from '../../lib/testing/index.ts';
import { Connection, type Priority, type Stream } from '../../lib/transport/index.ts';

const operation = fc.record({
  side: fc.boolean(),
  /** Which of that side's streams. */
  stream: fc.nat(5),
  sizeBytes: fc.oneof(fc.nat(200), fc.nat(70_000), fc.nat(600_000)),
  priority: fc.nat(3),
  /** Time that passes before, ms. */
  waitMs: fc.oneof(fc.constant(0), fc.nat(30)),
  /** How long the receiver works on it, ms. */
  workMs: fc.oneof(fc.constant(0), fc.nat(50)),
});

const link = fc.record({
  delayMs: fc.constantFrom(0, 1, 20),
  jitterMs: fc.constantFrom(0, 5),
  rateBytesPerSecond: fc.constantFrom(undefined, 2_000_000, 50_000_000),
  initialCreditBytes: fc.constantFrom(5_000, 65_536, 256 * 1024),
  maxAssemblyBytes: fc.constantFrom(1_000_000, 128 * 1024 * 1024),
});

/** A message that tells where it belongs: stream key, number, and a pattern. */
function compose(key: number, number: number, sizeBytes: number, workMs: number): Buffer {
  const message = Buffer.alloc(16 + sizeBytes, (key * 31 + number) & 0xff);
  message.writeUInt32LE(key, 0);
  message.writeUInt32LE(number, 4);
  message.writeUInt32LE(sizeBytes, 8);
  message.writeUInt32LE(workMs, 12);
  return message;
}

function isWhole(message: Buffer): boolean {
  const [key, number, sizeBytes] = [0, 4, 8].map((at) => message.readUInt32LE(at)) as [
    number,
    number,
    number,
  ];
  if (message.length !== 16 + sizeBytes) return false;
  return message.subarray(16).equals(Buffer.alloc(sizeBytes, (key * 31 + number) & 0xff));
}

test('every message arrives whole, in order, exactly once', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(operation, { minLength: 1, maxLength: 40 }),
      link,
      async (ops, line) => {
        const clock = new SimulatedClock();
        const [a, b] = simulatedPipePair({ clock });
        const next = new Map<number, number>();
        let received = 0;
        const onStream = (stream: Stream): void =>
          stream.onMessage((message) => {
            t.true(isWhole(message));
            const key = message.readUInt32LE(0);
            t.is(message.readUInt32LE(4), next.get(key) ?? 0);
            next.set(key, (next.get(key) ?? 0) + 1);
            received++;
            const workMs = message.readUInt32LE(12);
            if (workMs === 0) return undefined;
            return new Promise((resolve) => clock.setTimer(resolve, workMs));
          });
        const limits = {
          initialCreditBytes: line.initialCreditBytes,
          maxAssemblyBytes: line.maxAssemblyBytes,
        };
        const connections = ([a, b] as const).map(
          (pipe, i) =>
            new Connection({
              pipe: shape(pipe, { outbound: line }, clock, { random: seededRandom(i) }),
              role: i === 0 ? 'dialer' : 'acceptor',
              clock,
              limits,
              onStream,
            }),
        );
        const streams = new Map<number, { stream: Stream; sent: number }>();
        const sends: Promise<void>[] = [];
        for (const op of ops) {
          if (op.waitMs > 0) await clock.advance(op.waitMs);
          const key = op.stream * 2 + (op.side ? 1 : 0);
          const entry = streams.get(key) ?? { stream: connections[key & 1]!.open(1), sent: 0 };
          streams.set(key, entry);
          const message = compose(key, entry.sent++, op.sizeBytes, op.workMs);
          sends.push(entry.stream.send(message, { priority: op.priority as Priority }));
        }
        await clock.runUntil(() => received === ops.length, 600_000);
        await Promise.all(sends);
        await clock.advance(200);
        for (const connection of connections) {
          t.like(connection.stats(), { sendQueueBytes: 0, inboundBytes: 0, violations: {} });
          connection.destroy();
        }
      },
    ),
    { numRuns: 60 },
  );
});

const faults: fc.Arbitrary<FaultRates> = fc.record({
  lose: fc.constantFrom(0, 0.05),
  duplicate: fc.constantFrom(0, 0.05),
  reorder: fc.constantFrom(0, 0.1),
  cut: fc.constantFrom(0, 0.02),
});

test('lost, doubled and moved frames never become a wrong message', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(operation, { maxLength: 30 }),
      faults,
      fc.nat(),
      async (ops, rates, seed) => {
        const clock = new SimulatedClock();
        const [a, b] = simulatedPipePair({ clock });
        const newest = new Map<number, number>();
        const end = { clock, limits: { maxMessageBytes: 2_000_000 } };
        const acceptor = new Connection({
          ...end,
          pipe: b,
          role: 'acceptor',
          onStream: (stream) =>
            stream.onMessage((message) => {
              t.true(isWhole(message));
              const [key, number] = [message.readUInt32LE(0), message.readUInt32LE(4)];
              t.true(number > (newest.get(key) ?? -1), 'in order, never twice');
              newest.set(key, number);
            }),
        });
        const pipe = fault(a, rates, seededRandom(seed));
        const dialer = new Connection({ ...end, pipe, role: 'dialer', onStream: () => {} });
        const streams = new Map<number, Stream>();
        for (const [number, op] of ops.entries()) {
          await clock.advance(1);
          try {
            const stream = streams.get(op.stream) ?? dialer.open(1);
            streams.set(op.stream, stream);
            stream.send(compose(op.stream, number, op.sizeBytes, 0)).catch(() => {});
          } catch (error) {
            t.like(error, { code: 'ERR_DWCP_LINK_DOWN' });
          }
        }
        await clock.advance(1_000);
        dialer.destroy();
        await clock.advance(1_000);
        t.like(acceptor.stats(), { streams: 0, inboundBytes: 0 });
      },
    ),
    { numRuns: 80 },
  );
});
