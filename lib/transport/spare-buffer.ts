/**
 * Growing buffers that are used again. A writer asks for room, gives a full buffer away and, when its reader is done
 * with it, gives it back here. One spare is kept, unless it is far larger than what was written of late.
 */

/** A spare this many times larger than the largest write of late is let go. */
const wastefulFactor = 4;
/** The largest write is forgotten by this share with every smaller one. */
const forgetShare = 1 / 16;

/** See the file header. */
export class SpareBuffer {
  readonly #firstBytes: number;
  #spare: Buffer | undefined;
  #peakBytes = 0;

  /** `firstBytes` is the capacity that writers begin with. */
  constructor(firstBytes: number) {
    this.#firstBytes = firstBytes;
  }

  /** A buffer of at least `neededBytes` that begins with the first `usedBytes` of `current`. */
  grow(current: Buffer | undefined, usedBytes: number, neededBytes: number): Buffer {
    const spare = this.#spare;
    if (current === undefined && spare !== undefined && spare.length >= neededBytes) {
      this.#spare = undefined;
      return spare;
    }
    let capacityBytes = Math.max(this.#firstBytes, current?.length ?? 0);
    while (capacityBytes < neededBytes) capacityBytes *= 2;
    const grown = Buffer.allocUnsafe(capacityBytes);
    current?.copy(grown, 0, 0, usedBytes);
    return grown;
  }

  /** Nobody reads `buffer` any more, of which `usedBytes` were in use. */
  giveBack(buffer: Buffer, usedBytes: number): void {
    this.#peakBytes = Math.max(usedBytes, this.#peakBytes * (1 - forgetShare));
    const worthBytes = Math.max(this.#firstBytes, wastefulFactor * this.#peakBytes);
    if (buffer.length > worthBytes) return;
    if (this.#spare === undefined || this.#spare.length < buffer.length) this.#spare = buffer;
  }
}
