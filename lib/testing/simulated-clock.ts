/**
 * Virtual time. Timers fire in order of due time, ties in the order they were set; nothing passes
 * unless `advance` or `runUntil` is called. Between timers, pending promises and ticks are let run.
 */
import type { Clock, Timer } from '../clock.ts';
import { DwcpError } from '../errors.ts';

interface Entry extends Timer {
  readonly dueMs: number;
  readonly order: number;
  readonly fn: () => void;
  cancelled: boolean;
}

/** Binary min-heap by due time, then by order. */
class TimerHeap {
  readonly #entries: Entry[] = [];

  peek(): Entry | undefined {
    while (this.#entries[0]?.cancelled) this.pop();
    return this.#entries[0];
  }

  push(entry: Entry): void {
    const heap = this.#entries;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(entry, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }

  pop(): Entry | undefined {
    const heap = this.#entries;
    const first = heap[0];
    const last = heap.pop();
    if (!last || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}

/** Lets everything that needs no time happen: ticks, promises, immediates. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * A clock that stands still until told.
 * @example
 * const clock = new SimulatedClock();
 * clock.setTimer(() => console.log('a virtual second later'), 1000);
 * await clock.advance(1000);
 */
export class SimulatedClock implements Clock {
  readonly #epochMs: number;
  readonly #timers = new TimerHeap();
  #elapsedMs = 0;
  #order = 0;

  /** `epochMs` is what `now()` says at the start. */
  constructor(epochMs = 1_700_000_000_000) {
    this.#epochMs = epochMs;
  }

  now(): number {
    return this.#epochMs + Math.floor(this.#elapsedMs);
  }

  monotonic(): number {
    return this.#elapsedMs;
  }

  setTimer(fn: () => void, delayMs: number): Timer {
    const entry: Entry = {
      dueMs: this.#elapsedMs + Math.max(0, delayMs),
      order: this.#order++,
      fn,
      cancelled: false,
      cancel: () => {
        entry.cancelled = true;
      },
      unref: () => {},
    };
    this.#timers.push(entry);
    return entry;
  }

  /** Lets `ms` of virtual time pass, firing every timer that comes due. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#elapsedMs + ms;
    await settle();
    while (this.#step(untilMs)) await settle();
    this.#elapsedMs = untilMs;
  }

  /**
   * Lets time pass until `condition` holds, from one timer to the next.
   * @throws ERR_DWCP_DEADLINE when it does not within `limitMs` of virtual time
   */
  async runUntil(condition: () => boolean, limitMs = 60_000): Promise<void> {
    const untilMs = this.#elapsedMs + limitMs;
    await settle();
    while (!condition()) {
      if (!this.#step(untilMs)) {
        throw new DwcpError('ERR_DWCP_DEADLINE', `Not so within ${limitMs} virtual ms`);
      }
      await settle();
    }
  }

  /** Fires the timers of the next due instant, if it is not after `untilMs`. */
  #step(untilMs: number): boolean {
    const next = this.#timers.peek();
    if (!next || next.dueMs > untilMs) return false;
    this.#elapsedMs = next.dueMs;
    // A timer set meanwhile for this same instant fires in the next step, after promises ran.
    const setBefore = this.#order;
    for (
      let timer = this.#timers.peek();
      timer?.dueMs === next.dueMs;
      timer = this.#timers.peek()
    ) {
      if (timer.order >= setBefore) break;
      this.#timers.pop();
      timer.fn();
    }
    return true;
  }
}
