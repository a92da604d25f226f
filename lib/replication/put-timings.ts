/** When recent local writes were asked for, to measure how long they took to reach each peer; bounded. */
import type { Dot } from '../conflict/index.ts';
import { dotName } from './key-record.ts';
import type { WriteTiming } from './namespace-store.ts';

const MAX_WRITES = 16_384;

/** Timings by namespace and dot. */
export class PutTimings {
  readonly #timings = new Map<string, WriteTiming>();

  get(ns: number, dot: Dot): WriteTiming | undefined {
    return this.#timings.get(`${ns}/${dotName(dot)}`);
  }

  set(ns: number, dot: Dot, timing: WriteTiming): void {
    this.#timings.set(`${ns}/${dotName(dot)}`, timing);
    if (this.#timings.size <= MAX_WRITES) return;
    const [oldest] = this.#timings.keys();
    this.#timings.delete(oldest!);
  }
}
