/** The `Storage` seam: atomic batches, range scans and durable commits over one ordered key space. */

/** One operation of a batch. */
export type StorageOp =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'delete'; readonly key: Uint8Array };

/** A range of keys in byte order. */
export interface StorageRange {
  /** First key, inclusive. */
  readonly gte: Uint8Array;
  /** End, exclusive. */
  readonly lt: Uint8Array;
  readonly reverse?: boolean | undefined;
  readonly limit?: number | undefined;
}

/** A key and its value; both belong to the caller. */
export type StorageEntry = readonly [key: Buffer, value: Buffer];

/** An ordered store. All errors are ERR_DWCP_STORAGE, ERR_DWCP_STORAGE_CORRUPT or ERR_DWCP_CLOSED. */
export interface Storage {
  /** Name for `status()`: level, sqlite, memory, simulated. */
  readonly kind: string;
  /** False when nothing survives the process. */
  readonly persistent: boolean;
  get(key: Uint8Array): Promise<Buffer | undefined>;
  getMany(keys: readonly Uint8Array[]): Promise<(Buffer | undefined)[]>;
  /**
   * Applies all operations or none. With `durable` (the default) the promise resolves only when the
   * batch survives a power loss.
   */
  batch(ops: readonly StorageOp[], options?: { readonly durable?: boolean }): Promise<void>;
  scan(range: StorageRange): AsyncIterable<StorageEntry>;
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
  close(): Promise<void>;
}
