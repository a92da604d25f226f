/**
 * When is an answer late? A decayed log-bucket histogram of service time (latency beyond the round
 * trip) per endpoint class, and the hedge delay drawn from its live p95. The delay is held to
 * [10 ms, 30 ms] beyond the round trip, so a black hole is noticed fast even when p95 is polluted; only
 * a service that is slow by nature (median above 10 ms) may raise the upper bound, to 3 x its median.
 */

const firstMs = 0.1;
const ratio = 1.2;
const bucketCount = 80;
const logRatio = Math.log(ratio);
const halveAt = 1_024;
const refreshEvery = 16;
const enoughSamples = 5;

/** Lower and upper bound of the hedge delay beyond the round trip, ms. */
export const hedgeBoundsMs = { min: 10, max: 30 } as const;

/**
 * Live quantiles of service time, ms; old samples fade by halving.
 * @example
 * const times = new ServiceTimes();
 * for (const ms of [3, 4, 3, 5, 40]) times.record(ms);
 * times.hedgeDelayMs; // how long to wait before a second attempt
 */
export class ServiceTimes {
  readonly #buckets = new Float64Array(bucketCount);
  #total = 0;
  #sinceRefresh = 0;
  #delayMs: number = hedgeBoundsMs.max;

  /** Adds the service time of one answered call, ms. */
  record(ms: number): void {
    const index = ms <= firstMs ? 0 : Math.ceil(Math.log(ms / firstMs) / logRatio);
    const bucket = Math.min(index, bucketCount - 1);
    this.#buckets[bucket] = this.#buckets[bucket]! + 1;
    this.#total += 1;
    this.#sinceRefresh += 1;
    if (this.#total >= halveAt) this.#halve();
    const early = this.#total <= refreshEvery && this.#total >= enoughSamples;
    if (early || this.#sinceRefresh >= refreshEvery) this.#refresh();
  }

  /** The service time below which a share `q` of the samples lies, ms; undefined without samples. */
  quantile(q: number): number | undefined {
    if (this.#total === 0) return undefined;
    const rank = q * this.#total;
    let seen = 0;
    for (let i = 0; i < bucketCount; i += 1) {
      seen += this.#buckets[i]!;
      if (seen >= rank) return firstMs * ratio ** i;
    }
    return firstMs * ratio ** (bucketCount - 1);
  }

  /** How long beyond the round trip to wait before hedging, ms. */
  get hedgeDelayMs(): number {
    return this.#delayMs;
  }

  #refresh(): void {
    this.#sinceRefresh = 0;
    const p50 = this.quantile(0.5) ?? 0;
    const p95 = this.quantile(0.95) ?? hedgeBoundsMs.max;
    const upper = Math.max(hedgeBoundsMs.max, 3 * p50);
    this.#delayMs = Math.min(Math.max(p95, hedgeBoundsMs.min), upper);
  }

  #halve(): void {
    this.#total = 0;
    for (let i = 0; i < bucketCount; i += 1) {
      this.#buckets[i] = this.#buckets[i]! / 2;
      this.#total += this.#buckets[i]!;
    }
  }
}
