/**
 * The delta rows of the codec suite: size and time of `diff` with an indexed base, time of `patch` and the
 * memory of encoding, against zstd's prefix deltas in this process and xdelta3 -9.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { Baseline, Codec, DigestKind, diff, patch } from '../../lib/compression/index.ts';
import { native } from '../../lib/native/load.ts';
import type { Pair, PairKind } from './pairs.ts';
import { interleaved } from '../measure.ts';
import type { Measurement } from '../suite.ts';
import { xdelta } from './xdelta.ts';

/** Bars of a kind: against zstd's prefix delta (size, time) and against xdelta3 -9 (size, time). */
interface Bars {
  readonly prefixSize: number;
  readonly prefixTime?: number;
  readonly xdeltaSize: number;
  readonly xdeltaTime?: number;
  readonly maxSize?: number;
  /** Time of `patch` against zstd's prefix decode and a digest. */
  readonly patchTime: number;
}

const bars: Readonly<Record<PairKind, Bars>> = {
  archive: { prefixSize: 0.6, prefixTime: 0.25, xdeltaSize: 1.3, patchTime: 1 },
  source: { prefixSize: 0.75, prefixTime: 0.9, xdeltaSize: 1.3, patchTime: 1.25 },
  json: {
    prefixSize: 0.75,
    prefixTime: 0.9,
    xdeltaSize: 1.3,
    xdeltaTime: 0.05,
    maxSize: 1,
    patchTime: 1.25,
  },
  executable: { prefixSize: 0.95, xdeltaSize: 0.9, xdeltaTime: 0.05, patchTime: 1.25 },
  small: { prefixSize: 1.05, xdeltaSize: 1.3, patchTime: 1.5 },
};

const LIMITS = { maxOutputBytes: 256 * 1024 * 1024 };

function lower(name: string, ratio: number, bar: number, detail: string): Measurement {
  return { name, ratio, better: 'lower', bar, detail };
}

function bytes(name: string, ours: number, theirs: number, bar: number): Measurement {
  return lower(name, ours / theirs, bar, `${ours} / ${theirs} bytes`);
}

/** All rows of one pair; `withXdelta` when the command is there. */
export async function* deltaRows(pair: Pair, withXdelta: boolean): AsyncGenerator<Measurement> {
  const { name, kind, base, next } = pair;
  const bar = bars[kind];
  const { codec } = native;
  const baseline = Baseline.of(base);
  await baseline.deltaIndexAsync(codec);
  await baseline.digestAsync(DigestKind.xxh3);
  const frame = await diff(baseline, next);
  const back = await patch(baseline, frame, { limits: LIMITS });
  if (!back.equals(next)) throw new Error(`${name}: the delta does not rebuild the value`);

  const prefixed = codec.zstdCompress(next, { level: 3, prefix: base });
  yield bytes(
    `${name}: delta bytes / refPrefix + LDM`,
    frame.length,
    prefixed.length,
    bar.prefixSize,
  );
  const timed = await interleaved(
    () => diff(baseline, next),
    () => codec.zstdCompressAsync(next, { level: 3, prefix: base }),
  );
  const prefixTime = `${timed.aMs.toFixed(1)} / ${timed.bMs.toFixed(1)} ms`;
  if (bar.prefixTime !== undefined) {
    yield lower(`${name}: diff time / refPrefix + LDM`, timed.ratio, bar.prefixTime, prefixTime);
  }
  yield* methodRows(pair, baseline, frame.length);
  yield* patchRows(pair, baseline, frame, prefixed);
  if (!withXdelta) return;
  const theirs = xdelta(base, next);
  yield bytes(`${name}: delta bytes / xdelta3 -9`, frame.length, theirs.sizeBytes, bar.xdeltaSize);
  if (bar.xdeltaTime !== undefined) {
    const detail = `${timed.aMs.toFixed(1)} / ${theirs.ms.toFixed(0)} ms`;
    yield lower(`${name}: diff time / xdelta3 -9`, timed.aMs / theirs.ms, bar.xdeltaTime, detail);
  }
  if (bar.maxSize !== undefined) {
    const most = await diff(baseline, next, { effort: 'max' });
    yield bytes(`${name}: max, bytes / xdelta3 -9`, most.length, theirs.sizeBytes, bar.maxSize);
  }
}

/** The rule's choice against each method alone, in the fast class; chunk is slower and does not count. */
async function* methodRows(
  { name, next }: Pair,
  baseline: Baseline,
  chosen: number,
): AsyncGenerator<Measurement> {
  const sizes: number[] = [];
  for (const codec of [Codec.delta, Codec.prefix]) {
    sizes.push((await diff(baseline, next, { codec })).length);
  }
  yield bytes(`${name}: the rule's choice / best method`, chosen, Math.min(...sizes), 1.05);
}

async function* patchRows(
  { name, kind, base, next }: Pair,
  baseline: Baseline,
  frame: Buffer,
  prefixed: Buffer,
): AsyncGenerator<Measurement> {
  const { codec } = native;
  const how = { sizeBytes: next.length, maxWindowLog: 27, prefix: base };
  const { ratio, aMs, bMs } = await interleaved(
    () => patch(baseline, frame, { limits: LIMITS }),
    async () => codec.xxh3Async(await codec.zstdDecompressAsync(prefixed, how)),
  );
  const gigabytes = next.length / aMs / 1e6;
  const detail = `${aMs.toFixed(2)} / ${bMs.toFixed(2)} ms, ${gigabytes.toFixed(1)} GB/s`;
  yield lower(
    `${name}: patch time / refPrefix decode and xxh3`,
    ratio,
    bars[kind].patchTime,
    detail,
  );
}

const peakBytes = (): number => {
  const status = readFileSync('/proc/self/status', 'utf8');
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) * 1024;
};

/** Peak memory of one delta beside base, new value, index and result; Linux counts it. */
export async function* memoryRows({ name, base, next }: Pair): AsyncGenerator<Measurement> {
  const { codec } = native;
  for (const cached of [true, false]) {
    const ready = cached ? await codec.deltaIndexAsync(base) : undefined;
    writeFileSync('/proc/self/clear_refs', '5');
    const before = peakBytes();
    const index = ready ?? (await codec.deltaIndexAsync(base));
    const how = { effort: 1, maxLiteralBytes: next.length } as const;
    const delta = await codec.deltaEncodeAsync(index, base, next, how);
    const used = Math.max(0, peakBytes() - before - delta!.length);
    index.release();
    const against = cached ? next.length : base.length + next.length;
    const what = cached ? 'cached index / new' : 'cold / base + new';
    const detail = `${(used / 1e6).toFixed(1)} / ${(against / 1e6).toFixed(1)} MB`;
    yield lower(`${name}: peak memory, ${what}`, used / against, cached ? 0.5 : 1, detail);
  }
}
