/**
 * The load of the soak: connections that call, pause, and after some seconds end in one of four ways and are
 * dialled anew. Every choice comes from the seed. A call without an answer in time is a failure.
 * `soak-load-child.js PORT CONNECTIONS SEED`; stops at the message `stop` and tells what it did.
 */
import { type Random, seededRandom } from '../../lib/random.ts';
import { Connection, ioTransport, systemClock } from '../../lib/transport/index.ts';

/** What the parent gets at the end. */
export interface LoadReport {
  readonly calls: number;
  readonly dials: number;
  /** Calls that failed though nobody ended their connection, by error. */
  readonly failures: Readonly<Record<string, number>>;
}

const CALL_MS = 10_000;
const [port, connections, seed] = process.argv.slice(2).map(Number) as [number, number, number];
const transport = ioTransport();
const failures: Record<string, number> = {};
let calls = 0;
let dials = 0;
let stopped = false;

const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => systemClock.setTimer(() => resolve(), ms));

/** One call; rejects when the answer is wrong or late. */
function call(connection: Connection, message: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = connection.open(1);
    const late = systemClock.setTimer(() => reject(new Error('no answer in time')), CALL_MS);
    stream.onMessage((answer) => {
      if (!answer.equals(message)) reject(new Error('a damaged answer'));
    });
    stream.onClose((error) => {
      late.cancel();
      if (error) reject(error);
      else resolve();
    });
    stream.send(message, { end: true }).catch(reject);
  });
}

function sizeOf(random: Random): number {
  const dice = random.next();
  if (dice < 0.9) return 1 + Math.floor(random.next() * 1_000);
  return Math.floor(random.next() * (dice < 0.99 ? 30_000 : 300_000));
}

/** One connection from dial to end. */
async function live(random: Random): Promise<void> {
  const pipe = await transport.connect({ host: '127.0.0.1', port }, {});
  dials++;
  const connection = new Connection({
    pipe,
    role: 'dialer',
    clock: systemClock,
    onStream: () => {},
  });
  const untilMs = systemClock.monotonic() + 1_000 + random.next() * 40_000;
  while (systemClock.monotonic() < untilMs && !stopped) {
    await call(connection, Buffer.alloc(sizeOf(random), 'soak'));
    calls++;
    await pause(20 + random.next() * 150);
  }
  const way = Math.floor(random.next() * 4);
  // Two of them leave an answer on its way.
  const last = way > 1 ? call(connection, Buffer.alloc(50_000)).catch(() => {}) : undefined;
  if (way === 0 || way === 2) await connection.close({ timeoutMs: 2_000 });
  else connection.destroy();
  await last;
}

async function lane(number: number): Promise<void> {
  const random = seededRandom(seed * 10_000 + number);
  await pause(random.next() * 2_000);
  while (!stopped) {
    try {
      await live(random);
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      const name = code ?? message;
      failures[name] = (failures[name] ?? 0) + 1;
      await pause(100);
    }
  }
}

const lanes = Array.from({ length: connections }, (_, number) => lane(number));
process.on('message', () => {
  stopped = true;
  void Promise.all(lanes).then(() => {
    process.send!({ calls, dials, failures } satisfies LoadReport, () => process.exit(0));
  });
});
