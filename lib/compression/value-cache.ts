/**
 * Recent values in memory, ready to be delta bases, least recently used first out. Bounded by bytes;
 * an entry that is in use stays, so the bound may be passed by what is in use at that moment. The order
 * is a ring of links, so that no operation looks at more entries than it changes.
 */

interface Link {
  before: Link;
  after: Link;
}

interface Entry<B> extends Link {
  readonly name: string;
  readonly value: B;
  sizeBytes: number;
  users: number;
}

/** An LRU by bytes whose entries can be held. */
export class ValueCache<B> {
  readonly #entries = new Map<string, Entry<B>>();
  readonly #maxBytes: number;
  readonly #evicted: (value: B) => void;
  /** Before it the newest entry, after it the oldest. */
  readonly #ring: Link = newRing();
  #sizeBytes = 0;
  #evictions = 0;

  /** @param evicted told of each value that had to go to stay within `maxBytes`. */
  constructor(maxBytes: number, evicted: (value: B) => void = () => {}) {
    this.#maxBytes = maxBytes;
    this.#evicted = evicted;
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
    unlink(entry);
    this.#append(entry);
    return entry.value;
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /** Adds or replaces; a value larger than the whole cache is not kept. */
  set(name: string, value: B, sizeBytes: number): void {
    this.delete(name);
    if (sizeBytes > this.#maxBytes) return;
    const entry = { name, value, sizeBytes, users: 0, ...newRing() };
    this.#entries.set(name, entry);
    this.#append(entry);
    this.#sizeBytes += sizeBytes;
    this.#evict();
  }

  /** The entry takes more or less memory than when it was added. */
  resize(name: string, sizeBytes: number): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    this.#sizeBytes += sizeBytes - entry.sizeBytes;
    entry.sizeBytes = sizeBytes;
    this.#evict();
  }

  delete(name: string): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    this.#entries.delete(name);
    unlink(entry);
    this.#sizeBytes -= entry.sizeBytes;
  }

  /** Names of all entries. */
  names(): IterableIterator<string> {
    return this.#entries.keys();
  }

  clear(): void {
    for (const name of this.#entries.keys()) this.delete(name);
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

  #append(entry: Entry<B>): void {
    entry.after = this.#ring;
    entry.before = this.#ring.before;
    entry.before.after = entry;
    this.#ring.before = entry;
  }

  #evict(): void {
    let link = this.#ring.after;
    while (this.#sizeBytes > this.#maxBytes && link !== this.#ring) {
      const entry = link as Entry<B>;
      link = entry.after;
      if (entry.users > 0) continue;
      this.delete(entry.name);
      this.#evictions++;
      this.#evicted(entry.value);
    }
  }
}

function newRing(): Link {
  const ring = {} as Link;
  ring.before = ring.after = ring;
  return ring;
}

function unlink({ before, after }: Link): void {
  before.after = after;
  after.before = before;
}
