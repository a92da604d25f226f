/**
 * LEB128 varints for sizes and operations, at most 2^53 - 1, minimal form only, so that one value has
 * one encoding. Readers never pass their end and throw ERR_DWCP_FRAME_CORRUPT instead.
 */
import { DwcpError } from '../errors.ts';

/** Bytes {@link writeVarint} takes for `value`. */
export function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++;
  return size;
}

/** Writes `value` at `at` and returns the offset after it. The caller has made room. */
export function writeVarint(out: Uint8Array, at: number, value: number): number {
  let rest = value;
  while (rest > 0x7fffffff) {
    out[at++] = (rest % 128) | 128;
    rest = Math.floor(rest / 128);
  }
  while (rest >= 128) {
    out[at++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  out[at++] = rest;
  return at;
}

/** Reads bytes and varints front to back within fixed bounds. */
export class ByteReader {
  readonly #bytes: Buffer;
  #at: number;
  readonly #end: number;

  constructor(bytes: Buffer, at = 0, end: number = bytes.length) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  /** Offset of the next byte. */
  get offset(): number {
    return this.#at;
  }

  /** Bytes not read yet. */
  get remaining(): number {
    return this.#end - this.#at;
  }

  /** The next byte. */
  byte(): number {
    if (this.#at >= this.#end) corrupt('truncated');
    return this.#bytes[this.#at++]!;
  }

  /** A view of the next `count` bytes. */
  take(count: number): Buffer {
    if (count > this.#end - this.#at) corrupt('truncated');
    const view = this.#bytes.subarray(this.#at, this.#at + count);
    this.#at += count;
    return view;
  }

  /** The next varint. */
  varint(): number {
    const first = this.byte();
    if (first < 128) return first;
    let value = first & 127;
    for (let scale = 128; ; scale *= 128) {
      const next = this.byte();
      value += (next & 127) * scale;
      if (value > Number.MAX_SAFE_INTEGER) corrupt('varint too large');
      if (next < 128) return next === 0 ? corrupt('varint not minimal') : value;
    }
  }

  /** The next 32-bit little-endian word. */
  uint32(): number {
    return this.take(4).readUInt32LE(0);
  }
}

/** Throws ERR_DWCP_FRAME_CORRUPT. */
export function corrupt(what: string): never {
  throw new DwcpError('ERR_DWCP_FRAME_CORRUPT', `codec frame: ${what}`);
}
