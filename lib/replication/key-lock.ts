/**
 * Serialises work per key: writers of one key run one after another, writers of different keys at the
 * same time. Waiters are bounded; an idle key costs nothing.
 */
import { DwcpError } from '../errors.ts';

/** Runs tasks one at a time per key. */
export class KeyLock {
  readonly #tails = new Map<string, Promise<unknown>>();
  readonly #maxWaiting: number;
  #waiting = 0;

  /** @param maxWaiting tasks running or waiting over all keys. */
  constructor(maxWaiting: number) {
    this.#maxWaiting = maxWaiting;
  }

  /** Tasks running or waiting. */
  get size(): number {
    return this.#waiting;
  }

  /** Resolves when nothing runs or waits. */
  async idle(): Promise<void> {
    while (this.#tails.size > 0) await Promise.allSettled(this.#tails.values());
  }

  /**
   * Runs `task` after every earlier task of `key` has settled.
   * @throws ERR_DWCP_LIMIT when too many tasks wait.
   */
  async run<T>(key: string, task: () => Promise<T>): Promise<T> {
    if (this.#waiting >= this.#maxWaiting) {
      throw new DwcpError('ERR_DWCP_LIMIT', `${this.#maxWaiting} writes wait already`, {
        detail: { limit: 'maxWaitingWrites' },
      });
    }
    this.#waiting++;
    const before = this.#tails.get(key);
    const run = before === undefined ? task() : before.then(task, task);
    this.#tails.set(key, run);
    try {
      return await run;
    } finally {
      this.#waiting--;
      if (this.#tails.get(key) === run) this.#tails.delete(key);
    }
  }
}
