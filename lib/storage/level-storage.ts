/**
 * Storage over LevelDB through classic-level, imported only when opened so that a platform without
 * its binary still runs. LevelDB locks its folder; a durable batch is one fsync of its log, shared
 * by all batches that wait (`GroupCommit`).
 */
import type { ClassicLevel } from 'classic-level';
import { checkKey, checkRange } from './arguments.ts';
import { GroupCommit } from './group-commit.ts';
import { pinClassicLevel } from './pin-library.ts';
import { closedError, storageError } from './storage-errors.ts';
import type { Storage, StorageEntry, StorageOp, StorageRange } from './storage.ts';

type Level = ClassicLevel<Buffer, Buffer>;

/** Entries asked of LevelDB at a time; it stops earlier when they are large. */
const scanEntries = 256;

const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/**
 * Writes all operations or none. One call per operation and one to commit: handed over as an array in one
 * call, a worker terminated meanwhile leaves the rest of the array out and commits the part. `sync` is named only
 * when it is wanted: classic-level 3.0.0 crashes when its worker is stopped at the moment it reads that option.
 */
async function writeWhole(db: Level, ops: readonly StorageOp[], durable: boolean): Promise<void> {
  const batch = db.batch();
  for (const op of ops) {
    if (op.type === 'put') batch.put(asBuffer(op.key), asBuffer(op.value));
    else batch.del(asBuffer(op.key));
  }
  await (durable ? batch.write({ sync: true }) : batch.write());
}

/** A LevelDB in a folder of its own. */
export class LevelStorage implements Storage {
  readonly kind = 'level';
  readonly persistent = true;
  readonly #db: Level;
  readonly #commits: GroupCommit;
  #closing: Promise<void> | undefined;

  private constructor(db: Level) {
    this.#db = db;
    this.#commits = new GroupCommit((ops, durable) => writeWhole(db, ops, durable));
  }

  /** Opens or creates the store in `folder`. Rejects with classic-level's own error. */
  static async open(folder: string): Promise<LevelStorage> {
    pinClassicLevel();
    const { ClassicLevel: Database } = await import('classic-level');
    const db: Level = new Database(folder, { keyEncoding: 'buffer', valueEncoding: 'buffer' });
    await db.open();
    return new LevelStorage(db);
  }

  async get(key: Uint8Array): Promise<Buffer | undefined> {
    this.#checkOpen();
    checkKey(key);
    try {
      return await this.#db.get(asBuffer(key));
    } catch (error) {
      throw storageError('get', error);
    }
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Buffer | undefined)[]> {
    this.#checkOpen();
    for (const key of keys) checkKey(key);
    try {
      return await this.#db.getMany(keys.map(asBuffer));
    } catch (error) {
      throw storageError('getMany', error);
    }
  }

  async batch(
    ops: readonly StorageOp[],
    options: { readonly durable?: boolean } = {},
  ): Promise<void> {
    await this.#commits.submit(ops, options.durable ?? true);
  }

  async *scan(range: StorageRange): AsyncGenerator<StorageEntry, void, undefined> {
    this.#checkOpen();
    const limit = checkRange(range);
    const bounds = { gte: asBuffer(range.gte), lt: asBuffer(range.lt) };
    const iterator = this.#db.iterator({ ...bounds, reverse: range.reverse ?? false, limit });
    try {
      for (;;) {
        this.#checkOpen();
        const entries = await iterator.nextv(scanEntries);
        if (entries.length === 0) return;
        yield* entries;
      }
    } catch (error) {
      throw storageError('scan', error);
    } finally {
      await iterator.close();
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#commits.close();
    await this.#db.close();
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw closedError();
  }
}
