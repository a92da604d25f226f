/**
 * A bounded map of recent entries: two generations, the older dropped whole when the younger is full,
 * so every operation costs the same however many entries there are. (Deleting a `Map`'s first key over
 * and over makes each look at the holes the others left.) Holds at most `maxWeight`.
 */

/** Entries used or written lately. */
export class RecentMap<K, V> {
  readonly #halfWeight: number;
  #young = new Map<K, V>();
  #old = new Map<K, V>();
  #youngWeight = 0;
  #oldWeight = 0;

  /** @param maxWeight entries, or whatever `set` is told an entry weighs. */
  constructor(maxWeight: number) {
    this.#halfWeight = maxWeight / 2;
  }

  /** What the entries weigh, replaced and deleted ones included until their generation ends. */
  get weight(): number {
    return this.#youngWeight + this.#oldWeight;
  }

  get(name: K): V | undefined {
    return this.#young.get(name) ?? this.#old.get(name);
  }

  /** Adds or replaces; an entry heavier than half of it all is not kept. */
  set(name: K, value: V, weight = 1): void {
    if (weight > this.#halfWeight) return this.delete(name);
    if (this.#youngWeight + weight > this.#halfWeight) {
      this.#old = this.#young;
      this.#oldWeight = this.#youngWeight;
      this.#young = new Map();
      this.#youngWeight = 0;
    }
    this.#young.set(name, value);
    this.#youngWeight += weight;
  }

  delete(name: K): void {
    this.#young.delete(name);
    this.#old.delete(name);
  }
}
