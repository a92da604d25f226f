/**
 * Items of a stream travel in batches, so that small ones do not pay for a message each:
 *   items    u8 2 | u8 7 | one or more x (u32 n, item)
 * Written into one buffer as they come (items are copied: nothing is borrowed afterwards), read one at a
 * time. All lengths are checked when the message arrives, before any item is handed out.
 */
import { DwcpError } from '../errors.ts';
import { SpareBuffer } from '../transport/spare-buffer.ts';

const lead: Uint8Array = Buffer.from([2, 7]);
const lengthBytes = 4;

/** A batch is sent when it holds this much, bytes; well inside one link frame. */
export const batchTargetBytes: number = 32 * 1024;
/** Batches begin small and grow with what they had to hold. */
const firstCapacityBytes = 2 * 1024;

/** Collects items for one message. */
export class BatchWriter {
  readonly #spare = new SpareBuffer(firstCapacityBytes);
  #bytes: Buffer | undefined;
  #usedBytes = 0;
  /** What {@link take} handed out, until {@link settled}. */
  #lent: Buffer | undefined;
  #lentBytes = 0;

  get empty(): boolean {
    return this.#usedBytes === 0;
  }

  /** True when it is worth a message of its own now. */
  get full(): boolean {
    return this.#usedBytes >= batchTargetBytes;
  }

  /** Copies an item in. */
  add(item: Uint8Array): void {
    let at = this.#usedBytes;
    const neededBytes = Math.max(at, lead.length) + lengthBytes + item.length;
    let bytes = this.#bytes;
    if (bytes === undefined || neededBytes > bytes.length) {
      bytes = this.#spare.grow(bytes, at, neededBytes);
      this.#bytes = bytes;
    }
    if (at === 0) {
      bytes.set(lead);
      at = lead.length;
    }
    at = bytes.writeUInt32BE(item.length, at);
    bytes.set(item, at);
    this.#usedBytes = neededBytes;
  }

  /** The message, lent until {@link settled}; the writer begins another. One at a time. */
  take(): Buffer {
    this.#lent = this.#bytes;
    this.#lentBytes = this.#usedBytes;
    this.#bytes = undefined;
    this.#usedBytes = 0;
    return this.#lent!.subarray(0, this.#lentBytes);
  }

  /** Nobody reads the last message any more: its memory is used again. */
  settled(): void {
    if (this.#lent) this.#spare.giveBack(this.#lent, this.#lentBytes);
    this.#lent = undefined;
  }
}

/** The items of one received message, in order; each is a view of the message. */
export class BatchReader {
  readonly #bytes: Buffer;
  #at = lead.length;

  /** @throws ERR_DWCP_FRAME_CORRUPT, or ERR_DWCP_LIMIT for an item above `maxPayloadBytes` */
  constructor(bytes: Buffer, maxPayloadBytes: number) {
    this.#bytes = bytes;
    let at = lead.length;
    do {
      if (at + lengthBytes > bytes.length) throw corrupt();
      const itemBytes = bytes.readUInt32BE(at);
      if (itemBytes > maxPayloadBytes) throw tooLarge(itemBytes, maxPayloadBytes);
      at += lengthBytes + itemBytes;
    } while (at < bytes.length);
    if (at !== bytes.length) throw corrupt();
  }

  get empty(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** The next item; ask only while not `empty`. */
  next(): Buffer {
    const start = this.#at + lengthBytes;
    this.#at = start + this.#bytes.readUInt32BE(this.#at);
    return this.#bytes.subarray(start, this.#at);
  }
}

function corrupt(): DwcpError {
  return new DwcpError('ERR_DWCP_FRAME_CORRUPT', 'rpc message has a bad field: items', {
    detail: { field: 'items' },
  });
}

function tooLarge(itemBytes: number, maxPayloadBytes: number): DwcpError {
  return new DwcpError(
    'ERR_DWCP_LIMIT',
    `an item of ${itemBytes} bytes passes maxPayloadBytes ${maxPayloadBytes}`,
    { detail: { limit: 'maxPayloadBytes' } },
  );
}
