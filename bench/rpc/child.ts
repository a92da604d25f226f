/**
 * One process of a round: `child.js PARTY serve|drive`, with {@link Task} as its first message. A server
 * answers with its port and runs until it is killed; a driver answers with its {@link Figures} and ends.
 */
import { dwcp } from './dwcp-party.ts';
import { grpcJs } from './grpc-party.ts';
import type { Identity, Party, RunningClient } from './party.ts';

const parties: Readonly<Record<string, Party>> = { dwcp, 'grpc-js': grpcJs };

/** What a child is asked to do. */
export interface Task {
  readonly identity: Identity | undefined;
  /** Of the server; drivers only. */
  readonly port: number;
}

/** What a driver measured. */
export interface Figures {
  readonly callsPerSecond: number;
  readonly p99Ms: number;
  readonly itemsPerSecond: number;
}

const IN_FLIGHT = 64;
const CALL_BYTES = 256;
const ITEM_BYTES = 1_024;
const WARM_MS = 1_000;
const MEASURE_MS = 1_500;

async function calls(client: RunningClient, forMs: number): Promise<number[]> {
  const payload = Buffer.alloc(CALL_BYTES, 'x');
  const tookMs: number[] = [];
  const endMs = performance.now() + forMs;
  const worker = async (): Promise<void> => {
    for (let startMs = performance.now(); startMs < endMs;) {
      await client.call(payload);
      const nowMs = performance.now();
      tookMs.push(nowMs - startMs);
      startMs = nowMs;
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  return tookMs;
}

async function items(client: RunningClient, forMs: number): Promise<number> {
  let [count, bytes] = [0, 0];
  const endMs = performance.now() + forMs;
  await client.stream((item) => {
    count += 1;
    bytes += item.length;
    return performance.now() < endMs;
  });
  if (bytes !== count * ITEM_BYTES) throw new Error('items came changed');
  return count;
}

async function drive(party: Party, { port, identity }: Task): Promise<Figures> {
  const client = await party.connect(port, identity);
  await calls(client, WARM_MS);
  const tookMs = (await calls(client, MEASURE_MS)).toSorted((a, b) => a - b);
  await items(client, WARM_MS);
  const itemCount = await items(client, MEASURE_MS);
  await client.close();
  return {
    callsPerSecond: (tookMs.length * 1_000) / MEASURE_MS,
    p99Ms: tookMs[Math.floor(tookMs.length * 0.99)]!,
    itemsPerSecond: (itemCount * 1_000) / MEASURE_MS,
  };
}

if (process.send) {
  process.once('message', (task: Task) => {
    const [, , name, role] = process.argv;
    const party = parties[name!]!;
    const serving = (): Promise<unknown> =>
      party.serve(task.identity, Buffer.alloc(ITEM_BYTES, 'x'));
    const done = role === 'serve' ? serving() : drive(party, task);
    void done.then((result) => process.send?.(result));
  });
}
