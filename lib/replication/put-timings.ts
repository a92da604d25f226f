/** When recent local writes were asked for, to measure how long they took to reach each peer; bounded. */
import type { Dot } from '../conflict/index.ts';
import type { WriteTiming } from './namespace-store.ts';
import { RecentMap } from './recent-map.ts';

/** Writes remembered per namespace. */
const MAX_WRITES = 16_384;

/** Timings by namespace and dot. All writes here are of one replica, unless its id was renewed. */
export class PutTimings {
  readonly #byNamespace = new Map<number, RecentMap<number, { dot: Dot; timing: WriteTiming }>>();

  get(ns: number, dot: Dot): WriteTiming | undefined {
    const known = this.#byNamespace.get(ns)?.get(dot.seq);
    return known?.dot.replica === dot.replica ? known.timing : undefined;
  }

  set(ns: number, dot: Dot, timing: WriteTiming): void {
    let timings = this.#byNamespace.get(ns);
    if (!timings) this.#byNamespace.set(ns, (timings = new RecentMap(MAX_WRITES)));
    timings.set(dot.seq, { dot, timing });
  }
}
