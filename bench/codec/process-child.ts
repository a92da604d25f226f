/**
 * What calls cost a process: `allocations` prints the calls of malloc and the bytes of JavaScript heap that one call
 * takes, `resident` how far resident memory rises over a hundred thousand calls. Run with --expose-gc; for
 * `allocations` with a young generation that no window fills and malloc_count.node preloaded.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import {
  compress,
  compressBound,
  compressInto,
  decompress,
  decompressInto,
} from '../../lib/compression/index.ts';
import { median } from '../measure.ts';
import { mallocCount } from '../peers.ts';
import { recordSets, trained } from './records.ts';

type Call = () => unknown;

const WINDOW = 1_000;
const WINDOWS = 21;
const CALLS = 100_000;
const WARM_CALLS = 10_000;
const MiB = 1024 * 1024;

/** The median over windows of what `read` rises by, per call. */
function perCall(call: Call, read: () => number): number {
  const rises = Array.from({ length: WINDOWS }, () => {
    const before = read();
    for (let i = 0; i < WINDOW; i++) call();
    return read() - before;
  });
  return median(rises) / WINDOW;
}

/** Throws when the meters miss a call that allocates. */
function checkMeters(count: () => number, heap: () => number): void {
  const kept: unknown[] = [];
  const mallocs = perCall(() => kept.push(Buffer.alloc(MiB / 64)), count);
  const bytes = perCall(() => kept.push({ mallocs }), heap);
  if (mallocs < 1 || bytes < 8) throw new Error(`the meters show ${mallocs} and ${bytes}`);
}

function allocations(): Record<string, number> {
  const { count } = createRequire(import.meta.url)(mallocCount) as { count: () => number };
  const heap = (): number => process.memoryUsage().heapUsed;
  const { large } = recordSets();
  const dictionary = trained(large);
  const record = large.records[0]!;
  const frame = compress(record, { dictionary });
  const options = { dictionary };
  const room = Buffer.alloc(compressBound(record.length));
  const calls: Record<string, Call> = {
    compressInto: () => compressInto(record, room, options),
    decompressInto: () => decompressInto(frame, room, options),
  };
  const empty: Call = () => room;
  for (let i = 0; i < WARM_CALLS; i++) for (const call of Object.values(calls)) call();
  for (let i = 0; i < WARM_CALLS; i++) empty();
  globalThis.gc!();
  const idle = { mallocs: perCall(empty, count), heap: perCall(empty, heap) };
  checkMeters(count, heap);
  return Object.fromEntries(
    Object.entries(calls).flatMap(([name, call]) => [
      [`${name}: mallocs`, Math.max(0, perCall(call, count) - idle.mallocs)],
      [`${name}: heap bytes`, Math.max(0, perCall(call, heap) - idle.heap)],
    ]),
  );
}

/** Resident memory after collection, bytes. */
function resident(): number {
  globalThis.gc!();
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024;
}

function growth(call: Call): number {
  for (let i = 0; i < WARM_CALLS; i++) call();
  const before = resident();
  for (let i = 0; i < CALLS; i++) call();
  return resident() - before;
}

function residentGrowth(): Record<string, number> {
  const record = recordSets().large.records[0]!;
  const value = Buffer.alloc(MiB, record);
  const room = Buffer.alloc(compressBound(value.length));
  const size = compressInto(value, room);
  const frame = Buffer.from(room.subarray(0, size));
  return {
    'compress and decompress of 1.2 KB': growth(() => decompress(compress(record))),
    'compressInto of 1 MB': growth(() => compressInto(value, room)),
    'decompressInto of 1 MB': growth(() => decompressInto(frame, value)),
  };
}

const figures = process.argv[2] === 'resident' ? residentGrowth() : allocations();
process.stdout.write(`${JSON.stringify(figures)}\n`);
