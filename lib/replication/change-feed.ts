/**
 * Changes to whoever watches: callbacks in the turn of the change, and iterators that may be slow. A
 * slow iterator keeps the latest change per key, at most `MAX_PENDING_KEYS` of them; past that it fails
 * with ERR_DWCP_LIMIT rather than miss a key in silence.
 */
import { onAbort } from '../abort.ts';
import { DwcpError } from '../errors.ts';

/** Keys that may wait in one iterator. */
export const MAX_PENDING_KEYS = 65_536;

/** Options of a subscription. */
export interface WatchOptions {
  /** Ends the subscription; an iterator then ends without an error. */
  readonly signal?: AbortSignal | undefined;
}

/** One kind of change, fanned out. */
export class ChangeFeed<E extends { readonly key: string }> {
  /** Each with how to stop it. */
  readonly #listeners = new Map<(event: E) => void, () => void>();
  readonly #closers = new Set<(error?: DwcpError) => void>();
  readonly #onError: (error: unknown) => void;

  /** @param onError gets what a callback threw; a broken callback never stops a write. */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  get watchers(): number {
    return this.#listeners.size;
  }

  emit(event: E): void {
    for (const listener of this.#listeners.keys()) {
      try {
        const answer: unknown = listener(event);
        if (answer instanceof Promise) answer.catch(this.#onError);
      } catch (error) {
        this.#onError(error);
      }
    }
  }

  /** Calls `listener` for keys with the prefix; returns how to stop. */
  subscribe(prefix: string, listener: (event: E) => void, options: WatchOptions = {}): () => void {
    const { signal } = options;
    const filtered = (event: E): void => {
      return event.key.startsWith(prefix) ? listener(event) : undefined;
    };
    if (signal?.aborted) return () => {};
    const stop = (): void => {
      this.#listeners.delete(filtered);
      unlisten();
    };
    const unlisten = onAbort(signal, stop);
    this.#listeners.set(filtered, stop);
    return stop;
  }

  /** Iterates over changes from now on. `render` is called when an event is taken, not before. */
  iterate<R>(
    prefix: string,
    render: (event: E) => Promise<R>,
    options: WatchOptions = {},
  ): AsyncIterableIterator<R> {
    const pending = new Map<string, E>();
    let wake: (() => void) | undefined;
    let failure: DwcpError | undefined;
    let over = false;
    const finish = (error?: DwcpError): void => {
      over = true;
      failure ??= error;
      stop();
      unlisten();
      this.#closers.delete(finish);
      wake?.();
    };
    const stop = this.subscribe(prefix, (event) => {
      pending.delete(event.key);
      pending.set(event.key, event);
      if (pending.size > MAX_PENDING_KEYS) finish(tooSlow());
      wake?.();
    });
    this.#closers.add(finish);
    const unlisten = onAbort(options.signal, () => finish());
    if (options.signal?.aborted) finish();
    const take = async (): Promise<IteratorResult<R>> => {
      for (;;) {
        if (failure) throw failure;
        const [first] = pending;
        if (first && !over) {
          pending.delete(first[0]);
          return { done: false, value: await render(first[1]) };
        }
        if (over) return { done: true, value: undefined };
        await new Promise<void>((resolve) => (wake = resolve));
        wake = undefined;
      }
    };
    // Calls of `next` that overlap are served in turn, as an async generator serves them.
    let last: Promise<unknown> = Promise.resolve();
    const next = (): Promise<IteratorResult<R>> => {
      const result = last.then(take);
      last = result.catch(() => undefined);
      return result;
    };
    return {
      [Symbol.asyncIterator]() {
        return this;
      },
      next,
      async return() {
        finish();
        return { done: true, value: undefined };
      },
    };
  }

  /** Ends every subscription. */
  close(): void {
    for (const finish of this.#closers) finish();
    for (const stop of this.#listeners.values()) stop();
  }
}

function tooSlow(): DwcpError {
  return new DwcpError('ERR_DWCP_LIMIT', `a watcher fell ${MAX_PENDING_KEYS} keys behind`, {
    detail: { limit: 'maxPendingKeys', max: MAX_PENDING_KEYS },
  });
}
