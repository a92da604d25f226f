/**
 * Token budget for retries and hedges (Finagle's retry budget): each call deposits a share of a token,
 * time deposits a floor, and an extra attempt withdraws one. A fault then costs at most that share of
 * extra load. Balance never passes `burst`.
 */

/** Shares such as 0.2 do not add up exactly. */
const roundingError = 1e-6;

/** Options of {@link Budget}. */
export interface BudgetOptions {
  /** Tokens deposited per call, e.g. 0.2 for "20 % of calls". */
  readonly share: number;
  /** Tokens deposited per second whatever the load. */
  readonly perSecond: number;
  /** Largest balance, and the balance at the start. */
  readonly burst: number;
}

/**
 * A token bucket for extra attempts; times are monotonic ms.
 * @example
 * const retries = new Budget({ share: 0.2, perSecond: 10, burst: 100 });
 * retries.deposit(nowMs);
 * if (retries.withdraw(nowMs)) tryElsewhere();
 */
export class Budget {
  readonly #options: BudgetOptions;
  #tokens: number;
  #refilledMs: number | undefined;

  constructor(options: BudgetOptions) {
    this.#options = options;
    this.#tokens = options.burst;
  }

  /** Counts one call. */
  deposit(nowMs: number): void {
    this.#refill(nowMs, this.#options.share);
  }

  /** Takes a token for one extra attempt; false when there is none. */
  withdraw(nowMs: number): boolean {
    this.#refill(nowMs, 0);
    if (this.#tokens < 1 - roundingError) return false;
    this.#tokens = Math.max(0, this.#tokens - 1);
    return true;
  }

  /** Tokens left now. */
  get balance(): number {
    return this.#tokens;
  }

  #refill(nowMs: number, extra: number): void {
    const elapsedMs = Math.max(0, nowMs - (this.#refilledMs ?? nowMs));
    this.#refilledMs = nowMs;
    const earned = (elapsedMs / 1_000) * this.#options.perSecond + extra;
    this.#tokens = Math.min(this.#options.burst, this.#tokens + earned);
  }
}
