/**
 * Group commit: writes that arrive while a batch is on its way to the disk go together into the next
 * one. Each batch is atomic and durable, and carries the new state record of every namespace it
 * touches. The first failure stops the store for good (fail-stop): after a failed sync nobody knows
 * what the disk holds, so nothing more is acknowledged until it is opened again.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { DwcpError, isDwcpError } from '../errors.ts';
import type { Storage, StorageOp } from '../storage/storage.ts';

/** One namespace's part in a batch. */
export interface StateSource<C> {
  /** The state record for a batch that makes exactly these changes durable. */
  sealState(changes: readonly C[]): StorageOp;
  /** This change is durable now; those after it in the batch are told of next. */
  durable(change: C): void;
}

/** A change of one namespace that becomes durable with a batch. */
export interface StatePart<C> {
  readonly source: StateSource<C>;
  readonly change: C;
}

interface Waiter {
  readonly part: StatePart<unknown> | undefined;
  readonly onDurable: (() => void) | undefined;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface Group {
  readonly ops: StorageOp[];
  readonly changes: Map<StateSource<unknown>, unknown[]>;
  readonly waiters: Waiter[];
  sizeBytes: number;
}

const emptyGroup = (): Group => ({ ops: [], changes: new Map(), waiters: [], sizeBytes: 0 });

/** Bytes after which a group takes no more writes, so that one batch stays quick to sync. */
const MAX_GROUP_BYTES = 4 * 1024 * 1024;
/** Writes of one group: all that follows from them happens in one turn. */
const MAX_GROUP_WRITES = 128;

/** Collects writes into atomic durable batches. */
export class GroupCommit {
  readonly #storage: Storage;
  #queue: Group[] = [];
  #running: Promise<void> | undefined;
  #failure: DwcpError | undefined;
  #batches = 0;
  #writes = 0;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** Batches written and writes in them. */
  get stats(): { batches: number; writes: number } {
    return { batches: this.#batches, writes: this.#writes };
  }

  /** The error that stopped the store. */
  get failure(): DwcpError | undefined {
    return this.#failure;
  }

  /**
   * Adds operations to the next batch, in call order; resolves when they are durable. Batches become
   * durable in order. The namespace state advances write by write, and `onDurable` runs in the same
   * step: who looks at the vector in between finds no dot that was not announced, so that a session
   * never says of a write it has yet to hear of that the peer has it. `onDurable` must not throw.
   * @throws ERR_DWCP_STORAGE when this or an earlier batch failed
   */
  commit<C>(ops: readonly StorageOp[], part?: StatePart<C>, onDurable?: () => void): Promise<void> {
    if (this.#failure) return Promise.reject(this.#failure);
    let group = this.#queue.at(-1);
    if (group === undefined || isFull(group)) {
      group = emptyGroup();
      this.#queue.push(group);
    }
    for (const op of ops) {
      group.ops.push(op);
      group.sizeBytes += op.key.length + (op.type === 'put' ? op.value.length : 0);
    }
    const untyped = part as StatePart<unknown> | undefined;
    if (untyped) {
      const changes = group.changes.get(untyped.source);
      if (changes) changes.push(untyped.change);
      else group.changes.set(untyped.source, [untyped.change]);
    }
    const done = new Promise<void>((resolve, reject) =>
      group.waiters.push({ part: untyped, onDurable, resolve, reject }),
    );
    this.#running ??= this.#run();
    return done;
  }

  /** Resolves when everything committed so far is durable or failed. */
  async settled(): Promise<void> {
    while (this.#running) await this.#running;
  }

  async #run(): Promise<void> {
    // One turn of patience lets writes of the same turn share a batch.
    await Promise.resolve();
    for (let group = this.#queue.shift(); group; group = this.#queue.shift()) {
      await this.#write(group);
      // Storage that answers at once must not keep everyone else from running.
      if (this.#queue.length > 0) await nextTurn();
    }
    this.#running = undefined;
  }

  async #write(group: Group): Promise<void> {
    try {
      if (this.#failure) throw this.#failure;
      for (const [source, changes] of group.changes) group.ops.push(source.sealState(changes));
      await this.#storage.batch(group.ops, { durable: true });
      this.#batches++;
      this.#writes += group.waiters.length;
      for (const { part, onDurable } of group.waiters) {
        part?.source.durable(part.change);
        onDurable?.();
      }
      for (const { resolve } of group.waiters) resolve();
    } catch (cause) {
      this.#failure ??= asStorageError(cause);
      for (const { reject } of group.waiters) reject(this.#failure);
    }
  }
}

function isFull({ sizeBytes, waiters }: Group): boolean {
  return sizeBytes >= MAX_GROUP_BYTES || waiters.length >= MAX_GROUP_WRITES;
}

function asStorageError(cause: unknown): DwcpError {
  if (isDwcpError(cause)) return cause;
  return new DwcpError('ERR_DWCP_STORAGE', 'a batch failed; the store stopped', { cause });
}
