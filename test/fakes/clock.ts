/** A clock that moves only when told, with every timer run in order of its time. */
import type { Clock, Timer } from '../../lib/clock.ts';

interface Entry {
  readonly atMs: number;
  readonly order: number;
  readonly fn: () => void;
}

/** Manual time for unit tests of rooms that take a `Clock`. */
export class ManualClock implements Clock {
  #nowMs = 1_000;
  #order = 0;
  readonly #timers = new Set<Entry>();

  now(): number {
    return this.#nowMs;
  }

  monotonic(): number {
    return this.#nowMs;
  }

  get pending(): number {
    return this.#timers.size;
  }

  setTimer(fn: () => void, delayMs: number): Timer {
    const entry = { atMs: this.#nowMs + Math.max(0, delayMs), order: (this.#order += 1), fn };
    this.#timers.add(entry);
    return { cancel: () => this.#timers.delete(entry), unref: () => {} };
  }

  /** Moves time without running anything, as a stalled event loop does. */
  stall(ms: number): void {
    this.#nowMs += ms;
  }

  /** Runs everything due in the next `ms`, letting promises settle between timers. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settle();
    for (;;) {
      const next = this.#next();
      if (!next || next.atMs > endMs) break;
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.fn();
      await settle();
    }
    this.#nowMs = Math.max(this.#nowMs, endMs);
  }

  #next(): Entry | undefined {
    let next: Entry | undefined;
    for (const entry of this.#timers) {
      const earlier = !next || entry.atMs < next.atMs;
      if (earlier || (entry.atMs === next!.atMs && entry.order < next!.order)) next = entry;
    }
    return next;
  }
}

/** Lets pending promise reactions run. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i += 1) await Promise.resolve();
}
