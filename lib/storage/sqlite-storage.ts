/**
 * Storage over node:sqlite, the second rung for platforms without a LevelDB binary (Node 22 and
 * later). WAL with synchronous=FULL for durable groups; an exclusive lock held for as long as it is
 * open. Calls run on the calling thread: a durable group blocks it for one fsync.
 */
import { checkKey } from './arguments.ts';
import { GroupCommit } from './group-commit.ts';
import { pagedScan } from './paged-scan.ts';
import { closedError, storageError } from './storage-errors.ts';
import type { Storage, StorageEntry, StorageOp, StorageRange } from './storage.ts';

/** The part of node:sqlite used here; Node 20 has neither the module nor its types. */
interface Statement {
  run(...values: Uint8Array[]): unknown;
  get(...values: Uint8Array[]): Row | undefined;
  all(...values: (Uint8Array | number)[]): Row[];
}
interface Database {
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}
interface SqliteModule {
  readonly DatabaseSync: new (path: string) => Database;
}
/** An empty value comes back as null. */
interface Row {
  readonly k: Uint8Array;
  readonly v: Uint8Array | null;
}

const valueOf = ({ v }: Row): Buffer =>
  v === null ? Buffer.alloc(0) : Buffer.from(v.buffer, v.byteOffset, v.byteLength);

/** An empty bound arrives as NULL. */
const within = "k >= coalesce(?, x'') AND k < coalesce(?, x'')";

/** node:sqlite, or undefined where this Node has none. */
export function loadSqlite(): SqliteModule | undefined {
  const loaded: object | undefined = process.getBuiltinModule?.('node:sqlite');
  return isSqlite(loaded) ? loaded : undefined;
}

function isSqlite(loaded: object | undefined): loaded is SqliteModule {
  return loaded !== undefined && 'DatabaseSync' in loaded;
}

/** An SQLite file of its own. */
export class SqliteStorage implements Storage {
  readonly kind = 'sqlite';
  readonly persistent = true;
  readonly #db: Database;
  readonly #commits: GroupCommit;
  readonly #get: Statement;
  readonly #put: Statement;
  readonly #delete: Statement;
  readonly #forward: Statement;
  readonly #backward: Statement;
  #synced = true;
  #closing: Promise<void> | undefined;

  private constructor(db: Database) {
    this.#db = db;
    this.#get = db.prepare('SELECT k, v FROM kv WHERE k = ?');
    this.#put = db.prepare(
      'INSERT INTO kv VALUES (?, ?) ON CONFLICT (k) DO UPDATE SET v = excluded.v',
    );
    this.#delete = db.prepare('DELETE FROM kv WHERE k = ?');
    this.#forward = db.prepare(`SELECT k, v FROM kv WHERE ${within} ORDER BY k LIMIT ?`);
    this.#backward = db.prepare(`SELECT k, v FROM kv WHERE ${within} ORDER BY k DESC LIMIT ?`);
    this.#commits = new GroupCommit(async (ops, durable) => this.#commit(ops, durable));
  }

  /** Opens or creates the store in `file`. Rejects with SQLite's own error. */
  static async open(file: string): Promise<SqliteStorage> {
    const sqlite = loadSqlite();
    if (sqlite === undefined) throw new Error('this Node has no node:sqlite');
    const db = new sqlite.DatabaseSync(file);
    try {
      db.exec('PRAGMA locking_mode = EXCLUSIVE');
      db.exec('PRAGMA journal_mode = WAL');
      db.exec('PRAGMA synchronous = FULL');
      // The first write takes the lock, and exclusive mode never gives it back.
      db.exec('BEGIN EXCLUSIVE');
      db.exec('CREATE TABLE IF NOT EXISTS kv (k BLOB PRIMARY KEY NOT NULL, v BLOB) WITHOUT ROWID');
      db.exec('COMMIT');
      return new SqliteStorage(db);
    } catch (error) {
      db.close();
      throw error;
    }
  }

  async get(key: Uint8Array): Promise<Buffer | undefined> {
    return this.#read(key);
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Buffer | undefined)[]> {
    return keys.map((key) => this.#read(key));
  }

  async batch(
    ops: readonly StorageOp[],
    options: { readonly durable?: boolean } = {},
  ): Promise<void> {
    await this.#commits.submit(ops, options.durable ?? true);
  }

  scan(range: StorageRange): AsyncIterable<StorageEntry> {
    const select = range.reverse === true ? this.#backward : this.#forward;
    return pagedScan(range, async (part, limit) => {
      this.#checkOpen();
      try {
        const rows = select.all(part.gte, part.lt, limit);
        return rows.map((row) => [Buffer.from(row.k), valueOf(row)] as const);
      } catch (error) {
        throw storageError('scan', error);
      }
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#commits.close();
    this.#db.close();
  }

  #commit(ops: readonly StorageOp[], durable: boolean): void {
    if (durable !== this.#synced) {
      this.#db.exec(`PRAGMA synchronous = ${durable ? 'FULL' : 'NORMAL'}`);
      this.#synced = durable;
    }
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      for (const op of ops) {
        if (op.type === 'put') this.#put.run(op.key, op.value);
        else this.#delete.run(op.key);
      }
      this.#db.exec('COMMIT');
    } catch (error) {
      this.#rollBack();
      throw error;
    }
  }

  #rollBack(): void {
    try {
      this.#db.exec('ROLLBACK');
    } catch {
      // SQLite has rolled back already; the first error is the one to report.
    }
  }

  #read(key: Uint8Array): Buffer | undefined {
    this.#checkOpen();
    checkKey(key);
    try {
      const row = this.#get.get(key);
      return row && valueOf(row);
    } catch (error) {
      throw storageError('get', error);
    }
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw closedError();
  }
}
