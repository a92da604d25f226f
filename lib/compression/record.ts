/**
 * Records: content of up to 64 KiB in the short form of the frame (`native/record-frame.ts`). Small values cost
 * more to frame than to compress, so header, dictionary and checksum are one call of the binding,
 * straight into the target, and nothing is made on the way there.
 */
import { invalidArg } from '../errors.ts';
import { defaultLimits } from '../limits.ts';
import { ViewBuffer, commonMemory } from '../view-buffer.ts';
import { checkBytes } from '../native/arguments.ts';
import type { CodecBinding, NativeBinding, ZstdDictionary } from '../native/contract.ts';
import {
  MAX_RECORD_BYTES,
  MAX_RECORD_HEADER_BYTES,
  claimedContentBytes,
  isCodedRecord,
  namedDictionary,
} from '../native/record-frame.ts';
import { chosenDictionary, dictionaryOn } from './dictionary.ts';
import type { Dictionary, DictionaryChoice } from './dictionary.ts';
import type { CodecLimits } from '../limits.ts';
import { ChecksumKind } from './frame.ts';
import { countDecoded, countEncoded } from './stats.ts';
import { Codec, DEFAULT_LEVEL } from './types.ts';

/** Options of writing whole values. */
export interface CompressOptions {
  /** `zstd`, `brotli` or `raw`; by default the best this tier has. */
  readonly codec?: Codec | undefined;
  /** zstd level, -50 to 19; brotli uses what corresponds. Default 3. */
  readonly level?: number | undefined;
  /** How the content is verified on reading. Default CRC-32C. */
  readonly checksum?: ChecksumKind | undefined;
  /** What content like this has in common; the reader needs it, too. For codec `zstd`. */
  readonly dictionary?: Dictionary | undefined;
  /** The tier to use; the loaded one if absent. */
  readonly native?: NativeBinding | undefined;
}

/** What reading a record looks at. */
interface RecordReadOptions extends DictionaryChoice {
  readonly limits?: Partial<CodecLimits> | undefined;
}

/** Holds any record frame; used between two lines only. */
let scratch: Buffer | undefined;

/**
 * Small frames are cut from memory of this size, as Node cuts small Buffers, bytes. A frame that is kept keeps all of
 * it; a smaller one is made so often that it shows in the time of a call.
 */
const SLAB_BYTES = 32 * 1024;
/** Most that one frame may take of it, bytes. */
const MAX_CUT_BYTES = 4 * 1024;
let slab = Buffer.alloc(0);
let slabMemory: ArrayBufferLike = slab.buffer;
/** Bytes of the slab that frames have. */
let taken = 0;

/** The level in `options`, checked. */
export function levelOf({ level = DEFAULT_LEVEL }: CompressOptions): number {
  if (!Number.isInteger(level) || level < -50 || level > 19) {
    invalidArg('options.level', 'an integer from -50 to 19', level);
  }
  return level;
}

/** True when content of `sizeBytes` is written as a record: by zstd, and verified by CRC-32C at most. */
export function isRecord(
  binding: CodecBinding,
  sizeBytes: number,
  { codec, checksum, dictionary }: CompressOptions,
): boolean {
  if (sizeBytes > MAX_RECORD_BYTES) return false;
  if (codec !== undefined && codec !== Codec.zstd) return false;
  if (checksum !== undefined && checksum !== ChecksumKind.crc32c) {
    if (checksum !== ChecksumKind.none) return false;
  }
  return dictionary !== undefined || binding.abilities.zstd;
}

/** The dictionary in `options` as `binding` takes it. */
export function writingDictionary(
  binding: CodecBinding,
  { dictionary }: CompressOptions,
): ZstdDictionary | undefined {
  return dictionary === undefined ? undefined : dictionaryOn(binding, dictionary);
}

/** True when `options` ask for a checksum. */
export function isChecked({ checksum }: CompressOptions): boolean {
  return checksum !== ChecksumKind.none;
}

/** Encodes a record into `target`, from `at` on, and returns the size of the frame, bytes. */
export function encodeRecordInto(
  binding: CodecBinding,
  content: Uint8Array,
  target: Uint8Array,
  options: CompressOptions,
  at = 0,
): number {
  const level = levelOf(options);
  const dictionary = writingDictionary(binding, options);
  const size = binding.records.encode(content, target, level, isChecked(options), dictionary, at);
  countRecord(target, content.length, size, at);
  return size;
}

