/**
 * Key records of one namespace. A read costs the storage far more than what it reads, so reads asked
 * for in one turn go there together, and records written lately are kept as written: `remember` is
 * called in the step that made a record durable, so what is kept is what the storage holds.
 */
import type { Storage } from '../storage/storage.ts';
import { decodeRecord, noRecord } from './key-record.ts';
import type { KeyRecord } from './key-record.ts';
import { layout } from './layout.ts';
import { RecentMap } from './recent-map.ts';

/** Keys per read: what comes back is decoded in one turn. */
const MAX_KEYS_PER_READ = 128;
/** Records kept, bytes as stored: enough for what is on its way to peers; in memory they weigh more. */
const MAX_KEPT_BYTES = 4 * 1024 * 1024;

interface Waiter {
  readonly resolve: (record: KeyRecord) => void;
  readonly reject: (error: unknown) => void;
}

/** What {@link RecordReads} works with. */
export interface RecordReadsOptions {
  readonly ns: number;
  readonly storage: Storage;
  readonly crc32c: (bytes: Uint8Array) => number;
}

/** Reads records, many at once. */
export class RecordReads {
  readonly #options: RecordReadsOptions;
  readonly #recent = new RecentMap<string, KeyRecord>(MAX_KEPT_BYTES);
  #asked = new Map<string, Waiter[]>();

  constructor(options: RecordReadsOptions) {
    this.#options = options;
  }

  /** The key's record; {@link noRecord} when it was never written. @throws ERR_DWCP_STORAGE_CORRUPT */
  get(key: string): KeyRecord | Promise<KeyRecord> {
    const recent = this.#recent.get(key);
    if (recent) return recent;
    return new Promise((resolve, reject) => {
      if (this.#asked.size === 0) process.nextTick(() => this.#flush());
      const waiters = this.#asked.get(key);
      if (waiters) waiters.push({ resolve, reject });
      else this.#asked.set(key, [{ resolve, reject }]);
    });
  }

  /** The record of the key became durable. */
  remember(key: string, record: KeyRecord, storedBytes: number): void {
    this.#recent.set(key, record, storedBytes);
  }

  #flush(): void {
    const asked = [...this.#asked];
    this.#asked = new Map();
    for (let at = 0; at < asked.length; at += MAX_KEYS_PER_READ) {
      void this.#read(asked.slice(at, at + MAX_KEYS_PER_READ));
    }
  }

  async #read(asked: readonly (readonly [string, Waiter[]])[]): Promise<void> {
    const { storage, ns, crc32c } = this.#options;
    let found: (Buffer | undefined)[];
    try {
      found = await storage.getMany(asked.map(([key]) => layout.record(ns, key)));
    } catch (error) {
      for (const [, waiters] of asked) for (const { reject } of waiters) reject(error);
      return;
    }
    for (const [at, [key, waiters]] of asked.entries()) {
      try {
        const bytes = found[at];
        const record = bytes ? decodeRecord(bytes, key, crc32c) : noRecord;
        for (const { resolve } of waiters) resolve(record);
      } catch (error) {
        for (const { reject } of waiters) reject(error);
      }
    }
  }
}
