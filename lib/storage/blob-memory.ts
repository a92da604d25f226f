/** Blobs in memory, gone with the process. */
import { checkBlobName, checkBytes } from './arguments.ts';
import { closedError } from './storage-errors.ts';
import type { BlobStore } from './storage.ts';

/** An empty blob store in memory; owns copies of what it holds. */
export class BlobMemory implements BlobStore {
  readonly #blobs = new Map<string, Buffer>();
  #closed = false;

  async put(name: string, bytes: Uint8Array): Promise<void> {
    this.#checkOpen();
    checkBlobName(name);
    checkBytes(bytes, 'bytes');
    if (!this.#blobs.has(name)) this.#blobs.set(name, Buffer.from(bytes));
  }

  async get(name: string): Promise<Buffer | undefined> {
    this.#checkOpen();
    checkBlobName(name);
    const bytes = this.#blobs.get(name);
    return bytes && Buffer.from(bytes);
  }

  async delete(name: string): Promise<void> {
    this.#checkOpen();
    checkBlobName(name);
    this.#blobs.delete(name);
  }

  async *list(): AsyncGenerator<string, void, undefined> {
    this.#checkOpen();
    yield* this.#blobs.keys();
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #checkOpen(): void {
    if (this.#closed) throw closedError();
  }
}
