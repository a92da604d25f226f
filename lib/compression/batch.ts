/**
 * Many records in one call: an arena of records end to end and their lengths in, an arena of frames and
 * their lengths out, and back. Each frame is one that `compress` could have made and `decompress` reads.
 * A batch succeeds as a whole; otherwise the error names the first record at fault in `detail.record`.
 */
import { invalidArg } from '../errors.ts';
import { checkApart, checkBytes } from '../native/arguments.ts';
import type {
  CodecBinding,
  NativeBinding,
  RecordBatch,
  ZstdDictionary,
} from '../native/contract.ts';
import { MAX_RECORD_HEADER_BYTES } from '../native/record-frame.ts';
import type { CodecLimits } from '../limits.ts';
import { dictionaryOn } from './dictionary.ts';
import type { Dictionary, DictionaryChoice } from './dictionary.ts';
import { ChecksumKind } from './frame.ts';
import { isBriefDecode, isBriefEncode } from './payload.ts';
import { isChecked, levelOf, maxOutputOf, writingDictionary } from './record.ts';
import { throwIfAborted } from './signal.ts';
import { countDecodedRecords, countEncodedRecords } from './stats.ts';
import { bindingOf } from './tier.ts';

/** Options of writing a batch. */
export interface BatchOptions {
  /** zstd level, -50 to 19. Default 3. */
  readonly level?: number | undefined;
  /** CRC-32C, the default, or none. */
  readonly checksum?: typeof ChecksumKind.crc32c | typeof ChecksumKind.none | undefined;
  readonly dictionary?: Dictionary | undefined;
  /** The tier to use; the loaded one if absent. */
  readonly native?: NativeBinding | undefined;
  /** For asynchronous forms. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of reading a batch; `limits.maxOutputBytes` bounds its records together. */
export interface BatchReadOptions extends DictionaryChoice {
  readonly limits?: Partial<CodecLimits> | undefined;
  readonly native?: NativeBinding | undefined;
  /** For asynchronous forms. */
  readonly signal?: AbortSignal | undefined;
}

/** Records or frames end to end. */
export interface Batch {
  /** The caller's own memory. */
  readonly arena: Buffer;
  /** Size of each, bytes. */
  readonly lengths: Uint32Array;
}

const NONE: readonly ZstdDictionary[] = [];
const SCRATCH_BYTES = 128 * 1024;
let scratch: Buffer | undefined;

/**
 * Compresses the records in `arena`, each of up to 64 KiB, now; `lengths` are their sizes, in order.
 * @throws ERR_DWCP_INVALID_ARG, ERR_DWCP_FRAME_CODEC
 * @example
 * const lengths = Uint32Array.from(records, ({ length }) => length);
 * const frames = compressBatch(Buffer.concat(records), lengths, { dictionary });
 */
export function compressBatch(
  arena: Uint8Array,
  lengths: Uint32Array,
  options: BatchOptions = {},
): Batch {
  const out = frameRoom(arena, lengths, smallRoom());
  const size = compressBatchInto(arena, lengths, out.arena, out.lengths, options);
  return { arena: Buffer.from(out.arena.subarray(0, size)), lengths: out.lengths };
}

/**
 * As {@link compressBatch}, off the event loop above a threshold; inputs are borrowed until it settles.
 * @throws ERR_DWCP_ABORTED, and what {@link compressBatch} throws
 * @example const { arena, lengths } = await compressBatchAsync(records, sizes, { dictionary });
 */
export async function compressBatchAsync(
  arena: Uint8Array,
  lengths: Uint32Array,
  options: BatchOptions = {},
): Promise<Batch> {
  const out = frameRoom(arena, lengths);
  const size = await compressBatchIntoAsync(arena, lengths, out.arena, out.lengths, options);
  return { arena: Buffer.from(out.arena.subarray(0, size)), lengths: out.lengths };
}

/**
 * As {@link compressBatch} into the caller's memory: frames into `out`, their sizes into `outLengths`. Room
 * of 14 bytes and its own size per record is always enough. Returns the size of all frames, bytes.
 * @throws ERR_DWCP_OUTPUT_LIMIT when they do not fit, and what {@link compressBatch} throws
 * @example const bytes = compressBatchInto(arena, lengths, out, outLengths, { dictionary });
 */
export function compressBatchInto(
  arena: Uint8Array,
  lengths: Uint32Array,
  out: Uint8Array,
  outLengths: Uint32Array,
  options: BatchOptions = {},
): number {
  const { binding, batch, level, checked, dictionary } = writing(
    { arena, lengths, target: out, targetLengths: outLengths },
    options,
  );
  const size = binding.records.encodeBatch(batch, level, checked, dictionary);
  return countWritten(batch, size);
}

/**
 * As {@link compressBatchInto}, off the event loop above a threshold; all memory is borrowed until it settles.
 * @throws ERR_DWCP_ABORTED, and what {@link compressBatchInto} throws
 * @example const bytes = await compressBatchIntoAsync(arena, lengths, out, outLengths);
 */
export async function compressBatchIntoAsync(
  arena: Uint8Array,
  lengths: Uint32Array,
  out: Uint8Array,
  outLengths: Uint32Array,
  options: BatchOptions = {},
): Promise<number> {
  throwIfAborted(options.signal);
  const { binding, batch, level, checked, dictionary } = writing(
    { arena, lengths, target: out, targetLengths: outLengths },
    options,
  );
  const size = isBriefEncode(arena.length, { level, dictionary })
    ? binding.records.encodeBatch(batch, level, checked, dictionary)
    : await binding.records.encodeBatchAsync(batch, level, checked, dictionary);
  throwIfAborted(options.signal);
  return countWritten(batch, size);
}

/**
 * Decompresses the frames in `arena` now; `lengths` are their sizes, in order. What they claim together is
 * held against the limit before anything is allocated.
 * @throws what `decompress` throws for a record
 * @example
 * const { arena, lengths } = decompressBatch(frames.arena, frames.lengths, { dictionary });
 */
export function decompressBatch(
  arena: Uint8Array,
  lengths: Uint32Array,
  options: BatchReadOptions = {},
): Batch {
  const out = contentRoom(arena, lengths, options);
  decompressBatchInto(arena, lengths, out.arena, out.lengths, options);
  return out;
}

/**
 * As {@link decompressBatch}, off the event loop above a threshold; inputs are borrowed until it settles.
 * @throws ERR_DWCP_ABORTED, and what {@link decompressBatch} throws
 * @example const { arena } = await decompressBatchAsync(frames.arena, frames.lengths, { signal });
 */
export async function decompressBatchAsync(
  arena: Uint8Array,
  lengths: Uint32Array,
  options: BatchReadOptions = {},
): Promise<Batch> {
  const out = contentRoom(arena, lengths, options);
  await decompressBatchIntoAsync(arena, lengths, out.arena, out.lengths, options);
  return out;
}

/**
 * As {@link decompressBatch} into the caller's memory: contents into `out`, their sizes into `outLengths`.
 * Returns the size of all contents, bytes. After an error `out` holds records before the one at fault.
 * @throws ERR_DWCP_OUTPUT_LIMIT when they do not fit, and what {@link decompressBatch} throws
 * @example const bytes = decompressBatchInto(frames, sizes, out, outLengths, { dictionary });
 */
export function decompressBatchInto(
  arena: Uint8Array,
  lengths: Uint32Array,
  out: Uint8Array,
  outLengths: Uint32Array,
  options: BatchReadOptions = {},
): number {
  const { binding, batch, dictionaries } = reading(
    { arena, lengths, target: out, targetLengths: outLengths },
    options,
  );
  const size = binding.records.decodeBatch(batch, maxOutputOf(options), dictionaries);
  return countRead(batch, size);
}

/**
 * As {@link decompressBatchInto}, off the event loop above a threshold; all memory is borrowed until it settles.
 * @throws ERR_DWCP_ABORTED, and what {@link decompressBatchInto} throws
 * @example const bytes = await decompressBatchIntoAsync(frames, sizes, out, outLengths);
 */
export async function decompressBatchIntoAsync(
  arena: Uint8Array,
  lengths: Uint32Array,
  out: Uint8Array,
  outLengths: Uint32Array,
  options: BatchReadOptions = {},
): Promise<number> {
  throwIfAborted(options.signal);
  const { binding, batch, dictionaries } = reading(
    { arena, lengths, target: out, targetLengths: outLengths },
    options,
  );
  const max = maxOutputOf(options);
  const size = isBriefDecode(out.length)
    ? binding.records.decodeBatch(batch, max, dictionaries)
    : await binding.records.decodeBatchAsync(batch, max, dictionaries);
  throwIfAborted(options.signal);
  return countRead(batch, size);
}

function writing(batch: RecordBatch, options: BatchOptions) {
  const binding = bindingOf(options.native);
  checkBatch(batch);
  const { checksum = ChecksumKind.crc32c } = options;
  if (checksum !== ChecksumKind.crc32c && checksum !== ChecksumKind.none) {
    invalidArg('options.checksum', 'crc32c or none for records', checksum);
  }
  const level = levelOf(options);
  const dictionary = writingDictionary(binding, options);
  return { binding, batch, level, checked: isChecked({ checksum }), dictionary };
}

function reading(batch: RecordBatch, options: BatchReadOptions) {
  const binding = bindingOf(options.native);
  checkBatch(batch);
  return { binding, batch, dictionaries: readingDictionaries(binding, options) };
}

function readingDictionaries(
  binding: CodecBinding,
  { dictionary, dictionaries }: DictionaryChoice,
): readonly ZstdDictionary[] {
  if (dictionary === undefined && dictionaries === undefined) return NONE;
  const all = [...(dictionary ? [dictionary] : []), ...(dictionaries ?? [])];
  return all.map((each) => dictionaryOn(binding, each));
}

function checkBatch({ arena, lengths, target, targetLengths }: RecordBatch): void {
  checkBytes('arena', arena);
  checkBytes('out', target);
  checkApart('out', target, arena);
  checkLengths('lengths', lengths);
  checkLengths('outLengths', targetLengths);
  if (targetLengths.length < lengths.length) {
    invalidArg('outLengths', `at least ${lengths.length} long`, targetLengths.length);
  }
}

function checkLengths(path: string, lengths: Uint32Array): void {
  if (!(lengths instanceof Uint32Array)) invalidArg(path, 'a Uint32Array', lengths);
}

/** Room for the frames of a batch; the caller copies what was used. */
function frameRoom(arena: Uint8Array, lengths: Uint32Array, kept?: Buffer): Batch {
  checkBytes('arena', arena);
  checkLengths('lengths', lengths);
  const room = arena.length + lengths.length * MAX_RECORD_HEADER_BYTES;
  const out = kept && kept.length >= room ? kept : Buffer.allocUnsafeSlow(room);
  return { arena: out, lengths: new Uint32Array(lengths.length) };
}

/** Holds the frames of a small batch; used between two lines only. */
function smallRoom(): Buffer {
  return (scratch ??= Buffer.allocUnsafeSlow(SCRATCH_BYTES));
}

function contentRoom(arena: Uint8Array, lengths: Uint32Array, options: BatchReadOptions): Batch {
  checkBytes('arena', arena);
  checkLengths('lengths', lengths);
  const { records } = bindingOf(options.native);
  const room = records.batchContentBytes(arena, lengths, maxOutputOf(options));
  return { arena: Buffer.allocUnsafe(room), lengths: new Uint32Array(lengths.length) };
}

function countWritten({ lengths }: RecordBatch, frameBytes: number): number {
  countEncodedRecords(lengths.length, sum(lengths), frameBytes);
  return frameBytes;
}

function countRead({ lengths }: RecordBatch, contentBytes: number): number {
  countDecodedRecords(lengths.length, sum(lengths), contentBytes);
  return contentBytes;
}

function sum(lengths: Uint32Array): number {
  let total = 0;
  for (const length of lengths) total += length;
  return total;
}
