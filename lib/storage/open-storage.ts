/**
 * The ladder: LevelDB, else node:sqlite, else nothing. Without a path state is kept in memory and
 * says so; a path that cannot be honoured is an error, never memory. A rung is passed over only
 * when this platform lacks it; a store that exists pins its rung, and a failure to open is reported
 * as it is.
 *
 *   path/FORMAT   version and rung        path/level or path/store.sqlite   path/blobs
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DwcpError, invalidArg, isDwcpError } from '../errors.ts';
import { makeFolder } from './make-folder.ts';
import { BlobFiles } from './blob-files.ts';
import { BlobMemory } from './blob-memory.ts';
import { corruptFormat, readFormat, writeFormat } from './format-record.ts';
import type { DurableKind } from './format-record.ts';
import { LevelStorage } from './level-storage.ts';
import { MemoryStorage } from './memory-storage.ts';
import { loadSqlite, SqliteStorage } from './sqlite-storage.ts';
import { messageOf, storageError, unavailable } from './storage-errors.ts';
import type { OpenStorage, Storage } from './storage.ts';

/** Options of {@link openStorage}. */
export interface OpenStorageOptions {
  /** Folder of the store, created when missing. None: state is kept in memory. */
  readonly path?: string | undefined;
  /** Takes this rung or fails. Default: the first that works here. */
  readonly kind?: 'level' | 'sqlite' | 'memory' | undefined;
}

/** One durable rung. */
export interface Rung {
  readonly kind: DurableKind;
  /** Its entry in the folder. */
  readonly entry: string;
  /** Why this platform lacks it; undefined when it does not. */
  readonly missing: () => Promise<string | undefined>;
  readonly open: (path: string) => Promise<Storage>;
}

/** The rungs, best first. */
export const rungs: readonly Rung[] = [
  {
    kind: 'level',
    entry: 'level',
    missing: async () => {
      try {
        await import('classic-level');
        return undefined;
      } catch (error) {
        return `classic-level did not load (${messageOf(error).split('\n')[0]})`;
      }
    },
    open: (path) => LevelStorage.open(path),
  },
  {
    kind: 'sqlite',
    entry: 'store.sqlite',
    missing: async () =>
      loadSqlite() === undefined ? `Node ${process.versions.node} has no node:sqlite` : undefined,
    open: (path) => SqliteStorage.open(path),
  },
];

/**
 * Opens the store in `path`, or one in memory when no path is given. One process at a time may hold
 * a path. Close it when done.
 * @throws ERR_DWCP_STORAGE_UNAVAILABLE when the path cannot be honoured (not writable, held by
 *   another process, no rung on this platform), ERR_DWCP_STORAGE_CORRUPT when what is there does
 *   not verify or has another format version, ERR_DWCP_INVALID_ARG.
 * @example
 * const { storage, blobs, close } = await openStorage({ path: './state' });
 */
export async function openStorage(
  options: OpenStorageOptions = {},
  ladder: readonly Rung[] = rungs,
): Promise<OpenStorage> {
  const { path, kind } = options;
  if (kind !== undefined && kind !== 'memory' && !rungs.some((rung) => rung.kind === kind)) {
    invalidArg('kind', 'level, sqlite or memory', kind);
  }
  if (path === undefined) {
    if (kind === 'level' || kind === 'sqlite') invalidArg('path', `given for kind ${kind}`, path);
    return openInMemory();
  }
  if (typeof path !== 'string' || path === '') invalidArg('path', 'a folder name', path);
  if (kind === 'memory') invalidArg('path', 'absent for kind memory', path);
  return await openOnDisk(resolve(path), kind, ladder);
}

function openInMemory(): OpenStorage {
  const storage = new MemoryStorage();
  const blobs = new BlobMemory();
  return withClose(storage, blobs, 'no path was given: nothing survives this process');
}

async function openOnDisk(
  folder: string,
  wanted: DurableKind | undefined,
  ladder: readonly Rung[],
): Promise<OpenStorage> {
  try {
    await makeFolder(folder);
    const present = await presentKind(folder);
    if (present !== undefined && wanted !== undefined && present !== wanted) {
      throw unavailable(folder, `it holds a ${present} store and kind ${wanted} was asked for`);
    }
    const { rung, reason } = await choose(folder, present ?? wanted, ladder);
    if (present === undefined) await writeFormat(folder, rung.kind);
    return await openRung(folder, rung, reason);
  } catch (error) {
    throw openError(folder, error);
  }
}

/** What the folder holds, by its record; a store without a record is not ours to open. */
async function presentKind(folder: string): Promise<DurableKind | undefined> {
  const present = await readFormat(folder);
  const stray = rungs.find(({ entry }) => existsSync(join(folder, entry)));
  if (present === undefined && stray !== undefined) {
    throw corruptFormat(folder, `there is a ${stray.entry} but no FORMAT file`);
  }
  return present;
}

async function choose(
  folder: string,
  kind: DurableKind | undefined,
  ladder: readonly Rung[],
): Promise<{ rung: Rung; reason: string }> {
  const attempts: string[] = [];
  for (const rung of ladder) {
    if (kind !== undefined && rung.kind !== kind) continue;
    const missing = await rung.missing();
    if (missing === undefined) {
      return { rung, reason: attempts.length === 0 ? 'first choice' : attempts.join('; ') };
    }
    attempts.push(missing);
  }
  throw unavailable(folder, attempts.join('; ') || `no store of kind ${kind} on this platform`);
}

async function openRung(folder: string, rung: Rung, reason: string): Promise<OpenStorage> {
  const storage = await rung.open(join(folder, rung.entry));
  try {
    // Only now is the lock held: another process may have marked the folder in between.
    const marked = await readFormat(folder);
    if (marked !== rung.kind)
      throw unavailable(folder, `another process made it a ${marked} store`);
    const blobs = await BlobFiles.open(join(folder, 'blobs'));
    return withClose(storage, blobs, `${rung.kind}: ${reason}`);
  } catch (error) {
    await storage.close();
    throw error;
  }
}

function openError(folder: string, error: unknown): DwcpError {
  if (isDwcpError(error)) return error;
  // classic-level says what happened in the cause of its error.
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  const reported = storageError(`open ${folder}`, cause);
  if (reported.code === 'ERR_DWCP_STORAGE_CORRUPT') return reported;
  return unavailable(folder, messageOf(cause), error);
}

function withClose(storage: Storage, blobs: BlobFiles | BlobMemory, reason: string): OpenStorage {
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await blobs.close();
    await storage.close();
  };
  return { storage, blobs, reason, close: () => (closing ??= close()) };
}
