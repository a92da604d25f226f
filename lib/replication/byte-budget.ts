/** A bound on bytes in use at once: takers wait their turn, in order, until enough was given back. */

interface Waiter {
  readonly sizeBytes: number;
  readonly start: () => void;
}

/** Counts bytes in use. A request above the whole budget runs alone. */
export class ByteBudget {
  readonly #maxBytes: number;
  readonly #waiters: Waiter[] = [];
  #usedBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Runs `task` once `sizeBytes` fit. */
  async run<T>(sizeBytes: number, task: () => Promise<T>): Promise<T> {
    const cost = Math.min(sizeBytes, this.#maxBytes);
    if (this.#waiters.length > 0 || this.#usedBytes + cost > this.#maxBytes) {
      await new Promise<void>((start) => this.#waiters.push({ sizeBytes: cost, start }));
    } else {
      this.#usedBytes += cost;
    }
    try {
      return await task();
    } finally {
      this.#usedBytes -= cost;
      this.#wake();
    }
  }

  #wake(): void {
    for (let next = this.#waiters[0]; next; next = this.#waiters[0]) {
      if (this.#usedBytes + next.sizeBytes > this.#maxBytes) return;
      this.#usedBytes += next.sizeBytes;
      this.#waiters.shift();
      next.start();
    }
  }
}
