/**
 * Zstd frames of other programs on the portable tier: one frame after the other, skippable ones left out. All
 * are held against the limits by what their headers say before the first is decoded; memory grows with
 * real output.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { DwcpError } from '../errors.ts';
import { xxh64 } from './xxh64.ts';
import { BlockDecoder } from './zstd-decode.ts';
import type { DictionaryStart } from './zstd-dictionary.ts';
import { CHECKSUM_BYTES, checkWindow, corruptZstd, outlineOf, skippableBytes } from './zstd-frame.ts';
import type { FrameOutline } from './zstd-frame.ts';
import { ZstdOutput } from './zstd-output.ts';

/** Most memory a frame starts with, bytes. */
const FIRST_BYTES = 1024 * 1024;
const noPrefix = new Uint8Array(0);

/** Limits of an import and the dictionary given. */
export interface ImportLimits {
  readonly maxOutputBytes: number;
  readonly maxWindowLog: number;
  /** Undefined for none. */
  readonly dictionaryId: number | undefined;
}

/** One frame with content. */
export interface ImportedFrame {
  readonly bytes: Uint8Array;
  readonly outline: FrameOutline;
}

/** One import under way: decode each of {@link frames} and {@link take} what came of it. */
export class ZstdImport {
  readonly #bytes: Uint8Array;
  readonly #limits: ImportLimits;
  readonly #contents: Buffer[] = [];
  #room: number;

  /**
   * Checks all frames of `bytes`.
   * @throws ERR_DWCP_CODEC, ERR_DWCP_WINDOW_LIMIT, ERR_DWCP_OUTPUT_LIMIT, ERR_DWCP_DICTIONARY_MISMATCH
   */
  constructor(bytes: Uint8Array, limits: ImportLimits) {
    if (bytes.length === 0) throw new DwcpError('ERR_DWCP_CODEC', 'There is no zstd frame.');
    this.#bytes = bytes;
    this.#limits = limits;
    this.#room = limits.maxOutputBytes;
    let claimed = 0;
    for (const { outline } of this.frames()) {
      this.#check(outline);
      claimed += outline.contentBytes ?? 0;
      if (claimed > limits.maxOutputBytes) throw tooLarge();
    }
  }

  /** Bytes that may still come. */
  get room(): number {
    return this.#room;
  }

  /** The frames in their order. */
  *frames(): Generator<ImportedFrame, void, void> {
    for (let at = 0; at < this.#bytes.length;) {
      const rest = this.#bytes.subarray(at);
      const skipped = skippableBytes(rest);
      at += skipped;
      if (skipped > 0) continue;
      const outline = outlineOf(rest);
      yield { bytes: rest.subarray(0, outline.sizeBytes), outline };
      at += outline.sizeBytes;
    }
  }

  /** Adds the content of the next frame. @throws ERR_DWCP_CODEC, ERR_DWCP_OUTPUT_LIMIT */
  take({ outline }: ImportedFrame, content: Buffer): void {
    const claimed = outline.contentBytes ?? content.length;
    if (claimed !== content.length) throw corruptZstd('it does not decode to the size it claims');
    if (content.length > this.#room) throw tooLarge();
    this.#room -= content.length;
    if (content.length > 0) this.#contents.push(content);
  }

  /** The content of all frames taken. */
  finish(): Buffer {
    return this.#contents.length === 1 ? this.#contents[0]! : Buffer.concat(this.#contents);
  }

  #check(outline: FrameOutline): void {
    const { maxWindowLog, dictionaryId } = this.#limits;
    checkWindow(outline, maxWindowLog);
    if (outline.dictionaryId === 0 || outline.dictionaryId === dictionaryId) return;
    throw new DwcpError(
      'ERR_DWCP_DICTIONARY_MISMATCH',
      `The zstd frame names dictionary ${outline.dictionaryId}, which was not given.`,
      { detail: { dictionaryId: outline.dictionaryId } },
    );
  }
}

const tooLarge = (): DwcpError =>
  new DwcpError(
    'ERR_DWCP_OUTPUT_LIMIT',
    'The zstd frames hold more than maxOutputBytes or maxRatio allow.',
  );

/** One frame under way in TypeScript. */
class ImportDecoder {
  readonly #frame: ImportedFrame;
  readonly #output: ZstdOutput;
  readonly #blocks: BlockDecoder;

  constructor(frame: ImportedFrame, limitBytes: number, start: DictionaryStart | undefined) {
    const { contentBytes = FIRST_BYTES, headerBytes } = frame.outline;
    const firstBytes = Math.min(contentBytes, FIRST_BYTES);
    this.#frame = frame;
    this.#output = new ZstdOutput(limitBytes, firstBytes, start?.content ?? noPrefix);
    this.#blocks = new BlockDecoder(frame.bytes, headerBytes, this.#output, start);
  }

  step(): boolean {
    return this.#blocks.step();
  }

  /** The content, verified. @throws ERR_DWCP_FRAME_CHECKSUM */
  finish(): Buffer {
    const { bytes, outline } = this.#frame;
    const { content } = this.#output;
    if (!outline.hasChecksum) return content;
    const at = bytes.byteOffset + bytes.length - CHECKSUM_BYTES;
    const stored = new DataView(bytes.buffer, at).getUint32(0, true);
    if (Number(BigInt.asUintN(32, xxh64(content))) === stored) return content;
    const message = 'The checksum of the zstd frame does not match.';
    throw new DwcpError('ERR_DWCP_FRAME_CHECKSUM', message);
  }
}

/**
 * The content of one checked frame, of at most `limitBytes`, decoded in TypeScript.
 * @throws ERR_DWCP_CODEC, ERR_DWCP_OUTPUT_LIMIT, ERR_DWCP_FRAME_CHECKSUM
 */
export function decodeImported(
  frame: ImportedFrame,
  limitBytes: number,
  start: DictionaryStart | undefined,
): Buffer {
  const decoder = new ImportDecoder(frame, limitBytes, start);
  while (!decoder.step());
  return decoder.finish();
}

/** As {@link decodeImported}, with a turn of the event loop after each block. */
export async function decodeImportedAsync(
  frame: ImportedFrame,
  limitBytes: number,
  start: DictionaryStart | undefined,
): Promise<Buffer> {
  const decoder = new ImportDecoder(frame, limitBytes, start);
  while (!decoder.step()) await nextTurn();
  return decoder.finish();
}
