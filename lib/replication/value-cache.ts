/**
 * Recent values in memory, ready to be delta bases, least recently used first out. Bounded by bytes;
 * an entry that is in use stays, so the bound may be passed by what is in use at that moment.
 */

interface Entry<B> {
  readonly value: B;
  readonly sizeBytes: number;
  users: number;
}

/** An LRU by bytes whose entries can be held. */
export class ValueCache<B> {
  readonly #entries = new Map<string, Entry<B>>();
  readonly #maxBytes: number;
  #sizeBytes = 0;
  #evictions = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** What it holds. */
  get stats(): { sizeBytes: number; maxBytes: number; entries: number; evictions: number } {
    return {
      sizeBytes: this.#sizeBytes,
      maxBytes: this.#maxBytes,
      entries: this.#entries.size,
      evictions: this.#evictions,
    };
  }

  /** The value under `name`, now the most recently used. */
  get(name: string): B | undefined {
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    this.#entries.delete(name);
    this.#entries.set(name, entry);
    return entry.value;
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /** Adds or replaces; a value larger than the whole cache is not kept. */
  set(name: string, value: B, sizeBytes: number): void {
    this.delete(name);
    if (sizeBytes > this.#maxBytes) return;
    this.#entries.set(name, { value, sizeBytes, users: 0 });
    this.#sizeBytes += sizeBytes;
    this.#evict();
  }

  delete(name: string): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    this.#entries.delete(name);
    this.#sizeBytes -= entry.sizeBytes;
  }

  /** Runs `task` while the entry cannot be evicted. */
  async hold<T>(name: string, task: () => Promise<T>): Promise<T> {
    const entry = this.#entries.get(name);
    if (entry === undefined) return task();
    entry.users++;
    try {
      return await task();
    } finally {
      entry.users--;
      this.#evict();
    }
  }

  #evict(): void {
    if (this.#sizeBytes <= this.#maxBytes) return;
    for (const [name, entry] of this.#entries) {
      if (entry.users > 0) continue;
      this.delete(name);
      this.#evictions++;
      if (this.#sizeBytes <= this.#maxBytes) return;
    }
  }
}
