/**
 * One message put together from frames, each copied once to where it stays. The wire does not tell a message's
 * size, so memory grows eightfold; what was there already moves over as fast as more comes in, and no step copies more
 * than a slice. Memory that was not written to is only reserved: its pages cost nothing.
 */

import { native } from '../native/load.ts';

/** What one step copies at most; fresh memory costs several times the copy, about 0.2 ms together. */
const sliceBytes = 256 * 1024;
const firstBytes = 128 * 1024;
const growth = 8;
/** From this size on a pool thread makes the pages of a block: so much ahead of what came, which may be all. */
const pagesFromBytes = 16 * 1024 * 1024;
const aheadBytes = 4 * 1024 * 1024;

/** A message under way. */
export class Assembly {
  readonly #maxBytes: number;
  #block: Buffer = Buffer.alloc(0);
  #sizeBytes = 0;
  /** The block before, moved over up to `#movedBytes` of `#oldBytes`. */
  #old: Buffer | undefined;
  #oldBytes = 0;
  #movedBytes = 0;
  /** Up to where pages of the block are made. */
  #madeBytes = 0;

  /** `maxBytes` is the largest message there may be. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Copies the next bytes of the message. */
  append(bytes: Uint8Array): void {
    const sizeBytes = this.#sizeBytes + bytes.length;
    if (sizeBytes > this.#block.length) this.#grow(sizeBytes);
    this.#makePages();
    this.#block.set(bytes, this.#sizeBytes);
    this.#sizeBytes = sizeBytes;
    this.#move(bytes.length);
  }

  /** Goes on after the last bytes came: the message, or undefined when another step is needed. */
  finish(): Buffer | undefined {
    this.#move(sliceBytes);
    if (this.#old) return undefined;
    if (this.#block.length === this.#sizeBytes) return this.#block;
    if (this.#block.length <= 2 * this.#sizeBytes) return this.#block.subarray(0, this.#sizeBytes);
    // A message does not hold more than twice its size.
    this.#replace(this.#sizeBytes);
    return this.finish();
  }

  #grow(neededBytes: number): void {
    // Blocks grow faster than frames come; what is left of the one before is little, or nothing.
    this.#move(this.#oldBytes);
    const wanted = Math.max(firstBytes, this.#block.length * growth, neededBytes);
    this.#replace(Math.max(neededBytes, Math.min(wanted, this.#maxBytes)));
  }

  #replace(sizeBytes: number): void {
    this.#old = this.#sizeBytes > 0 ? this.#block : undefined;
    this.#oldBytes = this.#sizeBytes;
    this.#movedBytes = 0;
    this.#block = Buffer.allocUnsafeSlow(sizeBytes);
    this.#madeBytes = 0;
    this.#makePages();
  }

  /** Has pages made in time: whoever writes to one that is not there yet waits for the kernel to clear it. */
  #makePages(): void {
    const { length } = this.#block;
    if (length < pagesFromBytes || this.#madeBytes === length) return;
    if (this.#sizeBytes + aheadBytes / 2 <= this.#madeBytes) return;
    const untilBytes = Math.min(length, this.#sizeBytes + aheadBytes);
    native.makePages(this.#block, this.#madeBytes, untilBytes);
    this.#madeBytes = untilBytes;
  }

  /** Moves at most `mostBytes` of the block before. */
  #move(mostBytes: number): void {
    if (!this.#old) return;
    const untilBytes = Math.min(this.#oldBytes, this.#movedBytes + mostBytes);
    this.#old.copy(this.#block, this.#movedBytes, this.#movedBytes, untilBytes);
    this.#movedBytes = untilBytes;
    if (untilBytes === this.#oldBytes) this.#old = undefined;
  }
}
