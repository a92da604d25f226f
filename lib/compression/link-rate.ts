/** The goodput of a link as its user measures it: an average that forgets, so that it follows the link. */

/** One measurement. */
export interface Goodput {
  /** Bytes that arrived. */
  readonly bytes: number;
  /** Time they took, ms. */
  readonly ms: number;
}

/** Measurements of less say more about latency than about the link, bytes. */
const LEAST_BYTES = 4 * 1024;
/** A measurement of this size counts half; larger ones count more, bytes. */
const HALF_WEIGHT_BYTES = 256 * 1024;

/** Average goodput. */
export class LinkRate {
  #bytesPerMs: number | undefined;

  /** Bytes per ms, or undefined before the first measurement. */
  get bytesPerMs(): number | undefined {
    return this.#bytesPerMs;
  }

  /** Takes a measurement. */
  observe({ bytes, ms }: Goodput): void {
    if (bytes < LEAST_BYTES) return;
    const rate = bytes / Math.max(ms, 0.001);
    const weight = Math.max(0.1, bytes / (bytes + HALF_WEIGHT_BYTES));
    this.#bytesPerMs =
      this.#bytesPerMs === undefined ? rate : this.#bytesPerMs + weight * (rate - this.#bytesPerMs);
  }
}
