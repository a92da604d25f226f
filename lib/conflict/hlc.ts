/**
 * Hybrid logical clock (Kulkarni et al., "Logical Physical Clocks", 2014): wall time that never
 * steps back and is always later than what it has seen. Reads no clock itself: the caller hands in
 * the wall time. A remote stamp too far ahead is refused, so that one wrong clock cannot drag all
 * others along.
 */
import { DwcpError, invalidArg } from '../errors.ts';
import type { Hlc, Version } from './types.ts';

/** Largest wall time a stamp may carry, ms since the epoch (year 10889). */
export const maxWallMs: number = 2 ** 48 - 1;

/** Largest counter within one millisecond. */
export const maxCounter = 0xffff;

/**
 * Negative, zero or positive as `a` is before, at or after `b`.
 * @example stamps.toSorted(compareHlc)
 */
export function compareHlc(a: Hlc, b: Hlc): number {
  return a.wallMs - b.wallMs || a.counter - b.counter;
}

/**
 * The total order of versions, the same on every replica: stamp, then replica id, then sequence
 * number. Zero only for the same dot and stamp.
 * @example const [oldest] = versions.toSorted(compareVersions);
 */
export function compareVersions(a: Version, b: Version): number {
  const byStamp = compareHlc(a.hlc, b.hlc);
  if (byStamp !== 0) return byStamp;
  if (a.dot.replica !== b.dot.replica) return a.dot.replica < b.dot.replica ? -1 : 1;
  return a.dot.seq - b.dot.seq;
}

/** True for a stamp whose fields are integers in range. */
export function isHlc({ wallMs, counter }: Hlc): boolean {
  return isWhole(wallMs, maxWallMs) && isWhole(counter, maxCounter);
}

function isWhole(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= max;
}

/** Options of {@link HybridClock}. */
export interface HybridClockOptions {
  /** How far ahead of local wall time a remote stamp may be, ms. */
  readonly maxDriftMs: number;
  /** The last stamp of an earlier run, so that stamps keep rising over a restart. */
  readonly last?: Hlc | undefined;
}

/**
 * Issues stamps that only rise.
 * @example
 * const clock = new HybridClock({ maxDriftMs: 60_000 });
 * const mine = clock.tick(wallMs);
 * clock.receive(theirs, wallMs);          // throws ERR_DWCP_CLOCK_DRIFT when too far ahead
 * const later = clock.tick(wallMs);       // later than both
 */
export class HybridClock {
  readonly #maxDriftMs: number;
  #last: Hlc;

  constructor(options: HybridClockOptions) {
    if (!(options.maxDriftMs >= 0)) invalidArg('maxDriftMs', 'a number >= 0', options.maxDriftMs);
    this.#maxDriftMs = options.maxDriftMs;
    this.#last = options.last ?? { wallMs: 0, counter: 0 };
    if (!isHlc(this.#last)) invalidArg('last', 'a stamp in range', this.#last);
  }

  /** The latest stamp issued or received; store it to keep rising over a restart. */
  get last(): Hlc {
    return this.#last;
  }

  /** How far the clock runs ahead of wall time, ms; 0 when it does not. */
  driftMs(wallMs: number): number {
    return Math.max(0, this.#last.wallMs - wallMs);
  }

  /**
   * A new stamp, later than every stamp issued or received before.
   * @throws ERR_DWCP_INVALID_ARG when `wallMs` is no time.
   */
  tick(wallMs: number): Hlc {
    const now = wholeMs(wallMs);
    const { wallMs: lastMs, counter } = this.#last;
    if (now > lastMs) this.#last = { wallMs: now, counter: 0 };
    else if (counter < maxCounter) this.#last = { wallMs: lastMs, counter: counter + 1 };
    else this.#last = { wallMs: lastMs + 1, counter: 0 };
    return this.#last;
  }

  /**
   * Takes note of a remote stamp; the next `tick` is later than it.
   * @throws ERR_DWCP_CLOCK_DRIFT when it is more than `maxDriftMs` ahead; the clock is unchanged.
   * @throws ERR_DWCP_INVALID_ARG when a field is out of range.
   */
  receive(remote: Hlc, wallMs: number): void {
    if (!isHlc(remote)) invalidArg('remote', 'a stamp in range', remote);
    const aheadMs = remote.wallMs - wholeMs(wallMs);
    if (aheadMs > this.#maxDriftMs) {
      throw new DwcpError(
        'ERR_DWCP_CLOCK_DRIFT',
        `remote stamp is ${aheadMs} ms ahead, maxDriftMs is ${this.#maxDriftMs}`,
        { detail: { aheadMs, maxDriftMs: this.#maxDriftMs } },
      );
    }
    if (compareHlc(remote, this.#last) > 0) this.#last = remote;
  }
}

function wholeMs(wallMs: number): number {
  const whole = Math.floor(wallMs);
  if (!(whole >= 0 && whole < maxWallMs)) invalidArg('wallMs', 'ms since the epoch', wallMs);
  return whole;
}
