/**
 * Hashes of a value's blocks and matching against them, in TypeScript, for tiers without the addon. What
 * a hash is and how a match is found are those of native/core/delta (block_hash.h, block_match.h), and
 * both give the same bytes. One step takes a few milliseconds.
 */
import { crc32c } from './crc32c.ts';

/** Odd factor of the rolling polynomial. */
const FACTOR = 0x2c1b3c6d;
const SPREAD = 0x9e3779b1 | 0;
/** Stored size of one block's hashes: rolling, then CRC-32C, bytes. */
export const BLOCK_HASH_BYTES = 8;
/** Slots looked at for one hash: bounds what forged hashes cost. */
const MAX_PROBES = 16;
/** Bytes checked in vain, over the content's: bounds that too. */
const MAX_WASTE_FACTOR = 4;
/** Bytes seen between two chances to yield. */
const BYTES_PER_STEP = 256 * 1024;

/** Hashes of a base that is not here. */
export interface RemoteBase {
  readonly hashes: Uint8Array;
  readonly blockBytes: number;
  readonly baseBytes: number;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Rolling hash of `size` bytes at `at`; zeros fill the last word. */
function rollingHash(view: DataView, at: number, size: number): number {
  const words = at + size - (size % 4);
  let hash = 0;
  let i = at;
  for (; i < words; i += 4) hash = (Math.imul(hash, FACTOR) + view.getInt32(i, true)) | 0;
  if (i === at + size) return hash;
  let last = 0;
  for (let shift = 0; i < at + size; i++, shift += 8) last |= view.getUint8(i) << shift;
  return (Math.imul(hash, FACTOR) + last) | 0;
}

/** Hashes of all blocks of a value; call {@link step} until it says true. */
export class BlockHasher {
  readonly hashes: Buffer;
  readonly #bytes: Uint8Array;
  readonly #blockBytes: number;
  #at = 0;

  constructor(bytes: Uint8Array, blockBytes: number) {
    this.#bytes = bytes;
    this.#blockBytes = blockBytes;
    this.hashes = Buffer.alloc(Math.ceil(bytes.length / blockBytes) * BLOCK_HASH_BYTES);
  }

