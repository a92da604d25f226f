/**
 * Capped exponential backoff with full jitter (AWS Architecture Blog, "Exponential Backoff and Jitter"):
 * each wait is uniform in [0, min(maxMs, baseMs * 2^attempt)), with a small floor so that a refusing peer
 * is never hammered. Pure; the owner waits.
 */
import type { Random } from '../random.ts';

/** How a dialled address is tried again. */
export interface BackoffOptions {
  /** Ceiling of the first wait, ms. */
  readonly baseMs: number;
  /** Ceiling of every wait, ms. */
  readonly maxMs: number;
  /** Least wait, ms. */
  readonly floorMs: number;
  /** A link that lived this long was good: the next wait starts from `baseMs` again, ms. */
  readonly stableMs: number;
}

/** The default backoff: 100 ms growing to 5 s. */
export const defaultBackoff: BackoffOptions = {
  baseMs: 100,
  maxMs: 5_000,
  floorMs: 20,
  stableMs: 10_000,
};

/** Counts failures and draws waits. */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: Random;
  #attempt = 0;

  constructor(random: Random, options: BackoffOptions = defaultBackoff) {
    this.#random = random;
    this.#options = options;
  }

  /** Failures since the last success. */
  get attempt(): number {
    return this.#attempt;
  }

  /** The wait before the next try, ms. */
  nextMs(): number {
    const { baseMs, maxMs, floorMs } = this.#options;
    // 2 ** 30 is past every sensible ceiling and keeps the product finite.
    const ceilingMs = Math.min(maxMs, baseMs * 2 ** Math.min(this.#attempt, 30));
    this.#attempt += 1;
    return Math.max(floorMs, this.#random.next() * ceilingMs);
  }

  /** Tells how long the last link lived; a stable one forgives the failures before it. */
  lived(durationMs: number): void {
    if (durationMs >= this.#options.stableMs) this.reset();
  }

  reset(): void {
    this.#attempt = 0;
  }
}
