/**
 * Rows 6 to 9: size and time of `diff` with an indexed base, and time of `patch`, against zstd's prefix deltas in
 * this process and xdelta3 -9 as a process over files.
 */
import { diff, patch } from '../../lib/compression/index.ts';
import { native } from '../../lib/native/load.ts';
import { collect, interleaved } from '../measure.ts';
import type { Measurement } from '../suite.ts';
import { bytesCase, lower, timeCase } from './cases.ts';
import { LIMITS } from './pair-bench.ts';
import type { PairBench } from './pair-bench.ts';
import type { PairKind } from './pairs.ts';

/** Bars of a kind: shares of zstd's prefix delta and of xdelta3 -9. */
interface Bars {
  /** Row of the table; the small pairs have none. */
  readonly row: string;
  readonly prefixSize: number;
  readonly prefixTime?: number;
  readonly xdeltaSize: number;
  readonly xdeltaTime?: number;
  readonly max?: { readonly xdeltaSize: number; readonly xdeltaTime: number };
  /** Time of `patch` as a share of zstd's prefix decode with a digest of the result. */
  readonly patchTime: number;
}

const bars: Readonly<Record<PairKind, Bars>> = {
  archive: { row: '6', prefixSize: 0.6, prefixTime: 0.25, xdeltaSize: 1.3, patchTime: 1 },
  source: { row: '7', prefixSize: 0.75, prefixTime: 0.9, xdeltaSize: 1.3, patchTime: 1.25 },
  json: {
    row: '7',
    prefixSize: 0.75,
    prefixTime: 0.9,
    xdeltaSize: 1.3,
    xdeltaTime: 0.05,
    max: { xdeltaSize: 1, xdeltaTime: 0.3 },
    patchTime: 1.25,
  },
  executable: { row: '8', prefixSize: 0.95, xdeltaSize: 0.9, xdeltaTime: 0.05, patchTime: 1.25 },
  small: { row: 'small', prefixSize: 1.05, xdeltaSize: 1.3, patchTime: 1.5 },
};

/** The row a pair of this kind belongs to. */
export function rowOf(kind: PairKind): string {
  return bars[kind].row;
}

/** Rows 6, 7 and 8: making the delta. */
export async function* diffRows(
  bench: PairBench,
  withXdelta: boolean,
): AsyncGenerator<Measurement> {
  const { frame, prefixed, baseline } = bench;
  const { kind, next } = bench.pair;
  const bar = bars[kind];
  const name = `${bar.row} ${bench.pair.name}`;
  const { length } = frame;
  yield bytesCase(`${name}: bytes / refPrefix + LDM`, bar.prefixSize, length, prefixed.length);
  if (bar.prefixTime !== undefined) {
    yield timeCase(`${name}: time / refPrefix + LDM`, bar.prefixTime, await bench.timed());
  }
  if (!withXdelta) return;
  const theirs = bench.xdelta();
  yield bytesCase(`${name}: bytes / xdelta3 -9`, bar.xdeltaSize, length, theirs.sizeBytes);
  if (bar.xdeltaTime !== undefined) {
    const { aMs } = await bench.timed();
    yield againstProcess(`${name}: time / xdelta3 -9`, bar.xdeltaTime, aMs, theirs.ms);
  }
  if (bar.max !== undefined) {
    const most = (): Promise<Buffer> => diff(baseline, next, { effort: 'max' });
    const bytes = (await most()).length;
    yield bytesCase(
      `${name}: max, bytes / xdelta3 -9`,
      bar.max.xdeltaSize,
      bytes,
      theirs.sizeBytes,
    );
    const { aMs } = await interleaved(most, most);
    yield againstProcess(`${name}: max, time / xdelta3 -9`, bar.max.xdeltaTime, aMs, theirs.ms);
  }
}

function againstProcess(name: string, bar: number, ours: number, theirs: number): Measurement {
  return lower(name, ours / theirs, bar, `${ours.toFixed(1)} / ${theirs.toFixed(0)} ms`);
}

/** Row 9: rebuilding the value, and checking it, against zstd's decode of its own prefix delta. */
export async function* patchRows(bench: PairBench): AsyncGenerator<Measurement> {
  const { baseline, frame, prefixed } = bench;
  const { kind, base, next } = bench.pair;
  const name = `9 ${bench.pair.name}: patch`;
  const { codec } = native;
  const how = { sizeBytes: next.length, maxWindowLog: 27, prefix: base };
  const rebuild = (): Promise<Buffer> => patch(baseline, frame, { limits: LIMITS });
  const decode = (): Promise<Buffer> => codec.zstdDecompressAsync(prefixed, how);
  const checked = await interleaved(rebuild, async () => codec.xxh3Async(await decode()), collect);
  yield timeCase(`${name}, time / refPrefix decode and xxh3`, bars[kind].patchTime, checked);
  if (kind !== 'archive') return;
  const bare = await interleaved(rebuild, decode, collect);
  yield timeCase(`${name}, time / refPrefix decode`, 1, bare);
  const gigabytes = next.length / bare.aMs / 1e6;
  yield {
    name: `${name}, GB/s of output`,
    ratio: gigabytes,
    better: 'higher',
    bar: 1,
    detail: `${bare.aMs.toFixed(2)} ms`,
  };
}
