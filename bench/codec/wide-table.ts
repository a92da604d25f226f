/**
 * The table of the wide pairs: what `diff` with an indexed base gives, as a share of zstd's prefix delta and of
 * xdelta3 -9, in size and time. Figures for people; no bar hangs on a single line of it.
 */
import { performance } from 'node:perf_hooks';
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
import type { Table } from '../suite.ts';
import { widePairs } from './wide-pairs.ts';
import type { WidePair } from './wide-pairs.ts';
import { xdelta } from './xdelta.ts';

type Row = Table['rows'][number];

/** Measures every wide pair; `withXdelta` when the command is there. */
export async function wideTable(log: (line: string) => void, withXdelta: boolean): Promise<Table> {
  const rows: Row[] = [];
  for (const pair of widePairs()) {
    log(pair.name);
    rows.push(await rowOf(pair, withXdelta));
  }
  const title =
    'wide pairs, cached base; size and time as a share of refPrefix + LDM and xdelta3 -9';
  return { title, rows };
}

async function rowOf(pair: WidePair, withXdelta: boolean): Promise<Row> {
  const [base, next] = await pair.read();
  const { codec } = native;
  const baseline = Baseline.of(base);
  await baseline.deltaIndexAsync(codec);
  await baseline.digestAsync(DigestKind.xxh3);
  const frame = await diff(baseline, next);
  if (!(await patch(baseline, frame)).equals(next)) throw new Error(`${pair.name}: not rebuilt`);
  const prefixed = codec.zstdCompress(next, { level: 3, prefix: base });
  const timed = await interleaved(
    () => diff(baseline, next),
    () => codec.zstdCompressAsync(next, { level: 3, prefix: base }),
  );
  const start = performance.now();
  const most = await diff(baseline, next, { effort: 'max' });
  const maxMs = performance.now() - start;
  baseline.releaseIndex();
  const theirs = withXdelta ? xdelta(base, next, 1) : undefined;
  return {
    pair: pair.name,
    bytes: next.length,
    codec: codecName(readFrameInfo(frame).codec),
    delta: frame.length,
    'size/prefix': share(frame.length, prefixed.length),
    'time/prefix': share(timed.aMs, timed.bMs),
    ms: Number(timed.aMs.toPrecision(3)),
    ...(theirs && {
      'size/xdelta': share(frame.length, theirs.sizeBytes),
      'time/xdelta': share(timed.aMs, theirs.ms),
      'max size/xdelta': share(most.length, theirs.sizeBytes),
      'max time/xdelta': share(maxMs, theirs.ms),
    }),
  };
}

function share(ours: number, theirs: number): number {
  return Number((ours / theirs).toPrecision(3));
}
