/**
 * A zstd decoder in TypeScript (RFC 8878), for tiers whose Node has no zstd or cannot take the prefix: what
 * another tier stored stays readable. The frame has passed its checks. A prefix, or the content of a
 * dictionary, is history right before the content. The frame's own checksum is not looked at: dwcp's frames
 * carry a checksum of the content, and `zstd-import.ts` verifies those of others.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { DwcpError } from '../errors.ts';
import type { ZstdDecompressOptions } from './contract.ts';
import type { DictionaryStart } from './zstd-dictionary.ts';
import { checkZstdFrame, corruptZstd } from './zstd-frame.ts';
import { BLOCK_MAX_BYTES, readLiterals } from './zstd-literals.ts';
import type { HuffmanTable } from './zstd-literals.ts';
import { ZstdOutput } from './zstd-output.ts';
import { SequenceReader } from './zstd-sequences.ts';

const BlockKind = { raw: 0, repeated: 1, compressed: 2 } as const;
const BLOCK_HEADER_BYTES = 3;
/** Readable bytes after the frame, for the bit readers. */
const PADDING_BYTES = 4;
const noPrefix = new Uint8Array(0);

/** One frame under way: {@link step} decodes a block and says whether it was the last. */
export class BlockDecoder {
  readonly #bytes: Buffer;
  readonly #output: ZstdOutput;
  readonly #sequences: SequenceReader;
  #tree: HuffmanTable | undefined;
  #at: number;

  /** Over a copy of the checked frame `bytes`, whose first block starts at `blocksAt`. */
  constructor(
    bytes: Uint8Array,
    blocksAt: number,
    output: ZstdOutput,
    start: DictionaryStart | undefined,
  ) {
    this.#bytes = Buffer.alloc(bytes.length + PADDING_BYTES);
    this.#bytes.set(bytes);
    this.#at = blocksAt;
    this.#output = output;
    this.#tree = start?.tree;
    this.#sequences = new SequenceReader(start?.sequences);
  }

  /** @throws ERR_DWCP_CODEC, ERR_DWCP_OUTPUT_LIMIT */
  step(): boolean {
    const header = this.#bytes.readUIntLE(this.#at, BLOCK_HEADER_BYTES);
    const start = this.#at + BLOCK_HEADER_BYTES;
    const kind = (header >>> 1) & 3;
    const size = header >>> 3;
    if (size > BLOCK_MAX_BYTES) throw corruptZstd('a block is too large');
    const end = start + (kind === BlockKind.repeated ? 1 : size);
    if (kind === BlockKind.compressed) this.#block(start, end);
    else if (kind === BlockKind.raw) this.#output.append(this.#bytes.subarray(start, end));
    else this.#output.fill(this.#bytes[start]!, size);
    this.#at = end;
    return (header & 1) !== 0;
  }

  #block(start: number, end: number): void {
    const output = this.#output;
    const { bytes: literals, tree, next } = readLiterals(this.#bytes, start, end, this.#tree);
    this.#tree = tree;
    const limit = output.sizeBytes + BLOCK_MAX_BYTES;
    let taken = 0;
    this.#sequences.read(this.#bytes, next, end, (count, offset, match) => {
      if (taken + count > literals.length) throw corruptZstd('there are too few literals');
      if (output.sizeBytes + count + match > limit) throw corruptZstd('a block decodes to too much');
      output.appendRange(literals, taken, count);
      taken += count;
      output.repeat(offset, match);
    });
    const rest = literals.length - taken;
    if (output.sizeBytes + rest > limit) throw corruptZstd('a block decodes to too much');
    output.appendRange(literals, taken, rest);
  }
}

/** A frame of a known size under way. */
class FrameDecoder {
  readonly #output: ZstdOutput;
  readonly #blocks: BlockDecoder;
  readonly #sizeBytes: number;

  constructor(bytes: Uint8Array, options: ZstdDecompressOptions, start?: DictionaryStart) {
    const blocksAt = checkZstdFrame(bytes, options);
    this.#sizeBytes = options.sizeBytes;
    const prefix = start?.content ?? options.prefix ?? noPrefix;
    this.#output = new ZstdOutput(options.sizeBytes, options.sizeBytes, prefix);
    this.#blocks = new BlockDecoder(bytes, blocksAt, this.#output, start);
  }

  step(): boolean {
    return this.#blocks.step();
  }

  /** The content. @throws ERR_DWCP_CODEC when it is shorter than expected */
  finish(): Buffer {
    const { content } = this.#output;
    if (content.length === this.#sizeBytes) return content;
    throw new DwcpError(
      'ERR_DWCP_CODEC',
      `The frame decoded to ${content.length} bytes, ${this.#sizeBytes} were expected.`,
    );
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
