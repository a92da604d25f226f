/** How numbers read in the terminal: three significant digits, units last, decimal prefixes. */

/** 8.41 MB, 73.8 kB, 512 B. */
export function bytesText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

/** 1.2 ms, 84 ms, 3.1 s. */
export function msText(ms: number): string {
  if (ms >= 9950) return `${(ms / 1000).toFixed(0)} s`;
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  return `${ms >= 9.95 ? ms.toFixed(0) : ms.toFixed(1)} ms`;
}

/** 812×, 5.1×. */
export function timesText(times: number): string {
  return `${times >= 100 ? Math.round(times).toLocaleString('en') : times.toPrecision(2)}×`;
}

/** The value below which `share` of the sorted sample lies (nearest rank); NaN for none. */
export function quantile(sorted: readonly number[], share: number): number {
  if (sorted.length === 0) return Number.NaN;
  const rank = Math.ceil(share * sorted.length) - 1;
  return sorted[Math.min(sorted.length - 1, Math.max(0, rank))]!;
}

/** p50 and p99 of an unsorted sample. */
export function quantiles(sample: readonly number[]): {
  readonly p50: number;
  readonly p99: number;
} {
  const sorted = sample.toSorted((a, b) => a - b);
  return { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99) };
}
