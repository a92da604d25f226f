/**
 * Reads deltas of the native engine in TypeScript, so that every tier reads what any tier stored. The format
 * and its rules are those of native/core/delta (encoder.h, segment.h, part.h); the checks are made in the
 * same order. One step rebuilds one segment.
 */
import { DwcpError } from '../errors.ts';
import type { DeltaDecodeOptions, ZstdDecompressOptions } from './contract.ts';

const VERSION = 2;
const MAX_SEGMENT_OPS = 2 ** 18;
/** The longest prefix is a quarter of the content, between these, bytes. */
const LEAST_MAX_PREFIX_BYTES = 2 ** 16;
const MOST_MAX_PREFIX_BYTES = 2 ** 21;
const MAX_PART_WINDOW_LOG = 23;
const MAX_VARINT_BYTES = 5;
/** A replaced run of more than four times the new bytes and this does not resemble them, bytes. */
const ALWAYS_REPLACED_BYTES = 4096;
/** What surrounds new bytes resembles them: twice as much as them, between these, bytes. */
const MIN_SURROUNDING_BYTES = 64;
const MAX_SURROUNDING_BYTES = 4096;
/** A prefix this long gets the least only, bytes. */
const RICH_PREFIX_BYTES = 2 ** 17;
const DIFFERENCES = 1;
const SURROUNDINGS = 2;
const ZSTD_MAGIC = Buffer.from('28b52ffd', 'hex');

/** Decodes one zstd frame. */
export type ZstdDecode = (frame: Uint8Array, options: ZstdDecompressOptions) => Buffer;

/** Operations of a segment: literal bytes, copied bytes and base offset, three numbers each. */
type Ops = Uint32Array;

const corrupt = (what: string): DwcpError =>
  new DwcpError('ERR_DWCP_CODEC', `The delta is corrupt: ${what}.`);

/** Reads bytes and varints of at most 32 bits, front to back. */
class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  byte(): number {
    if (this.atEnd) throw corrupt('truncated');
    return this.#bytes[this.#at++]!;
  }

  varint(): number {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 28; scale *= 128) {
      const byte = this.byte();
      value += (byte & 127) * scale;
      if (byte >= 128) continue;
      if ((byte === 0 && scale > 1) || value > 0xffff_ffff) break;
      return value;
    }
    throw corrupt('varint');
  }

  take(count: number): Uint8Array {
    if (count > this.#bytes.length - this.#at) throw corrupt('truncated');
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }
}

function surroundings(coding: number, literal: number, prefixBytes: number): number {
  if ((coding & SURROUNDINGS) === 0) return 0;
  if (prefixBytes >= RICH_PREFIX_BYTES) return MIN_SURROUNDING_BYTES;
  return Math.min(Math.max(2 * literal, MIN_SURROUNDING_BYTES), MAX_SURROUNDING_BYTES);
}

/** One delta being read. Call {@link step} until it returns true, then take {@link content}. */
export class DeltaDecoder {
  readonly content: Buffer;
  readonly #base: Uint8Array;
  readonly #reader: Reader;
  readonly #options: DeltaDecodeOptions;
  readonly #zstd: ZstdDecode;
  #made = 0;
  #baseEnd = 0;
  #opsSeen = 0;

  /** @throws ERR_DWCP_FRAME_VERSION */
  constructor(delta: Uint8Array, base: Uint8Array, options: DeltaDecodeOptions, zstd: ZstdDecode) {
    this.#base = base;
    this.#reader = new Reader(delta);
    this.#options = options;
    this.#zstd = zstd;
    if (delta[0] !== VERSION) throw new DwcpError('ERR_DWCP_FRAME_VERSION', 'unknown delta version');
    this.#reader.byte();
    this.content = Buffer.allocUnsafeSlow(options.sizeBytes);
  }

