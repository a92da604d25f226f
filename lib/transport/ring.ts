/**
 * A first-in first-out queue in one array that is used again: nothing is moved, and nothing allocated once it
 * is large enough.
 */

const leastCapacity = 8;

/** A queue. */
export class Ring<T> {
  /** The capacity is a power of two. */
  #items: (T | undefined)[] = Array.from<T | undefined>({ length: leastCapacity });
  #head = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The oldest, or undefined. */
  peek(): T | undefined {
    return this.#items[this.#head];
  }

  push(item: T): void {
    if (this.#size === this.#items.length) this.#grow();
    this.#items[(this.#head + this.#size) & (this.#items.length - 1)] = item;
    this.#size++;
  }

  /** Takes the oldest out; undefined when there is none. */
  shift(): T | undefined {
    const item = this.#items[this.#head];
    if (this.#size === 0) return undefined;
    this.#items[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#items.length - 1);
    this.#size--;
    return item;
  }

  /** Takes one out wherever it is; false when it is not there. */
  remove(item: T): boolean {
    const all = this.clear();
    const at = all.indexOf(item);
    for (const [i, each] of all.entries()) if (i !== at) this.push(each);
    return at >= 0;
  }

  /** Takes all out, the oldest first. */
  clear(): T[] {
    const all: T[] = [];
    while (this.#size > 0) all.push(this.shift()!);
    return all;
  }

  #grow(): void {
    const { length } = this.#items;
    const items = Array.from<T | undefined>({ length: length * 2 });
    for (let i = 0; i < length; i++) items[i] = this.#items[(this.#head + i) & (length - 1)];
    this.#items = items;
    this.#head = 0;
  }
}
