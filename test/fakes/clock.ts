/** The simulated clock with two additions for tests of calls: a stalled event loop, and a timer count. */
import type { Timer } from '../../lib/clock.ts';
import { SimulatedClock } from '../../lib/testing/index.ts';

/** Virtual time that can also jump without running anything. */
export class StallingClock extends SimulatedClock {
  #stalledMs = 0;
  #pending = new Set<object>();

  override monotonic(): number {
    return super.monotonic() + this.#stalledMs;
  }

  /** Timers set, not fired and not cancelled. */
  get pending(): number {
    return this.#pending.size;
  }

  override setTimer(fn: () => void, delayMs: number): Timer {
    const mark = {};
    this.#pending.add(mark);
    const timer = super.setTimer(() => {
      this.#pending.delete(mark);
      fn();
    }, delayMs);
    return {
      cancel: () => {
        this.#pending.delete(mark);
        timer.cancel();
      },
      unref: () => timer.unref(),
    };
  }

  /** Time passes and nothing runs, as when the event loop is blocked: timers fire late. */
  stall(ms: number): void {
    this.#stalledMs += ms;
  }
}
