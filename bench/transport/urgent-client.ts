/**
 * Calls of 256 bytes, one after another, first alone, then while a value is under way on the same connection
 * (`out`: from the caller, `in`: to it). Prints median and p99 of both, and the p99 once more corrected for the calls that would
 * have been made while one was stuck, as HdrHistogram does it.
 */
import { Connection, ioTransport, Priority, systemClock } from '../../lib/transport/index.ts';
import type { Stream } from '../../lib/transport/index.ts';
import { median } from '../measure.ts';

const WARM_CALLS = 1_000;
const CALLS = 3_000;
/** Beside values: at least so many of both, or as many as there were in so many ms. */
const LOADED_CALLS = 300;
const VALUES = 4;
const LOADED_MS = 3_000;

const [port, direction, valueBytes] = process.argv.slice(2);
const pipe = await ioTransport().connect({ host: '127.0.0.1', port: Number(port) }, {});
const connection = new Connection({ pipe, role: 'dialer', clock: systemClock, onStream: () => {} });
const question = Buffer.alloc(256, 'call');
const value = Buffer.alloc(Number(valueBytes), 'value');

/** Sends on a stream of its own and waits for its end. */
function exchange(channel: number, payload: Buffer, priority: Priority): Promise<void> {
  const stream: Stream = connection.open(channel, { priority });
  return new Promise((resolve, reject) => {
    stream.onMessage(() => {});
    stream.onClose((error) => (error ? reject(error) : resolve()));
    stream.send(payload, { end: true }).catch(reject);
  });
}

/** Latencies of calls, us, until `done` says so. */
async function calls(done: (count: number) => boolean): Promise<number[]> {
  const latencies: number[] = [];
  while (!done(latencies.length)) {
    const start = performance.now();
    await exchange(1, question, Priority.rpc);
    latencies.push((performance.now() - start) * 1000);
  }
  return latencies;
}

const p99 = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.99)]!;

/** Adds the calls that a stuck one kept from being made. */
function corrected(latencies: readonly number[], intervalUs: number): number[] {
  const all: number[] = [];
  for (const latency of latencies) {
    for (let left = latency; left > 0; left -= intervalUs) all.push(left);
  }
  return all;
}

await calls((count) => count >= WARM_CALLS);
const idle = await calls((count) => count >= CALLS);

let values = 0;
let stopped = false;
const startMs = performance.now();
const transfers = (async () => {
  while (!stopped) {
    if (direction === 'out') await exchange(2, value, Priority.bulk);
    else await exchange(3, question, Priority.rpc);
    values++;
  }
})();
const loaded = await calls((count) => {
  const enough = count >= LOADED_CALLS && values >= VALUES;
  return enough || performance.now() - startMs >= LOADED_MS;
});
const seconds = (performance.now() - startMs) / 1000;
const moved = values;
stopped = true;
const intervalUs = median(idle);
const report = {
  idleP50Us: intervalUs,
  loadedP50Us: median(loaded),
  idleP99Us: p99(idle),
  loadedP99Us: p99(loaded),
  correctedIdleP99Us: p99(corrected(idle, intervalUs)),
  correctedLoadedP99Us: p99(corrected(loaded, intervalUs)),
  calls: loaded.length,
  values: moved,
  megabytesPerSecond: (moved * value.length) / seconds / 1e6,
};
await transfers;
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));
