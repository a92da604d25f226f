/**
 * When the observer itself did not run. A blocked event loop reads nothing, so to a naive timer every peer
 * looks silent (20 peers, loop blocked 300 ms: 280 of 280 possible false suspicions); time inside a stall is
 * therefore never counted as a peer's silence. Keeps the last few stalls; pure.
 */

interface Stall {
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * Remembers the last stalls, 64 unless told, and subtracts them from spans of time, ms.
 * @example
 * const stalls = new StallLog();
 * stalls.add(1_000, 1_300);
 * stalls.runningMs(900, 1_400); // 200
 */
export class StallLog {
  readonly #stalls: Stall[] = [];
  readonly #maxStalls: number;
  #totalMs = 0;
  #count = 0;

  constructor(maxStalls = 64) {
    this.#maxStalls = maxStalls;
  }

  /** All stalls ever noted, ms. */
  get totalMs(): number {
    return this.#totalMs;
  }

  /** Number of stalls ever noted. */
  get count(): number {
    return this.#count;
  }

  /** Notes that nothing ran between two monotonic moments; stalls come in order. */
  add(fromMs: number, toMs: number): void {
    if (toMs <= fromMs) return;
    this.#stalls.push({ fromMs, toMs });
    if (this.#stalls.length > this.#maxStalls) this.#stalls.shift();
    this.#totalMs += toMs - fromMs;
    this.#count += 1;
  }

  /** How long the observer ran between two monotonic moments, ms. */
  runningMs(fromMs: number, toMs: number): number {
    let runningMs = toMs - fromMs;
    for (let i = this.#stalls.length - 1; i >= 0; i--) {
      const stall = this.#stalls[i]!;
      if (stall.toMs <= fromMs) break;
      runningMs -= Math.max(0, Math.min(stall.toMs, toMs) - Math.max(stall.fromMs, fromMs));
    }
    return Math.max(0, runningMs);
  }
}
