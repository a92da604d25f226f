/**
 * Items of what begins with the first `next` and may give a promise of them: a handler behind interceptors, a request
 * through them. No generator, whose `return` waits for the `next` under way: the iterator is told at once that
 * nobody reads on.
 */
import { iteratorOf, type AnyIterator } from './item-sender.ts';
import type { ItemStream } from './types.ts';

type Step = IteratorResult<unknown, undefined>;

/** See the file header. */
export class LaterItems implements ItemStream<unknown> {
  readonly #start: () => unknown;
  #beginning: Promise<AnyIterator> | undefined;
  #iterator: AnyIterator | undefined;
  #over = false;

  /** `start` gives an iterable of either kind, or a promise of one; what else it gives fails the first `next`. */
  constructor(start: () => unknown) {
    this.#start = start;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<Step> {
    if (this.#over) return { done: true, value: undefined };
    const iterator = this.#iterator ?? (await (this.#beginning ??= this.#begin()));
    const { done, value } = await iterator.next();
    return done ? { done, value: undefined } : { done: false, value };
  }

  async return(): Promise<Step> {
    this.#over = true;
    const iterator = this.#iterator ?? (await this.#beginning?.catch(() => undefined));
    await iterator?.return?.();
    return { done: true, value: undefined };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  async #begin(): Promise<AnyIterator> {
    this.#iterator = iteratorOf(await this.#start());
    return this.#iterator;
  }
}
