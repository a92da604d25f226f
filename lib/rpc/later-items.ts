/**
 * Items of a handler that may give a promise of them. No generator, whose `return` waits for the `next` under way: the
 * handler's own iterator is told at once that nobody reads on.
 */
import { iteratorOf, type AnyIterator } from './item-sender.ts';

/** See the file header. The handler starts with the first `next`. */
export class LaterItems implements AsyncIterableIterator<unknown> {
  readonly #start: () => unknown;
  #iterator: Promise<AnyIterator> | undefined;
  #over = false;

  constructor(start: () => unknown) {
    this.#start = start;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<unknown>> {
    if (this.#over) return { done: true, value: undefined };
    this.#iterator ??= this.#begin();
    const iterator = await this.#iterator;
    return iterator.next();
  }

  async return(): Promise<IteratorResult<unknown>> {
    this.#over = true;
    const iterator = await this.#iterator?.catch(() => undefined);
    await iterator?.return?.();
    return { done: true, value: undefined };
  }

  async #begin(): Promise<AnyIterator> {
    return iteratorOf(await this.#start());
  }
}
