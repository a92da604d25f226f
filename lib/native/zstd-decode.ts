/**
 * A zstd decoder in TypeScript (RFC 8878), for tiers whose Node has no zstd or cannot take the prefix: what
 * another tier stored stays readable. The frame has passed `checkZstdFrame`; the output is allocated once,
 * to the size asked for, and nothing is written beyond it. A prefix, or the content of a dictionary, is history
 * right before the content.
 * The frame's own checksum is not looked at: dwcp's frames carry a checksum of the content.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { DwcpError } from '../errors.ts';
import type { ZstdDecompressOptions } from './contract.ts';
import type { DictionaryStart } from './zstd-dictionary.ts';
import { checkZstdFrame, corruptZstd } from './zstd-frame.ts';
import { BLOCK_MAX_BYTES, readLiterals } from './zstd-literals.ts';
import type { HuffmanTable } from './zstd-literals.ts';
import { SequenceReader } from './zstd-sequences.ts';

const BlockKind = { raw: 0, repeated: 1, compressed: 2 } as const;
const BLOCK_HEADER_BYTES = 3;
/** Readable bytes after the frame, for the bit readers. */
const PADDING_BYTES = 4;
/** Up to this length a loop beats a call, bytes. */
const LOOP_MAX_BYTES = 24;
const noPrefix = new Uint8Array(0);

/** One frame under way: {@link step} decodes a block and says whether it was the last. */
class FrameDecoder {
  readonly #bytes: Buffer;
  readonly #out: Buffer;
  readonly #prefix: Uint8Array;
  readonly #sequences: SequenceReader;
  #tree: HuffmanTable | undefined;
  #at: number;
  #written = 0;

  constructor(bytes: Uint8Array, options: ZstdDecompressOptions, start?: DictionaryStart) {
    this.#at = checkZstdFrame(bytes, options);
    this.#bytes = Buffer.alloc(bytes.length + PADDING_BYTES);
    this.#bytes.set(bytes);
    this.#out = Buffer.alloc(options.sizeBytes);
    this.#prefix = start?.content ?? options.prefix ?? noPrefix;
    this.#tree = start?.tree;
    this.#sequences = new SequenceReader(start?.sequences);
  }

  step(): boolean {
    const header = this.#bytes.readUIntLE(this.#at, BLOCK_HEADER_BYTES);
    const start = this.#at + BLOCK_HEADER_BYTES;
    const kind = (header >>> 1) & 3;
    const size = header >>> 3;
    if (size > BLOCK_MAX_BYTES) throw corruptZstd('a block is too large');
    const end = start + (kind === BlockKind.repeated ? 1 : size);
    if (kind === BlockKind.compressed) this.#block(start, end);
    else if (kind === BlockKind.raw) this.#append(this.#bytes.subarray(start, end));
    else this.#out.fill(this.#bytes[start]!, this.#written, this.#room(size));
    this.#at = end;
    return (header & 1) !== 0;
  }

  /** The content. @throws ERR_DWCP_CODEC when it is shorter than expected */
  finish(): Buffer {
    if (this.#written === this.#out.length) return this.#out;
    throw new DwcpError(
      'ERR_DWCP_CODEC',
      `The frame decoded to ${this.#written} bytes, ${this.#out.length} were expected.`,
    );
  }

  #block(start: number, end: number): void {
    const { bytes: literals, tree, next } = readLiterals(this.#bytes, start, end, this.#tree);
    this.#tree = tree;
    const limit = this.#written + BLOCK_MAX_BYTES;
    let taken = 0;
    this.#sequences.read(this.#bytes, next, end, (count, offset, match) => {
      if (taken + count > literals.length) throw corruptZstd('there are too few literals');
      if (this.#written + count + match > limit) throw corruptZstd('a block decodes to too much');
      this.#appendRange(literals, taken, count);
      taken += count;
      this.#repeat(offset, match);
    });
    const rest = literals.length - taken;
    if (this.#written + rest > limit) throw corruptZstd('a block decodes to too much');
    this.#appendRange(literals, taken, rest);
  }

  /** Reserves `size` bytes of output; returns where they end. @throws ERR_DWCP_OUTPUT_LIMIT */
  #room(size: number): number {
    if (this.#written + size > this.#out.length) {
      throw new DwcpError(
        'ERR_DWCP_OUTPUT_LIMIT',
        `The frame decodes to more than the ${this.#out.length} bytes expected.`,
      );
    }
    this.#written += size;
    return this.#written;
  }

  #append(bytes: Uint8Array): void {
    this.#out.set(bytes, this.#room(bytes.length) - bytes.length);
  }

  #appendRange(bytes: Uint8Array, from: number, size: number): void {
    if (size > LOOP_MAX_BYTES) {
      this.#append(bytes.subarray(from, from + size));
      return;
    }
    const out = this.#out;
    const at = this.#room(size) - size;
    for (let i = 0; i < size; i += 1) out[at + i] = bytes[from + i]!;
  }

  /** Appends `size` bytes from `offset` before the end; they may start in the prefix and overlap. */
  #repeat(offset: number, size: number): void {
    const before = offset - this.#written;
    if (before > 0) {
      const prefix = this.#prefix;
      if (before > prefix.length) throw corruptZstd('an offset is out of reach');
      const count = Math.min(size, before);
      this.#appendRange(prefix, prefix.length - before, count);
      if (count < size) this.#repeat(offset, size - count);
      return;
    }
    const out = this.#out;
    const at = this.#room(size) - size;
    if (size > LOOP_MAX_BYTES && offset >= size) out.copyWithin(at, at - offset, at - offset + size);
    else if (size > LOOP_MAX_BYTES && offset === 1) out.fill(out[at - 1]!, at, at + size);
    else for (let i = at; i < at + size; i += 1) out[i] = out[i - offset]!;
  }
}

/**
 * The content of one zstd frame, decoded now.
 * @throws ERR_DWCP_CODEC, ERR_DWCP_OUTPUT_LIMIT, ERR_DWCP_WINDOW_LIMIT
 */
export function decodeZstd(
  bytes: Uint8Array,
  options: ZstdDecompressOptions,
  start?: DictionaryStart,
): Buffer {
  const decoder = new FrameDecoder(bytes, options, start);
  while (!decoder.step());
  return decoder.finish();
}

/** As {@link decodeZstd}, with a turn of the event loop after each block; `bytes` is copied. */
export async function decodeZstdAsync(
  bytes: Uint8Array,
  options: ZstdDecompressOptions,
  start?: DictionaryStart,
): Promise<Buffer> {
  const decoder = new FrameDecoder(bytes, options, start);
  while (!decoder.step()) await nextTurn();
  return decoder.finish();
}
