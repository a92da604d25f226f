/** Storage in memory: nothing survives the process, and `persistent` says so. */
import { checkKey, checkOps } from './arguments.ts';
import { OrderedMap } from './ordered-map.ts';
import { pagedScan } from './paged-scan.ts';
import { closedError } from './storage-errors.ts';
import type { Storage, StorageEntry, StorageOp, StorageRange } from './storage.ts';

/** An empty store in memory. */
export class MemoryStorage implements Storage {
  readonly kind = 'memory';
  readonly persistent = false;
  readonly #map = new OrderedMap();
  #closed = false;

  async get(key: Uint8Array): Promise<Buffer | undefined> {
    return this.#read(key);
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Buffer | undefined)[]> {
    return keys.map((key) => this.#read(key));
  }

  async batch(ops: readonly StorageOp[]): Promise<void> {
    this.#checkOpen();
    checkOps(ops);
    this.#map.apply(ops);
  }

  scan(range: StorageRange): AsyncIterable<StorageEntry> {
    return pagedScan(range, async (part, limit) => {
      this.#checkOpen();
      return this.#map.page(part, limit);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #read(key: Uint8Array): Buffer | undefined {
    this.#checkOpen();
    checkKey(key);
    const value = this.#map.get(key);
    return value && Buffer.from(value);
  }

  #checkOpen(): void {
    if (this.#closed) throw closedError();
  }
}
