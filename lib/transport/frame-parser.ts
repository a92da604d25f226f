/**
 * Incremental reader of one direction of a link: bytes in arbitrary chunks become frames.
 * A frame that lies in one chunk is a view of it; one that spans chunks is put together in one of two
 * carry buffers, so memory stays at two frames. Every field is checked before anything is allocated.
 */
import { DwcpError } from '../errors.ts';
import {
  agreeVersion,
  checkKindAndFlags,
  type EnvelopeOptions,
  headerSizeBytes,
  prefaceSizeBytes,
  tooLong,
  verifyFrame,
  type WireRange,
  wireVersions,
} from './envelope.ts';
import type { Frame, FrameKind } from './frame-pipe.ts';

const initialCarryBytes = 4096;

/** Options of {@link FrameParser}. */
export interface FrameParserOptions extends EnvelopeOptions {
  /** Wire versions this side accepts. */
  readonly versions?: WireRange;
}

/**
 * Turns bytes into frames.
 * @example
 * const frames: Frame[] = [];
 * parser.push(chunk, frames); // frames are valid until the next push
 */
export class FrameParser {
  readonly #options: FrameParserOptions;
  #version: number | undefined;
  /** Two carries in turn: a frame handed out of one survives while the other fills. */
  #carry: Buffer = Buffer.alloc(0);
  #spare: Buffer = Buffer.alloc(0);
  #filled = 0;

  constructor(options: FrameParserOptions) {
    this.#options = options;
  }

  /** The agreed wire version; undefined until the preface came. */
  get version(): number | undefined {
    return this.#version;
  }

  /** True when no frame has been begun and not finished. */
  get atBoundary(): boolean {
    return this.#filled === 0;
  }

  /**
   * Appends the frames of `chunk` to `out`. The chunk belongs to the parser from now on. Frames before
   * a broken one are in `out` when this throws; the link is unusable afterwards.
   * @throws ERR_DWCP_FRAME_MAGIC, _VERSION, _KIND, _FLAGS, _CHECKSUM, ERR_DWCP_LIMIT
   */
  push(chunk: Buffer, out: Frame[]): void {
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#filled > 0) offset = this.#continueCarry(chunk, offset, out);
      else {
        const available = chunk.length - offset;
        const needed = this.#neededBytes(chunk, offset, available);
        if (available < needed) return this.#startCarry(chunk, offset);
        this.#take(chunk, offset, offset + needed, out);
        offset += needed;
      }
    }
  }

  /**
   * The peer will send nothing more.
   * @throws ERR_DWCP_FRAME_CORRUPT when it stopped inside a frame
   */
  end(): void {
    if (this.#filled === 0) return;
    throw new DwcpError('ERR_DWCP_FRAME_CORRUPT', 'The peer closed the link inside a frame');
  }

  /** Size of the unit that starts at `offset`, as far as `available` bytes tell. */
  #neededBytes(bytes: Buffer, offset: number, available: number): number {
    if (this.#version === undefined) return prefaceSizeBytes;
    if (available < headerSizeBytes) return headerSizeBytes;
    const sizeBytes = bytes.readUInt32LE(offset);
    if (sizeBytes > this.#options.maxPayloadBytes) throw tooLong(sizeBytes, this.#options);
    checkKindAndFlags(bytes[offset + 4]!, bytes[offset + 5]!);
    return headerSizeBytes + sizeBytes;
  }

  #startCarry(chunk: Buffer, offset: number): void {
    this.#reserve(chunk.length - offset);
    this.#filled = chunk.copy(this.#carry, 0, offset);
  }

  #continueCarry(chunk: Buffer, start: number, out: Frame[]): number {
    let offset = start;
    for (;;) {
      const needed = this.#neededBytes(this.#carry, 0, this.#filled);
      this.#reserve(needed);
      const copied = chunk.copy(this.#carry, this.#filled, offset, offset + needed - this.#filled);
      this.#filled += copied;
      offset += copied;
      if (this.#filled < needed) return offset;
      // The header is complete now, but it may promise a payload.
      if (this.#neededBytes(this.#carry, 0, this.#filled) === needed) break;
    }
    const [unit, unitBytes] = [this.#carry, this.#filled];
    [this.#carry, this.#spare] = [this.#spare, this.#carry];
    this.#filled = 0;
    this.#take(unit, 0, unitBytes, out);
    return offset;
  }

  #reserve(sizeBytes: number): void {
    if (this.#carry.length >= sizeBytes) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(sizeBytes, initialCarryBytes));
    this.#carry.copy(grown, 0, 0, this.#filled);
    this.#carry = grown;
  }

  /** Takes the unit between two offsets. */
  #take(bytes: Buffer, start: number, end: number, out: Frame[]): void {
    if (this.#version === undefined) {
      const preface = bytes.subarray(start, end);
      this.#version = agreeVersion(preface, this.#options.versions ?? wireVersions);
      return;
    }
    verifyFrame(bytes, start, end, this.#options.checksum);
    out.push({
      kind: bytes[start + 4]! as FrameKind,
      flags: bytes[start + 5]!,
      channel: bytes.readUInt16LE(start + 6),
      stream: bytes.readUInt32LE(start + 8),
      payload: bytes.subarray(start + headerSizeBytes, end),
    });
  }
}
