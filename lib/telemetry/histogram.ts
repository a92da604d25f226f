/**
 * Latency and size histogram: `perf_hooks.createHistogram` (HDR, native, mergeable) behind a snapshot
 * in the caller's own unit. Values are kept in thousandths of that unit with two significant digits.
 */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

/** What a histogram holds at one moment; all but `count` are in the recorded unit. */
export interface HistogramSnapshot {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

const scale = 1_000;
/** A day in thousandths of a millisecond; larger values are counted as this. */
const highest = 86_400_000 * scale;

/**
 * A histogram of non-negative numbers.
 * @example
 * const latencyMs = new Histogram();
 * latencyMs.record(12.5);
 * latencyMs.snapshot().p99;
 */
export class Histogram {
  readonly #inner: RecordableHistogram = createHistogram({ lowest: 1, highest, figures: 2 });

  /** Adds one value; negative and non-finite values count as 0. */
  record(value: number): void {
    const scaled = value > 0 ? Math.round(value * scale) : 0;
    this.#inner.record(Math.min(Math.max(scaled, 1), highest));
  }

  /** Count, mean, median, 99th percentile and maximum so far; zeros when nothing was recorded. */
  snapshot(): HistogramSnapshot {
    const inner = this.#inner;
    if (inner.count === 0) return { count: 0, mean: 0, p50: 0, p99: 0, max: 0 };
    return {
      count: inner.count,
      mean: inner.mean / scale,
      p50: inner.percentile(50) / scale,
      p99: inner.percentile(99) / scale,
      max: inner.max / scale,
    };
  }

  /** Forgets everything. */
  reset(): void {
    this.#inner.reset();
  }
}
