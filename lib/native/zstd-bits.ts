/**
 * The two bit streams of zstd (RFC 8878 sections 4.1 and 4.2.2): forward for FSE table descriptions, and
 * backward for everything coded, which ends in a marker bit. Bytes must have four readable bytes after the
 * stream, so that a word can be loaded anywhere. Both are bounded by construction: past the start, a
 * backward stream gives zeros and goes negative, which its user checks.
 */
import { corruptZstd } from './zstd-frame.ts';

/** Most bits one load gives at any bit offset. */
const LOAD_BITS = 25;

function load(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

/** Reads from the last bit to the first. */
export class BackwardBits {
  readonly #bytes: Uint8Array;
  readonly #startBit: number;
  /** Bits not yet read; negative when more was read than there was. */
  left: number;

  /** Over `bytes[start, end)`. @throws ERR_DWCP_CODEC without an end marker */
  constructor(bytes: Uint8Array, start: number, end: number) {
    const last = end > start ? bytes[end - 1]! : 0;
    if (last === 0) throw corruptZstd('a bit stream has no end marker');
    this.#bytes = bytes;
    this.#startBit = start * 8;
    this.left = (end - start - 1) * 8 + 31 - Math.clz32(last);
  }

  /** The next `count` bits, at most 25, without consuming them; zeros stand in past the start. */
  peek(count: number): number {
    const from = this.left - count;
    if (from < 0) return this.left > 0 ? this.#at(0, this.left) << -from : 0;
    return this.#at(from, count);
  }

  /** The next `count` bits, at most 31. */
  read(count: number): number {
    if (count > LOAD_BITS) {
      const high = this.read(count - LOAD_BITS);
      return high * 2 ** LOAD_BITS + this.read(LOAD_BITS);
    }
    const value = this.peek(count);
    this.left -= count;
    return value;
  }

  #at(from: number, count: number): number {
    const bit = this.#startBit + from;
    return (load(this.#bytes, bit >>> 3) >>> (bit & 7)) & ((1 << count) - 1);
  }
}

/** Reads from the first bit to the last. */
export class ForwardBits {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #bit: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#bit = start * 8;
    this.#end = end * 8;
  }

  /** The next byte that was not touched. */
  get nextByte(): number {
    return (this.#bit + 7) >>> 3;
  }

  /** The next `count` bits, at most 25. @throws ERR_DWCP_CODEC past the end */
  read(count: number): number {
    const value = (load(this.#bytes, this.#bit >>> 3) >>> (this.#bit & 7)) & ((1 << count) - 1);
    this.skip(count);
    return value;
  }

  /** Moves on, or back when negative. */
  skip(count: number): void {
    this.#bit += count;
    if (this.#bit > this.#end) throw corruptZstd('a table description is cut off');
  }
}
