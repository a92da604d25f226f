/**
 * The last write of each key that one peer is known to hold the value of; bounded, since forgetting one
 * only costs a whole value.
 */
import type { Dot } from '../conflict/index.ts';
import { RecentMap } from './recent-map.ts';

/** Keys remembered per namespace. */
const MAX_KEYS = 16_384;

/** Acknowledged bases of one peer. */
export class PeerBases {
  readonly #byNamespace = new Map<number, RecentMap<string, Dot>>();

  get(ns: number, key: string): Dot | undefined {
    return this.#byNamespace.get(ns)?.get(key);
  }

  set(ns: number, key: string, dot: Dot): void {
    let dots = this.#byNamespace.get(ns);
    if (!dots) this.#byNamespace.set(ns, (dots = new RecentMap(MAX_KEYS)));
    dots.set(key, dot);
  }

  delete(ns: number, key: string): void {
    this.#byNamespace.get(ns)?.delete(key);
  }
}
