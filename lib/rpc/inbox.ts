/**
 * Items received and not taken yet, as an async iterator. Bounded by byte credit: the message a batch came
 * in is settled, and its credit returned, when its last item was taken, so a slow reader stops the sender.
 * Items come in order; an error comes after what was received before it, unless the reader itself gave up.
 */
import type { DwcpError } from '../errors.ts';
import type { BatchReader } from './item-batch.ts';

/** What an inbox tells its owner. */
export interface InboxOwner {
  /** The value of an item's bytes. @throws ERR_DWCP_CODEC */
  readonly decode: (bytes: Buffer) => unknown;
  /** The reader wants the first item: begin. */
  onFirst?(): void;
  /** The reader stopped early, or an item did not decode. */
  onGiveUp(error: unknown): void;
}

interface Waiter {
  readonly resolve: (result: IteratorResult<unknown, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

interface Batch {
  readonly items: BatchReader;
  /** Returns the credit of the message it came in. */
  settle(): void;
}

/** The receiving end of a stream of items. */
export class Inbox implements AsyncIterableIterator<unknown, undefined, unknown> {
  readonly #owner: InboxOwner;
  #batches: (Batch | undefined)[] = [];
  #head = 0;
  #waiters: Waiter[] = [];
  #begun = false;
  #ended = false;
  #error: unknown;
  #hasError = false;

  constructor(owner: InboxOwner) {
    this.#owner = owner;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** True while a reader waits for an item. */
  get awaited(): boolean {
    return this.#waiters.length > 0;
  }

  next(): Promise<IteratorResult<unknown, undefined>> {
    if (!this.#begun) {
      this.#begun = true;
      this.#owner.onFirst?.();
    }
    const batch = this.#batches[this.#head];
    if (batch) return this.#take(batch);
    if (!this.#ended)
      return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
    if (!this.#hasError) return Promise.resolve({ done: true, value: undefined });
    this.#hasError = false;
    return Promise.reject(this.#error);
  }

  /** The reader wants no more: what waits is dropped and the sender is told. */
  return(): Promise<IteratorResult<unknown, undefined>> {
    this.#begun = true;
    if (!this.#ended || this.#batches.length > 0) {
      const wasOpen = !this.#ended;
      this.#close(undefined, false);
      this.#drop();
      if (wasOpen) this.#owner.onGiveUp(undefined);
    }
    this.#hasError = false;
    return Promise.resolve({ done: true, value: undefined });
  }

  throw(error: unknown): Promise<IteratorResult<unknown, undefined>> {
    void this.return();
    return Promise.reject(error);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  /** Takes a batch; the promise settles when all of it was taken. */
  push(items: BatchReader): void | Promise<void> {
    while (!items.empty && this.#waiters.length > 0) {
      this.#hand(this.#waiters.shift()!, items.next());
    }
    if (items.empty || this.#ended) return undefined;
    return new Promise((settle) => this.#batches.push({ items, settle }));
  }

  /** No more items will come. */
  end(): void {
    this.#close(undefined, false);
  }

  /** Fails after what waits was taken. */
  fail(error: DwcpError): void {
    this.#close(error, true);
  }

  /** Fails now: what waits is dropped. */
  abort(error: unknown): void {
    this.#close(error, true);
    this.#drop();
  }

  #close(error: unknown, hasError: boolean): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#hasError = hasError && this.#waiters.length === 0;
    for (const [at, { resolve, reject }] of this.#waiters.splice(0).entries()) {
      if (hasError && at === 0) reject(error);
      else resolve({ done: true, value: undefined });
    }
  }

  #drop(): void {
    const dropped = this.#batches;
    this.#batches = [];
    this.#head = 0;
    for (const batch of dropped) batch?.settle();
  }

  #take(batch: Batch): Promise<IteratorResult<unknown, undefined>> {
    const bytes = batch.items.next();
    if (batch.items.empty) {
      this.#batches[this.#head] = undefined;
      this.#head += 1;
      if (this.#head === this.#batches.length) {
        this.#batches = [];
        this.#head = 0;
      }
      batch.settle();
    }
    return new Promise((resolve, reject) => this.#hand({ resolve, reject }, bytes));
  }

  #hand(waiter: Waiter, bytes: Buffer): void {
    try {
      waiter.resolve({ done: false, value: this.#owner.decode(bytes) });
    } catch (error) {
      waiter.reject(error);
      const wasOpen = !this.#ended;
      this.#close(undefined, false);
      this.#drop();
      if (wasOpen) this.#owner.onGiveUp(error);
    }
  }
}
