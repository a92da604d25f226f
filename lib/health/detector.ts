/**
 * The failure detector of one peer: adaptive silence threshold over learned gaps, verdicts alive,
 * suspect and dead kept apart. *Suspect* is fast, cheap and reversible (stop sending new work); *dead* is
 * slow and confirmed (take the peer out). Empirical gaps as in phi accrual (Hayashibara et al., 2004) but
 * without its normal fit, which is no better than a fixed timeout when peers pause.
 *
 * Pure: time and the observer's own stalls are handed in. Time during which the observer itself did not
 * run never counts as a peer's silence.
 */

/** What a detector says of a peer. */
export type Verdict = 'alive' | 'suspect' | 'dead';

/** Why a peer is not alive. */
export type SuspicionReason =
  /** Nothing was heard for longer than the threshold. */
  | 'silent'
  /** It is heard, but does not answer: one direction is cut, or its loop is stuck. */
  | 'unanswered'
  /** The link to it closed. */
  | 'down';

/** How quick a detector is. */
export interface DetectorOptions {
  /** How often a healthy peer is heard, ms. */
  readonly intervalMs: number;
  /** Suspect after this many silent intervals, whatever was learned. */
  readonly minIntervals: number;
  /** Suspect after the 99th percentile of learned gaps times this. */
  readonly gapFactor: number;
  /** However irregular the peer, suspect after this, ms. */
  readonly maxSuspectMs: number;
  /** Dead after this much silence, ms. */
  readonly deadAfterMs: number;
  /** Gaps remembered. */
  readonly historySize: number;
}

/** Suspect within 3 to 4 intervals of 250 ms, dead after 10 s. */
export const defaultDetectorOptions: DetectorOptions = {
  intervalMs: 250,
  minIntervals: 3,
  gapFactor: 1.5,
  maxSuspectMs: 5_000,
  deadAfterMs: 10_000,
  historySize: 200,
};

/** One look at a peer; all times monotonic ms. */
export interface Sample {
  readonly nowMs: number;
  /** When anything was last heard; undefined while there is no link. */
  readonly lastHeardMs: number | undefined;
  /** Since when the oldest unanswered ping waits. */
  readonly pingPendingSinceMs: number | undefined;
  /** Smoothed round trip, ms. */
  readonly rttMs: number | undefined;
}

/** How long the observer ran between two moments, its stalls taken off, ms. See stall-log.ts. */
export type RunningMs = (fromMs: number, toMs: number) => number;

/**
 * Remembers how one peer behaves and judges it. All times are monotonic ms.
 * @example
 * const detector = new Detector(clock.monotonic(), (fromMs, toMs) => toMs - fromMs);
 * const verdict = detector.judge({ nowMs, lastHeardMs, pingPendingSinceMs: undefined, rttMs: 1 });
 */
export class Detector {
  readonly #options: DetectorOptions;
  readonly #gaps: Float64Array;
  #gapCount = 0;
  #nextGap = 0;
  #learnedP99Ms = 0;
  #learnedAt = 0;

  readonly #runningMs: RunningMs;
  #heardMs: number;
  #verdict: Verdict = 'alive';
  #reason: SuspicionReason | undefined;
  #silenceMs = 0;

  constructor(
    startMs: number,
    runningMs: RunningMs,
    options: DetectorOptions = defaultDetectorOptions,
  ) {
    this.#options = options;
    this.#runningMs = runningMs;
    this.#gaps = new Float64Array(options.historySize);
    this.#heardMs = startMs;
  }

  get verdict(): Verdict {
    return this.#verdict;
  }

  /** Why the verdict is not alive. */
  get reason(): SuspicionReason | undefined {
    return this.#reason;
  }

  /** Silence at the last look, the observer's own stalls taken off, ms. */
  get silenceMs(): number {
    return this.#silenceMs;
  }

  /** Silence above this is suspect, ms. */
  get thresholdMs(): number {
    const { intervalMs, minIntervals, gapFactor, maxSuspectMs } = this.#options;
    const learnedMs = Math.min(this.#learnedP99Ms * gapFactor, maxSuspectMs);
    return Math.max(intervalMs * minIntervals, learnedMs);
  }

  /** Looks at the peer and judges. The only method that changes the verdict. */
  judge(sample: Sample): Verdict {
    this.#hear(sample);
    this.#silenceMs = this.#runningMs(this.#heardMs, sample.nowMs);
    if (this.#silenceMs > this.#options.deadAfterMs) return this.#set('dead', 'silent');
    if (sample.lastHeardMs === undefined) {
      return this.#set(this.#verdict === 'dead' ? 'dead' : 'suspect', 'down');
    }
    if (this.#silenceMs > this.thresholdMs) return this.#set('suspect', 'silent');
    if (this.#unanswered(sample) > this.thresholdMs) return this.#set('suspect', 'unanswered');
    return this.#set('alive', undefined);
  }

  #set(verdict: Verdict, reason: SuspicionReason | undefined): Verdict {
    this.#verdict = verdict;
    this.#reason = reason;
    return verdict;
  }

  #hear(sample: Sample): void {
    const heardMs = sample.lastHeardMs;
    if (heardMs === undefined || heardMs <= this.#heardMs) return;
    // The end of a suspicion is an outage, not a habit; learning it would blunt the detector.
    if (this.#verdict === 'alive') this.#learn(this.#runningMs(this.#heardMs, heardMs));
    this.#heardMs = heardMs;
  }

  #unanswered({ pingPendingSinceMs, rttMs, nowMs }: Sample): number {
    if (pingPendingSinceMs === undefined) return 0;
    return this.#runningMs(pingPendingSinceMs, nowMs) - (rttMs ?? 0);
  }

  #learn(gapMs: number): void {
    this.#gaps[this.#nextGap] = gapMs;
    this.#nextGap = (this.#nextGap + 1) % this.#gaps.length;
    this.#gapCount = Math.min(this.#gapCount + 1, this.#gaps.length);
    // Sorting every 16th gap keeps the percentile fresh enough at a sixteenth of the cost.
    this.#learnedAt = (this.#learnedAt + 1) % 16;
    if (this.#learnedAt !== 0 || this.#gapCount < 16) return;
    const sorted = this.#gaps.subarray(0, this.#gapCount).toSorted();
    this.#learnedP99Ms = sorted[Math.ceil(this.#gapCount * 0.99) - 1] ?? 0;
  }
}