  /** Hashes some more; true when all are done. */
  step(): boolean {
    const bytes = this.#bytes;
    const view = viewOf(bytes);
    const stop = Math.min(bytes.length, this.#at + BYTES_PER_STEP);
    while (this.#at < stop) {
      const size = Math.min(this.#blockBytes, bytes.length - this.#at);
      const out = (this.#at / this.#blockBytes) * BLOCK_HASH_BYTES;
      this.hashes.writeInt32LE(rollingHash(view, this.#at, size), out);
      this.hashes.writeUInt32LE(crc32c(bytes.subarray(this.#at, this.#at + size)), out + 4);
      this.#at += size;
    }
    return this.#at >= bytes.length;
  }
}

/** Whole blocks by rolling hash, by open addressing; of equal blocks the first is kept. */
class BlockTable {
  readonly rolling: Int32Array;
  readonly checks: Uint32Array;
  readonly #slots: Int32Array;
  readonly #shift: number;

  constructor({ hashes, blockBytes, baseBytes }: RemoteBase) {
    const view = viewOf(hashes);
    const count = hashes.length / BLOCK_HASH_BYTES;
    this.rolling = new Int32Array(count);
    this.checks = new Uint32Array(count);
    for (let i = 0; i < count; i++) {
      this.rolling[i] = view.getInt32(i * BLOCK_HASH_BYTES, true);
      this.checks[i] = view.getUint32(i * BLOCK_HASH_BYTES + 4, true);
    }
    const whole = Math.floor(baseBytes / blockBytes);
    this.#shift = Math.clz32(whole | 63) - 1;
    this.#slots = new Int32Array(2 ** (32 - this.#shift));
    for (let block = 0; block < whole; block++) this.#insert(block);
  }

  /** The first block of this hash for which `isMatch` holds, or -1. */
  find(hash: number, isMatch: (block: number) => boolean): number {
    const slots = this.#slots;
    const first = this.#slot(hash);
    if (slots[first] === 0) return -1;
    for (let probe = 0; probe < MAX_PROBES; probe++) {
      const block = slots[(first + probe) & (slots.length - 1)]! - 1;
      if (block < 0) return -1;
      if (this.rolling[block] === hash && isMatch(block)) return block;
    }
    return -1;
  }

  #slot(hash: number): number {
    return Math.imul(hash ^ (hash >>> 15), SPREAD) >>> this.#shift;
  }

  #insert(block: number): void {
    const slots = this.#slots;
    const hash = this.rolling[block]!;
    const first = this.#slot(hash);
    for (let probe = 0; probe < MAX_PROBES; probe++) {
      const at = (first + probe) & (slots.length - 1);
      const held = slots[at]! - 1;
      if (held < 0) {
        slots[at] = block + 1;
        return;
      }
      if (this.rolling[held] === hash && this.checks[held] === this.checks[block]) return;
    }
  }
}

/** Finds what of a value lies in a remote base; call {@link step} until it says true. */
export class BlockMatcher {
  readonly #ops: number[] = [];
  readonly #content: Uint8Array;
  readonly #view: DataView;
  readonly #table: BlockTable;
  readonly #blockBytes: number;
  readonly #baseBytes: number;
  readonly #leaving: number;
  /** Bytes that may still be checked in vain. */
  #waste: number;
  #covered = 0;
  /** Where the search goes on; behind `#covered` while it rolls. */
  #at = 0;
  /** The block behind the last one taken. */
  #next = 0;

  constructor(base: RemoteBase, content: Uint8Array) {
    this.#content = content;
    this.#view = viewOf(content);
    this.#table = new BlockTable(base);
    this.#blockBytes = base.blockBytes;
    this.#baseBytes = base.baseBytes;
    this.#waste = MAX_WASTE_FACTOR * content.length;
    let leaving = 1;
    for (let i = 0; i < base.blockBytes / 4; i++) leaving = Math.imul(leaving, FACTOR);
    this.#leaving = leaving;
  }

  /** Operations so far: literal bytes, copied bytes and base offset, 32 bits each. */
  ops(): Buffer {
    return Buffer.from(Uint32Array.from(this.#ops).buffer);
  }

  /** Matches some more; true when the content is at its end. */
  step(): boolean {
    const stop = this.#at + BYTES_PER_STEP;
    while (this.#at < stop) {
      if (this.#at === this.#covered && this.#follow(stop)) continue;
      if (this.#baseBytes < this.#blockBytes || !this.#seek(stop)) {
        this.#matchTail();
        return true;
      }
    }
    return false;
  }

  /** Takes block after block while they are what comes next; true when it took any. */
  #follow(stop: number): boolean {
    const { rolling } = this.#table;
    const start = this.#covered;
    while (this.#next < rolling.length && this.#covered < stop) {
      const at = this.#covered;
      const size = this.#sizeOf(this.#next);
      if (size > this.#content.length - at) break;
      if (rollingHash(this.#view, at, size) !== rolling[this.#next]) break;
      if (!this.#isAt(this.#next, at, size)) break;
      this.#take(this.#next, at, size);
    }
    return this.#covered > start;
  }

  /** Rolls on to the next known block or `stop`; false when the content is at its end. */
  #seek(stop: number): boolean {
    const size = this.#blockBytes;
    const view = this.#view;
    const last = this.#content.length - size;
    const start = this.#at;
    if (start > last) return false;
    const end = Math.min(last, stop);
    const lane = (i: number): number => (start + i > last ? 0 : rollingHash(view, start + i, size));
    let h0 = lane(0);
    let h1 = lane(1);
    let h2 = lane(2);
    let h3 = lane(3);
    for (let at = start; at <= end; at++) {
      if (this.#lookUp(h0, at)) return true;
      let rolled = 0;
      if (at + 4 <= last) {
        const entering = view.getInt32(at + size, true);
        const out = Math.imul(view.getInt32(at, true), this.#leaving);
        rolled = (Math.imul(h0, FACTOR) + entering - out) | 0;
      }
      h0 = h1;
      h1 = h2;
      h2 = h3;
      h3 = rolled;
    }
    this.#at = end + 1;
    return end < last;
  }

  #lookUp(hash: number, at: number): boolean {
    const size = this.#blockBytes;
    const isMatch = (block: number): boolean => this.#waste > 0 && this.#isAt(block, at, size);
    const block = this.#table.find(hash, isMatch);
    if (block < 0) return false;
    this.#take(block, at, size);
    return true;
  }

  /** The short last block is looked for at the end only. */
  #matchTail(): void {
    const size = this.#baseBytes % this.#blockBytes;
    const at = this.#content.length - size;
    if (size === 0 || at < this.#covered) return;
    const block = this.#table.rolling.length - 1;
    if (rollingHash(this.#view, at, size) !== this.#table.rolling[block]) return;
    if (this.#isAt(block, at, size)) this.#take(block, at, size);
  }

  #sizeOf(block: number): number {
    return Math.min(this.#blockBytes, this.#baseBytes - block * this.#blockBytes);
  }

  #isAt(block: number, at: number, size: number): boolean {
    if (crc32c(this.#content.subarray(at, at + size)) === this.#table.checks[block]) return true;
    this.#waste -= size;
    return false;
  }

  #take(block: number, at: number, size: number): void {
    const ops = this.#ops;
    const from = block * this.#blockBytes;
    const last = ops.length - 3;
    if (at === this.#covered && last >= 0 && from === ops[last + 1]! + ops[last + 2]!) {
      ops[last + 1]! += size;
    } else {
      ops.push(at - this.#covered, size, from);
    }
    this.#covered = at + size;
    this.#at = this.#covered;
    this.#next = block + 1;
  }
}
