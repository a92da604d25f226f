/**
 * Group commit: batches queued while one write is under way become the next single write, so that
 * many small durable batches share one fsync. One write at a time keeps the order of the calls.
 * Each batch stays atomic because its group is. Bounded: past `maxQueuedBytes` a batch is refused.
 */
import { DwcpError } from '../errors.ts';
import { checkOps } from './arguments.ts';
import { closedError, storageError } from './storage-errors.ts';
import type { StorageOp } from './storage.ts';

/** Writes all operations atomically, synced when `durable`. */
export type GroupWrite = (ops: readonly StorageOp[], durable: boolean) => Promise<void>;

interface Queued {
  readonly ops: readonly StorageOp[];
  readonly sizeBytes: number;
  readonly durable: boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const MiB = 1024 * 1024;

/** Bytes written as one group; a larger batch goes alone. */
const maxGroupBytes = 4 * MiB;

/** Bytes that may wait, unless told otherwise. */
const defaultQueuedBytes = 512 * MiB;

/** The queue in front of one store's writes. */
export class GroupCommit {
  readonly #write: GroupWrite;
  readonly #maxQueuedBytes: number;
  #queue: Queued[] = [];
  #queuedBytes = 0;
  #closed = false;
  #running: Promise<void> | undefined;

  constructor(write: GroupWrite, maxQueuedBytes: number = defaultQueuedBytes) {
    this.#write = write;
    this.#maxQueuedBytes = maxQueuedBytes;
  }

  /** Queues a batch; settles when the group it joined is written. */
  async submit(ops: readonly StorageOp[], durable: boolean): Promise<void> {
    if (this.#closed) throw closedError();
    const sizeBytes = checkOps(ops);
    if (this.#queuedBytes > 0 && this.#queuedBytes + sizeBytes > this.#maxQueuedBytes) {
      throw new DwcpError('ERR_DWCP_LIMIT', 'too many bytes wait to be stored', {
        detail: { limit: 'maxQueuedBytes', max: this.#maxQueuedBytes },
      });
    }
    this.#queuedBytes += sizeBytes;
    const settled = new Promise<void>((resolve, reject) => {
      this.#queue.push({ ops, sizeBytes, durable, resolve, reject });
    });
    this.#running ??= this.#drain();
    await settled;
  }

  /** Refuses new batches and waits for the queued ones. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  async #drain(): Promise<void> {
    await endOfTurn();
    while (this.#queue.length > 0) {
      const group = this.#take();
      await this.#commit(group);
      for (const { sizeBytes } of group) this.#queuedBytes -= sizeBytes;
      await endOfTurn();
    }
    this.#running = undefined;
  }

  async #commit(group: readonly Queued[]): Promise<void> {
    const ops = group.length === 1 ? group[0]!.ops : group.flatMap((queued) => queued.ops);
    try {
      await this.#write(
        ops,
        group.some(({ durable }) => durable),
      );
    } catch (error) {
      const reported = storageError('batch', error);
      for (const { reject } of group) reject(reported);
      return;
    }
    for (const { resolve } of group) resolve();
  }

  #take(): Queued[] {
    let count = 0;
    let sizeBytes = 0;
    for (const queued of this.#queue) {
      if (count > 0 && sizeBytes + queued.sizeBytes > maxGroupBytes) break;
      sizeBytes += queued.sizeBytes;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }
}

/**
 * After everything runnable in this turn has run, without waiting for I/O: all calls of a turn, and
 * those of callers just told of their last batch, join one group. (A tick queued from a promise job
 * runs once no promise jobs are left.)
 */
async function endOfTurn(): Promise<void> {
  await Promise.resolve();
  await new Promise<void>((resolve) => process.nextTick(resolve));
}
