/** The Theil–Sen estimator: the median of the slopes of all pairs. Spikes do not bend it, a leak does. */

/** One reading. */
export interface Reading {
  readonly atMs: number;
  readonly value: number;
}

/** Median slope per minute; 0 with fewer than two readings. */
export function slopePerMinute(readings: readonly Reading[]): number {
  const slopes: number[] = [];
  for (const [i, a] of readings.entries()) {
    for (const b of readings.slice(i + 1)) {
      if (b.atMs > a.atMs) slopes.push((b.value - a.value) / (b.atMs - a.atMs));
    }
  }
  if (slopes.length === 0) return 0;
  return slopes.toSorted((a, b) => a - b)[Math.floor(slopes.length / 2)]! * 60_000;
}
