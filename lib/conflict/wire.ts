/**
 * Cursor over untrusted bytes and its counterpart, for the canonical encodings of this room.
 * Integers are LEB128 varints in their shortest form, up to 2^53 - 1; every read checks what is
 * left first, and nothing is allocated from a count before `count` has passed both limit and input
 * size.
 */
import { DwcpError } from '../errors.ts';
import type { ReplicaId } from './types.ts';

/** Bytes of an encoded replica id. */
const replicaBytes = 8;

const replicaPattern = /^[0-9a-f]{16}$/;

/** True for 16 lower-case hex digits. */
export function isReplicaId(value: unknown): value is ReplicaId {
  return typeof value === 'string' && replicaPattern.test(value);
}

/** Throws ERR_DWCP_FRAME_CORRUPT naming what was being read. */
export function corrupt(what: string, why: string): never {
  throw new DwcpError('ERR_DWCP_FRAME_CORRUPT', `${what}: ${why}`, { detail: { what } });
}

const asciiPattern = /^[ -~]*$/;
const hexOfByte = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads one value after the other; every method throws a coded error and never reads past the end.
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #what: string;
  #at = 0;

  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    if (this.remaining < 1) corrupt(this.#what, 'truncated');
    return this.#bytes[this.#at++]!;
  }

  /** A varint of at most `max`. */
  varint(max: number, name: string): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (value > max) corrupt(this.#what, `${name} is out of range`);
      if (byte < 0x80) {
        if (byte === 0 && scale > 1) corrupt(this.#what, `${name} is not in its shortest form`);
        return value;
      }
      scale *= 128;
      if (scale > 2 ** 49) corrupt(this.#what, `${name} is too long`);
    }
  }

  /**
   * A number of items that each take at least `itemBytes`: checked against `max` and what is left.
   */
  count(max: number, itemBytes: number, name: string): number {
    const value = this.varint(Number.MAX_SAFE_INTEGER, name);
    if (value > max) {
      throw new DwcpError('ERR_DWCP_LIMIT', `${this.#what}: ${name} ${value} is above ${max}`, {
        detail: { limit: name, max },
      });
    }
    if (value * itemBytes > this.remaining) corrupt(this.#what, 'truncated');
    return value;
  }

  replica(): ReplicaId {
    if (this.remaining < replicaBytes) corrupt(this.#what, 'truncated');
    let id = '';
    for (let i = 0; i < replicaBytes; i += 1) id += hexOfByte[this.#bytes[this.#at++]!]!;
    return id;
  }

  /** Length-prefixed UTF-8 of at most `maxBytes`. */
  text(maxBytes: number, name: string): string {
    const length = this.count(maxBytes, 1, name);
    const slice = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    try {
      return utf8Decoder.decode(slice);
    } catch {
      return corrupt(this.#what, `${name} is not UTF-8`);
    }
  }

  /** Throws when bytes are left over. */
  end(): void {
    if (this.remaining > 0) corrupt(this.#what, `${this.remaining} bytes left over`);
  }
}

/** Grows as needed; `finish` hands out the bytes, owned by the caller. */
export class ByteWriter {
  #bytes = new Uint8Array(64);
  #at = 0;

  u8(value: number): this {
    this.#reserve(1);
    this.#bytes[this.#at++] = value;
    return this;
  }

  varint(value: number): this {
    this.#reserve(8);
    let rest = value;
    while (rest >= 128) {
      this.#bytes[this.#at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#at++] = rest;
    return this;
  }

  replica(id: ReplicaId): this {
    this.#reserve(replicaBytes);
    for (let i = 0; i < replicaBytes; i += 1) {
      this.#bytes[this.#at++] = (nibble(id, 2 * i) << 4) | nibble(id, 2 * i + 1);
    }
    return this;
  }

  text(value: string): this {
    const bytes = utf8Encoder.encode(value);
    this.varint(bytes.length);
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
    return this;
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#at);
  }

  #reserve(sizeBytes: number): void {
    if (this.#at + sizeBytes <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + sizeBytes));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

/** Value of a lower-case hex digit. */
function nibble(hex: string, at: number): number {
  const code = hex.charCodeAt(at);
  return code < 0x61 ? code - 0x30 : code - 0x57;
}

/** True when `value` survives UTF-8 unchanged and takes at most `maxBytes`. */
export function isEncodableText(value: string, maxBytes: number): boolean {
  if (value.length <= maxBytes && asciiPattern.test(value)) return true;
  const bytes = utf8Encoder.encode(value);
  return bytes.length <= maxBytes && utf8Decoder.decode(bytes) === value;
}
