/**
 * The last write of each key that one peer is known to hold the value of, newest used last; bounded,
 * since forgetting one only costs a whole value.
 */
import type { Dot } from '../conflict/index.ts';

const MAX_KEYS = 16_384;

/** Acknowledged bases of one peer. */
export class PeerBases {
  readonly #dots = new Map<string, Dot>();

  get(ns: number, key: string): Dot | undefined {
    return this.#dots.get(`${ns}/${key}`);
  }

  set(ns: number, key: string, dot: Dot): void {
    const name = `${ns}/${key}`;
    this.#dots.delete(name);
    this.#dots.set(name, dot);
    if (this.#dots.size <= MAX_KEYS) return;
    const [oldest] = this.#dots.keys();
    this.#dots.delete(oldest!);
  }

  delete(ns: number, key: string): void {
    this.#dots.delete(`${ns}/${key}`);
  }
}
