/**
 * Background rebase: one chain at a time, a while after it grew, so that it never competes with the
 * update that made it grow. What is lost at close or crash is asked for again by the next write.
 */
import type { Clock, Timer } from '../clock.ts';
import type { NamespaceStore } from './namespace-store.ts';

/** Quiet time before a rebase, ms. */
const DELAY_MS = 500;
/** Keys waiting at most; more are asked for again by their next write. */
const MAX_WAITING = 1024;

/** Rebases chains, one after another. */
export class Rebaser {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, { store: NamespaceStore; key: string }>();
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #closed = false;
  #done = 0;
  #failed = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counters for `stats()`. */
  get stats(): { waiting: number; done: number; failed: number } {
    return { waiting: this.#waiting.size, done: this.#done, failed: this.#failed };
  }

  add(store: NamespaceStore, key: string): void {
    const name = `${store.ns}/${key}`;
    if (this.#closed || this.#waiting.has(name) || this.#waiting.size >= MAX_WAITING) return;
    this.#waiting.set(name, { store, key });
    this.#schedule();
  }

  /** Finishes the rebase under way and starts no other. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#running;
  }

  #schedule(): void {
    if (this.#timer || this.#running || this.#closed || this.#waiting.size === 0) return;
    this.#timer = this.#clock.setTimer(() => {
      this.#timer = undefined;
      this.#running = this.#next().finally(() => {
        this.#running = undefined;
        this.#schedule();
      });
    }, DELAY_MS);
    this.#timer.unref();
  }

  async #next(): Promise<void> {
    for (const [name, { store, key }] of this.#waiting) {
      this.#waiting.delete(name);
      try {
        if (await store.rebase(key)) this.#done++;
      } catch {
        // The chain is as it was; a damaged one is reported to whoever reads it.
        this.#failed++;
      }
      return;
    }
  }
}
