/**
 * What one zstd frame decodes into: grows with what is written, up to a limit, and looks back into a prefix that
 * stands right before it. Nothing is written beyond the limit.
 */
import { DwcpError } from '../errors.ts';
import { corruptZstd } from './zstd-frame.ts';

/** Up to this length a loop beats a call, bytes. */
const LOOP_MAX_BYTES = 24;

/** The content of one frame so far. */
export class ZstdOutput {
  readonly #limitBytes: number;
  readonly #prefix: Uint8Array;
  #bytes: Buffer;
  #written = 0;

  /** At most `limitBytes`; memory for `firstBytes` of them at once. */
  constructor(limitBytes: number, firstBytes: number, prefix: Uint8Array) {
    this.#limitBytes = limitBytes;
    this.#prefix = prefix;
    this.#bytes = Buffer.alloc(Math.min(limitBytes, firstBytes));
  }

  /** Bytes written. */
  get sizeBytes(): number {
    return this.#written;
  }

  /** What was written; a view until the next write. */
  get content(): Buffer {
    return this.#bytes.subarray(0, this.#written);
  }

  /** Appends `size` times `byte`. @throws ERR_DWCP_OUTPUT_LIMIT */
  fill(byte: number, size: number): void {
    const at = this.#room(size);
    this.#bytes.fill(byte, at, at + size);
  }

  /** Appends `bytes`. @throws ERR_DWCP_OUTPUT_LIMIT */
  append(bytes: Uint8Array): void {
    const at = this.#room(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** Appends `bytes[from, from + size)`. @throws ERR_DWCP_OUTPUT_LIMIT */
  appendRange(bytes: Uint8Array, from: number, size: number): void {
    if (size > LOOP_MAX_BYTES) {
      this.append(bytes.subarray(from, from + size));
      return;
    }
    const at = this.#room(size);
    const out = this.#bytes;
    for (let i = 0; i < size; i += 1) out[at + i] = bytes[from + i]!;
  }

  /**
   * Appends `size` bytes from `offset` before the end; they may start in the prefix and overlap.
   * @throws ERR_DWCP_OUTPUT_LIMIT, ERR_DWCP_CODEC for an offset out of reach
   */
  repeat(offset: number, size: number): void {
    const before = offset - this.#written;
    if (before > 0) {
      const prefix = this.#prefix;
      if (before > prefix.length) throw corruptZstd('an offset is out of reach');
      const count = Math.min(size, before);
      this.appendRange(prefix, prefix.length - before, count);
      if (count < size) this.repeat(offset, size - count);
      return;
    }
    const at = this.#room(size);
    const out = this.#bytes;
    if (size > LOOP_MAX_BYTES && offset >= size) out.copyWithin(at, at - offset, at - offset + size);
    else if (size > LOOP_MAX_BYTES && offset === 1) out.fill(out[at - 1]!, at, at + size);
    else for (let i = at; i < at + size; i += 1) out[i] = out[i - offset]!;
  }

  /** Reserves `size` bytes at the end; returns where they start. */
  #room(size: number): number {
    const at = this.#written;
    const needed = at + size;
    if (needed > this.#limitBytes) {
      throw new DwcpError(
        'ERR_DWCP_OUTPUT_LIMIT',
        `The frame decodes to more than the ${this.#limitBytes} bytes expected.`,
      );
    }
    if (needed > this.#bytes.length) {
      const larger = Buffer.alloc(Math.min(this.#limitBytes, Math.max(needed, 2 * at)));
      larger.set(this.content);
      this.#bytes = larger;
    }
    this.#written = needed;
    return at;
  }
}
