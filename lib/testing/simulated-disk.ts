/**
 * A disk in memory that fails on demand, for tests of whatever keeps state: power loss, process
 * death, I/O errors, slow syncs. Batches are lost whole and from the end, never torn; what was
 * acknowledged as durable is never lost. The same seed loses the same batches.
 */
import { sleep } from '../clock.ts';
import type { Clock } from '../clock.ts';
import { DwcpError } from '../errors.ts';
import type { Random } from '../random.ts';
import { checkBlobName, checkBytes, checkKey } from '../storage/arguments.ts';
import { GroupCommit } from '../storage/group-commit.ts';
import { OrderedMap } from '../storage/ordered-map.ts';
import { pagedScan } from '../storage/paged-scan.ts';
import { closedError, storageError } from '../storage/storage-errors.ts';
import type {
  BlobStore,
  OpenStorage,
  Storage,
  StorageEntry,
  StorageOp,
  StorageRange,
} from '../storage/storage.ts';

/** Options of {@link SimulatedDisk}. */
export interface SimulatedDiskOptions {
  /** Decides which unsynced batches a power loss takes. */
  readonly random: Random;
  readonly clock: Clock;
  /** Time one sync takes, ms. Default 0. */
  readonly syncMs?: number | undefined;
}

/**
 * The disk outlives the stores opened on it.
 * @example
 * const disk = new SimulatedDisk({ random: seededRandom(7), clock });
 * const { storage } = await disk.open();
 * await storage.batch(ops);
 * disk.losePower();                       // `storage` answers ERR_DWCP_CLOSED from here on
 * const again = await disk.open();        // holds every durable batch
 */
export class SimulatedDisk {
  /** Time one sync takes from now on, ms. */
  syncMs: number;
  readonly #random: Random;
  readonly #clock: Clock;
  readonly #blobs = new Map<string, Buffer>();
  #durable = new OrderedMap();
  #view = new OrderedMap();
  #unsynced: (readonly StorageOp[])[] = [];
  #inFlight: readonly StorageOp[] | undefined;
  #holder: object | undefined;
  #failingWrites = 0;
  #failingReads = 0;

  constructor(options: SimulatedDiskOptions) {
    this.#random = options.random;
    this.#clock = options.clock;
    this.syncMs = options.syncMs ?? 0;
  }

  /** Opens the store on this disk. @throws ERR_DWCP_STORAGE_UNAVAILABLE while another holds it. */
  async open(): Promise<OpenStorage> {
    if (this.#holder !== undefined) {
      throw new DwcpError('ERR_DWCP_STORAGE_UNAVAILABLE', 'the simulated disk is held already');
    }
    const holder = {};
    this.#holder = holder;
    const storage = new SimulatedStorage(this, holder);
    const blobs = new SimulatedBlobs(this, holder);
    const close = (): Promise<void> => storage.close();
    return { storage, blobs, reason: 'simulated: asked for', close };
  }

  /**
   * The next `count` writes (batch groups or blobs) fail with ERR_DWCP_STORAGE and store nothing.
   */
  failWrites(count: number): void {
    this.#failingWrites = count;
  }

  /** The next `count` reads fail with ERR_DWCP_STORAGE. */
  failReads(count: number): void {
    this.#failingReads = count;
  }

  /** The process holding the disk dies; everything it wrote stays. */
  killHolder(): void {
    this.#holder = undefined;
    this.#inFlight = undefined;
  }

