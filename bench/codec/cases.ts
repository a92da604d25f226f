/** The forms a case of the codec suite takes: a share of bytes, a share of time, calls per second. */
import type { Comparison } from '../measure.ts';
import type { Measurement } from '../suite.ts';

/** A ratio to stay under. */
export function lower(name: string, ratio: number, bar: number, detail: string): Measurement {
  return { name, ratio, better: 'lower', bar, detail };
}

/** Our bytes as a share of theirs. */
export function bytesCase(name: string, bar: number, ours: number, theirs: number): Measurement {
  return lower(name, ours / theirs, bar, `${ours} / ${theirs} bytes`);
}

/** Our time as a share of theirs. */
export function timeCase(name: string, bar: number, { ratio, aMs, bMs }: Comparison): Measurement {
  return lower(name, ratio, bar, `${aMs.toFixed(2)} / ${bMs.toFixed(2)} ms`);
}

/** Our calls per second over theirs: the inverse of time. `calls` is how many a sample makes. */
export function speedCase(
  name: string,
  bar: number,
  { ratio, aMs, bMs }: Comparison,
  calls = 1,
): Measurement {
  const us = (ms: number): string => ((ms * 1000) / calls).toFixed(2);
  const detail = `${us(aMs)} / ${us(bMs)} us`;
  return { name, ratio: 1 / ratio, better: 'higher', bar, detail };
}
