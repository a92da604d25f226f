/**
 * The table of the wide pairs: what `diff` with an indexed base gives, as a share of zstd's prefix delta and of
 * xdelta3 -9, in size and time. Figures for people; no bar hangs on a single line of it, except that row 12 counts
 * these pairs, too.
 */
import {
  Baseline,
  DigestKind,
  codecName,
  diff,
  patch,
  readFrameInfo,
} from '../../lib/compression/index.ts';
import { native } from '../../lib/native/load.ts';
import { interleaved } from '../measure.ts';
import type { SuiteContext, Table } from '../suite.ts';
import type { MethodRows } from './method-rows.ts';
import { LIMITS } from './pair-bench.ts';
import { widePairs } from './wide-pairs.ts';
import type { WidePair } from './wide-pairs.ts';
import { xdelta } from './xdelta.ts';

type Row = Table['rows'][number];

interface WideOptions {
  readonly withXdelta: boolean;
  readonly methods: MethodRows;
  readonly wants: SuiteContext['wants'];
}

/** Measures every wide pair, for part `wide` the figures, for row 12 the methods. */
export async function wideTable(log: SuiteContext['log'], options: WideOptions): Promise<Table> {
  const rows: Row[] = [];
  for (const pair of widePairs()) {
    log(pair.name);
    rows.push(await rowOf(pair, options));
  }
  const title =
    'wide pairs, cached base; size and time as a share of refPrefix + LDM and xdelta3 -9';
  return { title, rows };
}

async function rowOf(pair: WidePair, { methods, wants, withXdelta }: WideOptions): Promise<Row> {
  const [base, next] = await pair.read();
  const baseline = Baseline.of(base);
  await baseline.deltaIndexAsync(native.codec);
  await baseline.digestAsync(DigestKind.xxh3);
  const frame = await diff(baseline, next);
  const back = await patch(baseline, frame, { limits: LIMITS });
  if (!back.equals(next)) throw new Error(`${pair.name}: the delta is not the value`);
  const row = {
    pair: pair.name,
    bytes: next.length,
    codec: codecName(readFrameInfo(frame).codec),
    delta: frame.length,
    ...(wants('12') && { 'size/best method': share(await methods.add(pair.name, baseline, next)) }),
    ...(wants('wide') && (await prefixFigures(base, next, baseline, frame.length))),
    ...(wants('wide') && withXdelta && (await xdeltaFigures(base, next, baseline, frame.length))),
  };
  baseline.releaseIndex();
  return row;
}

async function prefixFigures(
  base: Buffer,
  next: Buffer,
  baseline: Baseline,
  bytes: number,
): Promise<Row> {
  const { codec } = native;
  const prefixed = codec.zstdCompress(next, { level: 3, prefix: base });
  const timed = await interleaved(
    () => diff(baseline, next),
    () => codec.zstdCompressAsync(next, { level: 3, prefix: base }),
  );
  return {
    'size/prefix': share(bytes / prefixed.length),
    'time/prefix': share(timed.ratio),
    ms: share(timed.aMs),
  };
}

async function xdeltaFigures(
  base: Buffer,
  next: Buffer,
  baseline: Baseline,
  bytes: number,
): Promise<Row> {
  const theirs = xdelta(base, next, 1);
  const timed = async (effort: 'balanced' | 'max'): Promise<readonly [number, number]> => {
    const start = performance.now();
    const { length } = await diff(baseline, next, { effort });
    return [length, performance.now() - start];
  };
  const [, ms] = await timed('balanced');
  const [mostBytes, mostMs] = await timed('max');
  return {
    'size/xdelta': share(bytes / theirs.sizeBytes),
    'time/xdelta': share(ms / theirs.ms),
    'max size/xdelta': share(mostBytes / theirs.sizeBytes),
    'max time/xdelta': share(mostMs / theirs.ms),
  };
}

/** Three digits. */
function share(ratio: number): number {
  return Number(ratio.toPrecision(3));
}
