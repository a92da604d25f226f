/**
 * Bytes on their way into one socket. What a tick appends is gathered in one buffer and leaves as one write; what
 * comes while a write is under way waits and leaves with the next. So there are few, large writes, which
 * node:tls neither copies again nor cuts into small records, and two buffers take turns instead of a new one
 * per batch. A buffer is used again only after the socket said that it is done with it.
 */
import type { Socket } from 'node:net';
import { SpareBuffer } from './spare-buffer.ts';

/** Small enough for Node's own pool of small buffers. */
const firstCapacityBytes = 2_048;

/** The outgoing half of a socket. */
export class WriteQueue {
  readonly #socket: Socket;
  readonly #onWritten: () => void;
  #filling: Buffer | undefined;
  #filledBytes = 0;
  #inFlight: Buffer | undefined;
  #inFlightBytes = 0;
  readonly #spare = new SpareBuffer(firstCapacityBytes);
  #flushDue = false;
  #gone = false;

  /** `onWritten` is called after each write that the socket is done with. */
  constructor(socket: Socket, onWritten: () => void) {
    this.#socket = socket;
    this.#onWritten = onWritten;
  }

  /** Bytes appended that the socket has not taken yet. */
  get bufferedBytes(): number {
    return this.#filledBytes + this.#inFlightBytes;
  }

  /**
   * Room for `sizeBytes` more, to be filled before this turn ends: `write` gets the buffer and where to begin.
   */
  append(sizeBytes: number, write: (into: Buffer, offset: number) => void): void {
    const offset = this.#filledBytes;
    const neededBytes = offset + sizeBytes;
    let filling = this.#filling;
    if (filling === undefined || filling.length < neededBytes) {
      filling = this.#spare.grow(filling, offset, neededBytes);
      this.#filling = filling;
    }
    write(filling, offset);
    this.#filledBytes = neededBytes;
    if (this.#flushDue || this.#inFlight !== undefined) return;
    this.#flushDue = true;
    process.nextTick(this.#flushNow);
  }

  /** Hands over what waits, whatever is under way: the socket is about to end. */
  flush(): void {
    const filling = this.#filling;
    if (filling === undefined || this.#filledBytes === 0) return;
    const sizeBytes = this.#filledBytes;
    this.#filling = undefined;
    this.#filledBytes = 0;
    const only = this.#inFlight === undefined;
    if (only) this.#inFlight = filling;
    this.#inFlightBytes += sizeBytes;
    this.#socket.write(filling.subarray(0, sizeBytes), () => this.#written(filling, sizeBytes));
  }

  /** The socket is gone: nothing waits any more. Its callbacks may still come. */
  discard(): void {
    this.#gone = true;
    this.#filling = undefined;
    this.#inFlight = undefined;
    this.#filledBytes = 0;
    this.#inFlightBytes = 0;
  }

  readonly #flushNow = (): void => {
    this.#flushDue = false;
    if (this.#inFlight === undefined) this.flush();
  };

  /** Called for failed writes too; the socket is closing then. */
  #written(buffer: Buffer, sizeBytes: number): void {
    if (this.#gone) return;
    this.#inFlightBytes -= sizeBytes;
    if (this.#inFlight === buffer) this.#inFlight = undefined;
    this.#spare.giveBack(buffer, sizeBytes);
    if (this.#inFlight === undefined && !this.#socket.destroyed) this.flush();
    this.#onWritten();
  }
}
