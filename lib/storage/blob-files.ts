/**
 * Blobs as files of one folder. A blob is written aside, synced, renamed and its folder synced
 * before `put` resolves, so a name is whole or absent. Verifies no content: whoever reads checks
 * the digest. The caller holds the lock of the store this folder belongs to.
 */
import { join } from 'node:path';
import { checkBlobName, checkBytes, isBlobName } from './arguments.ts';
import { opendir, readFile, rm, stat } from './callback-files.ts';
import { syncFolder, writeDurably } from './durable-files.ts';
import { makeFolder } from './make-folder.ts';
import { closedError, hasCode, storageError } from './storage-errors.ts';
import type { BlobStore } from './storage.ts';

/** Blobs in a folder. */
export class BlobFiles implements BlobStore {
  readonly #folder: string;
  readonly #writing = new Map<string, Promise<void>>();
  #temporaries = 0;
  #closed = false;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Opens or creates the folder and removes what a crash left half written. */
  static async open(folder: string): Promise<BlobFiles> {
    await makeFolder(folder);
    for await (const { name } of await opendir(folder)) {
      if (name.endsWith('.tmp')) await rm(join(folder, name), { force: true });
    }
    // Entries renamed just before a crash of the process are made durable before anyone relies on
    // them.
    await syncFolder(folder);
    return new BlobFiles(folder);
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    this.#checkOpen();
    checkBlobName(name);
    checkBytes(bytes, 'bytes');
    const writing = this.#writing.get(name) ?? this.#store(name, bytes);
    this.#writing.set(name, writing);
    try {
      await writing;
    } catch (error) {
      throw storageError('blob put', error);
    } finally {
      this.#writing.delete(name);
    }
  }

  async get(name: string): Promise<Buffer | undefined> {
    this.#checkOpen();
    checkBlobName(name);
    try {
      return await readFile(join(this.#folder, name));
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw storageError('blob get', error);
    }
  }

  async delete(name: string): Promise<void> {
    this.#checkOpen();
    checkBlobName(name);
    try {
      await rm(join(this.#folder, name), { force: true });
    } catch (error) {
      throw storageError('blob delete', error);
    }
  }

  async *list(): AsyncGenerator<string, void, undefined> {
    this.#checkOpen();
    try {
      for await (const { name } of await opendir(this.#folder)) {
        this.#checkOpen();
        if (isBlobName(name)) yield name;
      }
    } catch (error) {
      throw storageError('blob list', error);
    }
  }

  /** Waits for writes under way. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#writing.values());
  }

  async #store(name: string, bytes: Uint8Array): Promise<void> {
    const file = join(this.#folder, name);
    const present = await stat(file).catch((error: unknown) => {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    });
    if (present !== undefined) return;
    this.#temporaries += 1;
    await writeDurably(file, `${file}.${this.#temporaries}.tmp`, bytes);
  }

  #checkOpen(): void {
    if (this.#closed) throw closedError();
  }
}