  /** Rebuilds a segment; true when the content is complete. */
  step(): boolean {
    if (this.#made < this.content.length) this.#segment();
    if (this.#made < this.content.length) return false;
    if (!this.#reader.atEnd) throw corrupt('trailing bytes');
    return true;
  }

  #segment(): void {
    const reader = this.#reader;
    const opCount = reader.varint();
    const coding = reader.byte();
    const sizes = [reader.varint(), reader.varint(), reader.varint()] as const;
    if (opCount > this.#options.maxOps - this.#opsSeen) {
      throw new DwcpError('ERR_DWCP_LIMIT', 'The delta has more operations than maxOps allows.');
    }
    this.#opsSeen += opCount;
    const most = Math.min(MAX_SEGMENT_OPS, this.content.length - this.#made);
    if (opCount === 0 || opCount > most || coding > (DIFFERENCES | SURROUNDINGS)) {
      throw corrupt('segment header');
    }
    if (Math.max(...sizes) > opCount * MAX_VARINT_BYTES) throw corrupt('column size');
    const ops = this.#operations(opCount, sizes);
    this.#rebuild(ops, coding);
  }

  #operations(opCount: number, sizes: readonly [number, number, number]): Ops {
    const [literals, copies, offsets] = sizes.map((size) => new Reader(this.#part(size)));
    const ops = new Uint32Array(opCount * 3);
    let left = this.content.length - this.#made;
    let baseEnd = this.#baseEnd;
    for (let i = 0; i < ops.length; i += 3) {
      const literal = literals!.varint();
      const copy = copies!.varint();
      if (literal + copy === 0 || literal + copy > left) throw corrupt('operation size');
      left -= literal + copy;
      ops[i] = literal;
      ops[i + 1] = copy;
      if (copy === 0) continue;
      const coded = offsets!.varint();
      const from = baseEnd + literal + (coded % 2 === 0 ? coded / 2 : -(coded + 1) / 2);
      if (from < 0 || from > this.#base.length - copy) throw corrupt('a copy leaves the base');
      ops[i + 2] = from;
      baseEnd = from + copy;
    }
    if (!literals!.atEnd || !copies!.atEnd || !offsets!.atEnd) throw corrupt('columns');
    return ops;
  }

  #rebuild(ops: Ops, coding: number): void {
    const { literalBytes, differenceBytes, prefix } = this.#survey(ops, coding);
    const literals = this.#part(literalBytes, prefix);
    const differences =
      (coding & DIFFERENCES) === 0 ? literals : this.#part(differenceBytes, undefined);
    let literalAt = 0;
    let differenceAt = 0;
    for (let i = 0; i < ops.length; i += 3) {
      const [literal, copy, from] = [ops[i]!, ops[i + 1]!, ops[i + 2]!];
      if (this.#inPlace(coding, literal, copy, from)) {
        for (let k = 0; k < literal; k++) {
          // A Buffer keeps the low eight bits.
          this.content[this.#made + k] =
            this.#base[this.#baseEnd + k]! + differences[differenceAt + k]!;
        }
        differenceAt += literal;
      } else {
        this.content.set(literals.subarray(literalAt, literalAt + literal), this.#made);
        literalAt += literal;
      }
      this.#made += literal;
      if (copy === 0) continue;
      this.content.set(this.#base.subarray(from, from + copy), this.#made);
      this.#made += copy;
      this.#baseEnd = from + copy;
    }
  }

  /** What the operations say about the new bytes: how many of each kind, and what they resemble. */
  #survey(ops: Ops, coding: number) {
    const start = this.#baseEnd;
    const maxPrefixBytes = Math.min(
      Math.max(Math.floor(this.content.length / 4), LEAST_MAX_PREFIX_BYTES),
      MOST_MAX_PREFIX_BYTES,
    );
    const pieces: Uint8Array[] = [];
    let prefixBytes = 0;
    let literalBytes = 0;
    let differenceBytes = 0;
    for (let i = 0; i < ops.length; i += 3) {
      const [literal, copy, from] = [ops[i]!, ops[i + 1]!, ops[i + 2]!];
      if (this.#inPlace(coding, literal, copy, from)) {
        differenceBytes += literal;
      } else if (literal > 0) {
        literalBytes += literal;
        const around = surroundings(coding, literal, prefixBytes);
        const piece = this.#resembling(around, literal, copy > 0 ? from : this.#base.length);
        if (piece.length <= maxPrefixBytes - prefixBytes) {
          pieces.push(piece);
          prefixBytes += piece.length;
        }
      }
      if (copy > 0) this.#baseEnd = from + copy;
    }
    this.#baseEnd = start;
    return { literalBytes, differenceBytes, prefix: Buffer.concat(pieces) };
  }

  #inPlace(coding: number, literal: number, copy: number, from: number): boolean {
    return (coding & DIFFERENCES) !== 0 && copy > 0 && from === this.#baseEnd + literal;
  }

  #resembling(around: number, literal: number, end: number): Uint8Array {
    const size = end - this.#baseEnd;
    const replaces = size > 0 && size <= 4 * literal + ALWAYS_REPLACED_BYTES;
    const last = (replaces ? end : this.#baseEnd) + around;
    return this.#base.subarray(Math.max(0, this.#baseEnd - around), last);
  }

  /** The next part, decoded to `sizeBytes`. */
  #part(sizeBytes: number, prefix?: Uint8Array): Uint8Array {
    const head = this.#reader.varint();
    const stored = this.#reader.take(Math.floor(head / 2));
    if (head % 2 === 0) {
      if (stored.length !== sizeBytes) throw corrupt('part size');
      return stored;
    }
    if (sizeBytes === 0) throw corrupt('part size');
    const maxWindowLog = Math.min(this.#options.maxWindowLog, MAX_PART_WINDOW_LOG);
    return this.#zstd(Buffer.concat([ZSTD_MAGIC, stored]), {
      sizeBytes,
      maxWindowLog,
      prefix: prefix && prefix.length > 0 ? prefix : undefined,
    });
  }
}
