/** A bounds-checked cursor over one received message; running past the end is ERR_DWCP_FRAME_CORRUPT. */
import { DwcpError } from '../errors.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads big-endian fields in order. Slices are views of the message. */
export class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#take(1));
  }

  u16(): number {
    return this.#bytes.readUInt16BE(this.#take(2));
  }

  u32(): number {
    return this.#bytes.readUInt32BE(this.#take(4));
  }

  slice(sizeBytes: number): Buffer {
    const start = this.#take(sizeBytes);
    return this.#bytes.subarray(start, start + sizeBytes);
  }

  text(sizeBytes: number, field: string): string {
    return this.decode(this.slice(sizeBytes), field);
  }

  decode(bytes: Buffer, field: string): string {
    try {
      return utf8.decode(bytes);
    } catch {
      return this.corrupt(field);
    }
  }

  rest(): Buffer {
    return this.slice(this.left);
  }

  /** Asserts that nothing is left. */
  done(): void {
    if (this.left > 0) this.corrupt('trailing bytes');
  }

  corrupt(field: string): never {
    throw new DwcpError('ERR_DWCP_FRAME_CORRUPT', `rpc message has a bad field: ${field}`, {
      detail: { field },
    });
  }

  #take(sizeBytes: number): number {
    if (sizeBytes > this.left) this.corrupt('truncated');
    const start = this.#at;
    this.#at += sizeBytes;
    return start;
  }
}
