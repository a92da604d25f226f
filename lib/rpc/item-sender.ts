/**
 * Sends what an iterable yields as batches of items. At most one batch is on its way to the pipe and one
 * being filled: a source that is faster than the peer's credit is not asked for more. What a turn of the
 * event loop yielded leaves together; a lone item leaves at the end of its turn.
 */
import { DwcpError, invalidArg } from '../errors.ts';
import type { Stream } from '../transport/stream.ts';
import { BatchWriter } from './item-batch.ts';

/** Anything that yields items. */
export type ItemSource<T = unknown> = AsyncIterable<T> | Iterable<T>;

/** An iterator of either kind. */
export type AnyIterator = Iterator<unknown> | AsyncIterator<unknown>;

/** Sends the items of one source over one stream. */
export class ItemSender {
  readonly #stream: Stream;
  readonly #encode: (value: unknown) => Uint8Array;
  readonly #maxPayloadBytes: number;
  readonly #writer = new BatchWriter();
  #sending: Promise<void> | undefined;
  #flushDue = false;
  #iterator: AnyIterator | undefined;
  #stopped = false;
  #error: unknown;

  constructor(stream: Stream, encode: (value: unknown) => Uint8Array, maxPayloadBytes: number) {
    this.#stream = stream;
    this.#encode = encode;
    this.#maxPayloadBytes = maxPayloadBytes;
  }

  /** True while a batch waits for the peer's credit or the pipe. */
  get stalled(): boolean {
    return this.#sending !== undefined;
  }

  /** True when the stream took no more. */
  get broken(): boolean {
    return this.#error !== undefined;
  }

  /**
   * Sends everything the source yields; false when it was stopped.
   * @throws what the source or the encoder threw, or why the stream takes no more
   */
  async run(source: unknown): Promise<boolean> {
    const iterator = iteratorOf(source);
    this.#iterator = iterator;
    if (this.#stopped) this.#close();
    try {
      while (!this.#stopped) {
        const step = iterator.next();
        const { done, value } = 'then' in step ? await step : step;
        if (this.#stopped || done) break;
        const full = this.#add(this.#encode(value));
        if (full) await full;
      }
    } catch (error) {
      this.stop();
      throw error;
    }
    return !this.#stopped;
  }

  /** Sends what is left and then `last` with the half-close. */
  async finish(last: Uint8Array | readonly Uint8Array[] | undefined): Promise<void> {
    while (this.#sending) await this.#sending;
    this.#throwIfFailed();
    if (!this.#writer.empty) this.#flush();
    if (last) await this.#stream.send(last, { end: true });
    else this.#stream.end();
  }

  /** Asks the source for nothing more and tells it so. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#close();
  }

  /** What a source does about being closed is its own affair. */
  #close(): void {
    try {
      const closing: unknown = this.#iterator?.return?.();
      if (closing instanceof Promise) closing.catch(() => {});
    } catch {
      // It threw in the same turn: the same.
    }
  }

  #add(item: Uint8Array): Promise<void> | undefined {
    if (item.length > this.#maxPayloadBytes) {
      const limit = this.#maxPayloadBytes;
      const text = `an item of ${item.length} bytes passes maxPayloadBytes ${limit}`;
      throw new DwcpError('ERR_DWCP_LIMIT', text, { detail: { limit: 'maxPayloadBytes' } });
    }
    this.#throwIfFailed();
    this.#writer.add(item);
    if (!this.#writer.full) {
      if (!this.#sending && !this.#flushDue) this.#flushSoon();
      return undefined;
    }
    if (this.#sending) return this.#room();
    this.#flush();
    return undefined;
  }

  async #room(): Promise<void> {
    while (this.#sending && this.#writer.full) await this.#sending;
    this.#throwIfFailed();
  }

  #flushSoon(): void {
    this.#flushDue = true;
    process.nextTick(() => {
      this.#flushDue = false;
      if (!this.#sending && !this.#writer.empty) this.#flush();
    });
  }

  #flush(): void {
    this.#sending = this.#stream.send(this.#writer.take()).then(this.#onSent, (error: unknown) => {
      this.#sending = undefined;
      this.#error = error ?? new DwcpError('ERR_DWCP_CLOSED');
    });
  }

  readonly #onSent = (): void => {
    this.#sending = undefined;
    this.#writer.settled();
    if (!this.#writer.empty) this.#flush();
  };

  #throwIfFailed(): void {
    if (this.#error !== undefined) throw this.#error;
  }
}

/** The iterator of what yields items. @throws ERR_DWCP_INVALID_ARG */
export function iteratorOf(source: unknown): AnyIterator {
  if (typeof source === 'object' && source !== null) {
    if (Symbol.asyncIterator in source) {
      return (source as AsyncIterable<unknown>)[Symbol.asyncIterator]();
    }
    if (Symbol.iterator in source) return (source as Iterable<unknown>)[Symbol.iterator]();
  }
  return invalidArg('items', 'an async iterable or an iterable', source);
}
