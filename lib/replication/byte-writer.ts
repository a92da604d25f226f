/** Builds small binary records: varints, bytes and text with a length before them. Grows as needed. */
import { isUtf8 } from 'node:buffer';
import { writeVarint } from '../compression/varint.ts';
import type { ByteReader } from '../compression/varint.ts';
import { DwcpError } from '../errors.ts';

const MAX_VARINT_BYTES = 8;

/** Appends; `finish` hands out the bytes, owned by the caller. */
export class ByteWriter {
  #bytes: Buffer;
  #at = 0;

  /** @param sizeBytes about what will be written. */
  constructor(sizeBytes = 128) {
    this.#bytes = Buffer.allocUnsafe(sizeBytes);
  }

  get sizeBytes(): number {
    return this.#at;
  }

  byte(value: number): this {
    this.#reserve(1);
    this.#bytes[this.#at++] = value;
    return this;
  }

  varint(value: number): this {
    this.#reserve(MAX_VARINT_BYTES);
    this.#at = writeVarint(this.#bytes, this.#at, value);
    return this;
  }

  /** Bytes as they are. */
  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
    return this;
  }

  /** A length, then the bytes. */
  sized(bytes: Uint8Array): this {
    return this.varint(bytes.length).raw(bytes);
  }

  text(value: string): this {
    return this.sized(Buffer.from(value, 'utf8'));
  }

  finish(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  #reserve(sizeBytes: number): void {
    if (this.#at + sizeBytes <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#at + sizeBytes));
    this.#bytes.copy(grown, 0, 0, this.#at);
    this.#bytes = grown;
  }
}

/** Reads what {@link ByteWriter.sized} wrote, a view. @throws ERR_DWCP_LIMIT above `maxBytes` */
export function readSized(reader: ByteReader, maxBytes: number, name: string): Buffer {
  const sizeBytes = reader.varint();
  if (sizeBytes > maxBytes) {
    throw new DwcpError('ERR_DWCP_LIMIT', `${name} of ${sizeBytes} bytes is above ${maxBytes}`, {
      detail: { limit: name, max: maxBytes },
    });
  }
  return reader.take(sizeBytes);
}

/** Reads what {@link ByteWriter.text} wrote. @throws ERR_DWCP_FRAME_CORRUPT when it is not UTF-8 */
export function readText(reader: ByteReader, maxBytes: number, name: string): string {
  const bytes = readSized(reader, maxBytes, name);
  if (isUtf8(bytes)) return bytes.toString('utf8');
  throw new DwcpError('ERR_DWCP_FRAME_CORRUPT', `${name} is not UTF-8`);
}
