/**
 * The `Storage` seam: atomic batches, range scans and durable commits over one ordered key space,
 * and the place for large values beside it. `test/seam/storage.test.ts` holds every implementation
 * to it.
 */

/** One operation of a batch. */
export type StorageOp =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'delete'; readonly key: Uint8Array };

/** A range of keys in byte order. Keys are never empty; a bound may be. */
export interface StorageRange {
  /** First key, inclusive. */
  readonly gte: Uint8Array;
  /** End, exclusive. */
  readonly lt: Uint8Array;
  readonly reverse?: boolean | undefined;
  /** Most entries to give. Default: all. */
  readonly limit?: number | undefined;
}

/** A key and its value; both belong to the caller. */
export type StorageEntry = readonly [key: Buffer, value: Buffer];

/**
 * An ordered store. Every call rejects with ERR_DWCP_STORAGE, ERR_DWCP_STORAGE_CORRUPT or
 * ERR_DWCP_CLOSED, and with ERR_DWCP_INVALID_ARG for arguments of the wrong kind. Arguments are
 * borrowed until the promise settles: do not change them before; what is returned is yours.
 */
export interface Storage {
  /** Name for `status()`: level, sqlite, memory, simulated. */
  readonly kind: string;
  /** False when nothing survives the process. */
  readonly persistent: boolean;
  get(key: Uint8Array): Promise<Buffer | undefined>;
  getMany(keys: readonly Uint8Array[]): Promise<(Buffer | undefined)[]>;
  /**
   * Applies all operations or none. With `durable` (the default) the promise resolves only when the
   * batch survives a power loss. Batches take effect in the order of the calls; after a rejection
   * with ERR_DWCP_STORAGE the batch may or may not be there. ERR_DWCP_LIMIT when too much is
   * queued.
   */
  batch(ops: readonly StorageOp[], options?: { readonly durable?: boolean }): Promise<void>;
  /**
   * Entries in order, each key at most once. Batches applied while the scan runs may or may not be
   * seen, key by key.
   */
  scan(range: StorageRange): AsyncIterable<StorageEntry>;
  /** Finishes queued batches and closes; a second call gives the same promise. */
  close(): Promise<void>;
}

/** Large immutable values by name; the name is the hex digest of the content plus its kind. */
export interface BlobStore {
  /** Durable when the promise resolves. Storing the same name again is a no-op. */
  put(name: string, bytes: Uint8Array): Promise<void>;
  get(name: string): Promise<Buffer | undefined>;
  delete(name: string): Promise<void>;
  list(): AsyncIterable<string>;
}

/** What `openStorage` gives: the store and the place for large values beside it. */
export interface OpenStorage {
  readonly storage: Storage;
  readonly blobs: BlobStore;
  /** Why this rung of the ladder (level, sqlite, memory) was taken. */
  readonly reason: string;
  /** Closes both; idempotent, and may be passed around on its own. */
  readonly close: () => Promise<void>;
}
