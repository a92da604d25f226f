/**
 * An ordered map from bytes to bytes in memory: sorted blocks of at most 512 entries, so an insert
 * moves little. Keys are kept as Latin-1 strings, whose comparison is byte order. Owns copies of
 * its values.
 */
import type { StorageOp, StorageRange } from './storage.ts';

interface Entry {
  readonly key: string;
  value: Buffer;
}

const maxBlock = 512;

/** A copy with memory of its own: one cut from Node's pool would keep a whole slab for as long as it lives. */
const kept = (value: Uint8Array): Buffer => {
  const copy = Buffer.allocUnsafeSlow(value.length);
  copy.set(value);
  return copy;
};
const keyText = (key: Uint8Array): string =>
  Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');

/** Keys in byte order. */
export class OrderedMap {
  #blocks: Entry[][] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The stored value itself; copy it before handing it out. */
  get(key: Uint8Array): Buffer | undefined {
    const text = keyText(key);
    const entry = this.#blocks[this.#blockFor(text)]?.[this.#positionOf(text)];
    return entry?.key === text ? entry.value : undefined;
  }

  apply(ops: readonly StorageOp[]): void {
    for (const op of ops) {
      if (op.type === 'put') this.#put(keyText(op.key), kept(op.value));
      else this.#delete(keyText(op.key));
    }
  }

  /** Up to `limit` entries of the range, copied. */
  page(range: StorageRange, limit: number): [Buffer, Buffer][] {
    const [gte, lt] = [keyText(range.gte), keyText(range.lt)];
    const found: [Buffer, Buffer][] = [];
    const step = range.reverse === true ? -1 : 1;
    const start = range.reverse === true ? lt : gte;
    let block = this.#blockFor(start);
    let at = this.#positionOf(start) + (step < 0 ? -1 : 0);
    while (found.length < limit) {
      const entry = this.#blocks[block]?.[at];
      if (entry === undefined) {
        block += step;
        const next = this.#blocks[block];
        if (next === undefined) break;
        at = step < 0 ? next.length - 1 : 0;
        continue;
      }
      if (entry.key < gte || entry.key >= lt) break;
      found.push([Buffer.from(entry.key, 'latin1'), Buffer.from(entry.value)]);
      at += step;
    }
    return found;
  }

  /** An independent map with the same entries. */
  clone(): OrderedMap {
    const copy = new OrderedMap();
    copy.#blocks = this.#blocks.map((block) => block.map((entry) => ({ ...entry })));
    copy.#size = this.#size;
    return copy;
  }

  #put(key: string, value: Buffer): void {
    const index = this.#blockFor(key);
    const block = this.#blocks[index];
    if (block === undefined) {
      this.#blocks.push([{ key, value }]);
      this.#size += 1;
      return;
    }
    const at = this.#positionOf(key);
    const entry = block[at];
    if (entry?.key === key) {
      entry.value = value;
      return;
    }
    block.splice(at, 0, { key, value });
    this.#size += 1;
    if (block.length > maxBlock) this.#blocks.splice(index + 1, 0, block.splice(maxBlock / 2));
  }

  #delete(key: string): void {
    const index = this.#blockFor(key);
    const block = this.#blocks[index];
    const at = this.#positionOf(key);
    if (block?.[at]?.key !== key) return;
    block.splice(at, 1);
    this.#size -= 1;
    if (block.length === 0) this.#blocks.splice(index, 1);
  }

  /** Index of the last block that starts at or before `key`, else 0. */
  #blockFor(key: string): number {
    let low = 0;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#blocks[middle]![0]!.key <= key) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }

  /** Where `key` is or would be in its block. */
  #positionOf(key: string): number {
    const block = this.#blocks[this.#blockFor(key)] ?? [];
    let low = 0;
    let high = block.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (block[middle]!.key < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