  /**
   * Power loss: the holder dies, batches never synced are lost from some point on, a group under
   * way is there whole or not at all.
   */
  losePower(): void {
    const written = this.#inFlight === undefined ? [] : [this.#inFlight];
    const candidates = [...this.#unsynced, ...written];
    const kept = Math.floor(this.#random.next() * (candidates.length + 1));
    for (const ops of candidates.slice(0, kept)) this.#durable.apply(ops);
    this.#view = this.#durable.clone();
    this.#unsynced = [];
    this.killHolder();
  }

  /** @internal */
  release(holder: object): void {
    if (this.#holder === holder) this.#holder = undefined;
  }

  /** @internal What the holder sees. @throws ERR_DWCP_CLOSED when it lost the disk. */
  read(holder: object): OrderedMap {
    this.#checkHolder(holder);
    if (this.#failingReads > 0) {
      this.#failingReads -= 1;
      throw storageError('read', new Error('simulated I/O error'));
    }
    return this.#view;
  }

  /** @internal */
  async write(holder: object, ops: readonly StorageOp[], durable: boolean): Promise<void> {
    this.#startWrite(holder);
    const owned = ops.map(copyOp);
    if (durable) {
      this.#inFlight = owned;
      await this.#sync(holder);
      this.#inFlight = undefined;
    }
    this.#view.apply(owned);
    this.#unsynced.push(owned);
    if (!durable) return;
    for (const batch of this.#unsynced) this.#durable.apply(batch);
    this.#unsynced = [];
  }

  /** @internal */
  async writeBlob(holder: object, name: string, bytes: Uint8Array): Promise<void> {
    this.#startWrite(holder);
    const owned = Buffer.from(bytes);
    await this.#sync(holder);
    if (!this.#blobs.has(name)) this.#blobs.set(name, owned);
  }

  /** @internal */
  blobs(holder: object): Map<string, Buffer> {
    this.read(holder);
    return this.#blobs;
  }

  #startWrite(holder: object): void {
    this.#checkHolder(holder);
    if (this.#failingWrites === 0) return;
    this.#failingWrites -= 1;
    throw storageError('write', new Error('simulated I/O error'));
  }

  async #sync(holder: object): Promise<void> {
    if (this.syncMs > 0) await sleep(this.#clock, this.syncMs);
    this.#checkHolder(holder);
  }

  #checkHolder(holder: object): void {
    if (this.#holder !== holder) throw closedError();
  }
}

class SimulatedStorage implements Storage {
  readonly kind = 'simulated';
  readonly persistent = true;
  readonly #disk: SimulatedDisk;
  readonly #holder: object;
  readonly #commits: GroupCommit;
  #closing: Promise<void> | undefined;

  constructor(disk: SimulatedDisk, holder: object) {
    this.#disk = disk;
    this.#holder = holder;
    this.#commits = new GroupCommit((ops, durable) => disk.write(holder, ops, durable));
  }

  async get(key: Uint8Array): Promise<Buffer | undefined> {
    const map = this.#read();
    checkKey(key);
    const value = map.get(key);
    return value && Buffer.from(value);
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Buffer | undefined)[]> {
    const map = this.#read();
    return keys.map((key) => {
      checkKey(key);
      const value = map.get(key);
      return value && Buffer.from(value);
    });
  }

  async batch(
    ops: readonly StorageOp[],
    options: { readonly durable?: boolean } = {},
  ): Promise<void> {
    await this.#commits.submit(ops, options.durable ?? true);
  }

  scan(range: StorageRange): AsyncIterable<StorageEntry> {
    return pagedScan(range, async (part, limit) => this.#read().page(part, limit));
  }

  close(): Promise<void> {
    this.#closing ??= this.#commits.close().then(() => this.#disk.release(this.#holder));
    return this.#closing;
  }

  #read(): OrderedMap {
    if (this.#closing !== undefined) throw closedError();
    return this.#disk.read(this.#holder);
  }
}

class SimulatedBlobs implements BlobStore {
  readonly #disk: SimulatedDisk;
  readonly #holder: object;

  constructor(disk: SimulatedDisk, holder: object) {
    this.#disk = disk;
    this.#holder = holder;
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    checkBlobName(name);
    checkBytes(bytes, 'bytes');
    await this.#disk.writeBlob(this.#holder, name, bytes);
  }

  async get(name: string): Promise<Buffer | undefined> {
    checkBlobName(name);
    const bytes = this.#disk.blobs(this.#holder).get(name);
    return bytes && Buffer.from(bytes);
  }

  async delete(name: string): Promise<void> {
    checkBlobName(name);
    this.#disk.blobs(this.#holder).delete(name);
  }

  async *list(): AsyncGenerator<string, void, undefined> {
    yield* this.#disk.blobs(this.#holder).keys();
  }
}

function copyOp(op: StorageOp): StorageOp {
  const key = Buffer.from(op.key);
  return op.type === 'put'
    ? { type: 'put', key, value: Buffer.from(op.value) }
    : { type: 'delete', key };
}
