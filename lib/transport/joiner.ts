/**
 * Finishes the large messages of one stream without holding the event loop: a step per turn, so what is urgent
 * is handled between two steps. Messages leave in the order they came.
 */
import { type Clock, nextTurn } from '../clock.ts';
import type { Assembly } from './assembly.ts';

/** A message whose frames are all here. */
interface Waiting {
  readonly assembly: Assembly;
  readonly done: (bytes: Buffer) => void;
}

/** The messages of one stream that are being finished. */
export class Joiner {
  readonly #clock: Clock;
  #queue: Waiting[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** True when nothing is under way. */
  get idle(): boolean {
    return this.#queue.length === 0;
  }

  /** Calls `done` with the bytes, in a later turn. */
  finish(assembly: Assembly, done: (bytes: Buffer) => void): void {
    this.#queue.push({ assembly, done });
    if (this.#queue.length === 1) nextTurn(this.#clock, this.#step);
  }

  /** Forgets what is under way; returns how many bytes that was. */
  clear(): number {
    const dropped = this.#queue;
    this.#queue = [];
    return dropped.reduce((sum, { assembly }) => sum + assembly.sizeBytes, 0);
  }

  readonly #step = (): void => {
    const head = this.#queue[0];
    if (!head) return;
    const bytes = head.assembly.finish();
    if (bytes) this.#queue.shift();
    if (this.#queue.length > 0) nextTurn(this.#clock, this.#step);
    if (bytes) head.done(bytes);
  };
}