/** As {@link encodeRecordInto}, in the thread pool. */
export async function encodeRecordIntoAsync(
  binding: CodecBinding,
  content: Uint8Array,
  target: Uint8Array,
  options: CompressOptions,
): Promise<number> {
  const level = levelOf(options);
  const dictionary = writingDictionary(binding, options);
  const checked = isChecked(options);
  const size = await binding.records.encodeAsync(content, target, level, checked, dictionary);
  countRecord(target, content.length, size);
  return size;
}

/** Encodes a record into memory of its own. */
export function encodeRecord(
  binding: CodecBinding,
  content: Uint8Array,
  options: CompressOptions,
): Buffer {
  const room = content.length + MAX_RECORD_HEADER_BYTES;
  if (room <= MAX_CUT_BYTES) return cutRecord(binding, content, options, room);
  scratch ??= Buffer.allocUnsafeSlow(MAX_RECORD_BYTES + MAX_RECORD_HEADER_BYTES);
  const size = encodeRecordInto(binding, content, scratch, options);
  const frame = Buffer.allocUnsafe(size);
  scratch.copy(frame, 0, 0, size);
  return frame;
}

/** Encodes a small record straight to where its frame stays: a copy costs as much as the view. */
function cutRecord(
  binding: CodecBinding,
  content: Uint8Array,
  options: CompressOptions,
  room: number,
): Buffer {
  if (slab.length - taken < room) {
    slabMemory = commonMemory(SLAB_BYTES);
    slab = Buffer.from(slabMemory);
    taken = 0;
  }
  const at = taken;
  const end = at + encodeRecordInto(binding, content, slab, options, at);
  taken = (end + 7) & ~7;
  return new ViewBuffer(slabMemory, at, end - at);
}

/** As {@link encodeRecord}, in the thread pool. */
export async function encodeRecordAsync(
  binding: CodecBinding,
  content: Uint8Array,
  options: CompressOptions,
): Promise<Buffer> {
  const target = Buffer.allocUnsafe(content.length + MAX_RECORD_HEADER_BYTES);
  const size = await encodeRecordIntoAsync(binding, content, target, options);
  return Buffer.from(target.subarray(0, size));
}

/** Decodes a record frame into `target` and returns the size of the content, bytes. */
export function decodeRecordInto(
  binding: CodecBinding,
  frame: Uint8Array,
  target: Uint8Array,
  options: RecordReadOptions,
): number {
  const dictionary = readingDictionary(binding, frame, options);
  const size = binding.records.decode(frame, target, maxOutputOf(options), dictionary);
  countDecoded(isCodedRecord(frame) ? Codec.zstd : Codec.raw, frame.length, size);
  return size;
}

/** Decodes a record frame into memory of its own. */
export function decodeRecord(
  binding: CodecBinding,
  frame: Uint8Array,
  options: RecordReadOptions,
): Buffer {
  const claimed = claimedContentBytes(frame) ?? 0;
  // What claims more is refused by the call below, before it looks at its target.
  const room = claimed <= Math.min(maxOutputOf(options), MAX_RECORD_BYTES) ? claimed : 0;
  const content = Buffer.allocUnsafe(room);
  decodeRecordInto(binding, frame, content, options);
  return content;
}

/** The limit on decoded bytes as the binding takes it. */
export function maxOutputOf({ limits }: RecordReadOptions): number {
  const max = limits?.maxOutputBytes ?? defaultLimits.codec.maxOutputBytes;
  return max === Infinity ? Number.MAX_SAFE_INTEGER : max;
}

/** The one dictionary given, which the binding compares, or of several the one the frame names. */
function readingDictionary(
  binding: CodecBinding,
  frame: Uint8Array,
  options: RecordReadOptions,
): ZstdDictionary | undefined {
  const { dictionary, dictionaries } = options;
  if (dictionaries === undefined) {
    return dictionary === undefined ? undefined : dictionaryOn(binding, dictionary);
  }
  checkBytes('frame', frame);
  const id = namedDictionary(frame);
  return id === undefined ? undefined : dictionaryOn(binding, chosenDictionary(id, options));
}

function countRecord(target: Uint8Array, contentBytes: number, frameBytes: number, at = 0): void {
  const codec = isCodedRecord(target, at) ? Codec.zstd : Codec.raw;
  countEncoded(codec, contentBytes, frameBytes, undefined);
}
