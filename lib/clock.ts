/** The only door to time. Everything above floor 1 takes a `Clock`, so a simulation can own it. */

/** A timer that can be cancelled; cancelling twice is harmless. */
export interface Timer {
  cancel(): void;
  /** Lets the process exit while the timer is pending. */
  unref(): void;
}

/** Wall time, monotonic time and timers. */
export interface Clock {
  /** Wall time, ms since the Unix epoch. */
  now(): number;
  /** Monotonic time, ms with fraction, from an arbitrary start. */
  monotonic(): number;
  /** Calls `fn` once after `delayMs`. */
  setTimer(fn: () => void, delayMs: number): Timer;
  /** Calls `fn` in the next turn of the event loop, after what came in meanwhile; without it a timer of 0 ms does. */
  nextTurn?(fn: () => void): void;
}

/** Calls `fn` in the clock's next turn. */
export function nextTurn(clock: Clock, fn: () => void): void {
  if (clock.nextTurn) clock.nextTurn(fn);
  else clock.setTimer(fn, 0);
}

class RealTimer implements Timer {
  readonly #handle: NodeJS.Timeout;
  constructor(fn: () => void, delayMs: number) {
    this.#handle = setTimeout(fn, delayMs);
  }
  cancel(): void {
    clearTimeout(this.#handle);
  }
  unref(): void {
    this.#handle.unref();
  }
}

/** The process's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer: (fn, delayMs) => new RealTimer(fn, delayMs),
  nextTurn: (fn) => void setImmediate(fn),
};

/** Resolves after `ms`, or rejects with the signal's reason. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.setTimer(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
