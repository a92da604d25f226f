/**
 * Argument checks of the codec binding, the same for every tier. Scalars are checked, never coerced, so
 * no caller's `valueOf` runs; byte inputs must be plain views that cannot move or change size.
 */
import { invalidArg } from '../errors.ts';
import type {
  BlockMatchOptions,
  DeltaDecodeOptions,
  DeltaEncodeOptions,
  TrainingOptions,
  ZstdCompressOptions,
  ZstdDecompressOptions,
  ZstdExportOptions,
  ZstdImportOptions,
} from './contract.ts';

/** Lowest and highest zstd level accepted. */
const zstdLevels = { min: -50, max: 19 } as const;

/** Smallest and largest window log accepted as a limit. */
const windowLogs = { min: 10, max: 27 } as const;

/** Smallest and largest dictionary that can be trained, bytes. */
const dictionarySizes = { min: 1024, max: 1_048_576 } as const;

/** Largest decoded size a single call may name, bytes. */
const MAX_SIZE_BYTES = 0x7fff_ffff;

/** Refuses what is not a Uint8Array over a fixed-length, attached, unshared ArrayBuffer. */
export function checkBytes(path: string, bytes: unknown): asserts bytes is Uint8Array<ArrayBuffer> {
  if (!(bytes instanceof Uint8Array)) invalidArg(path, 'a Uint8Array', bytes);
  const buffer: ArrayBufferLike & { readonly resizable?: boolean } = bytes.buffer;
  if (!(buffer instanceof ArrayBuffer)) invalidArg(path, 'backed by an unshared buffer', buffer);
  if (buffer.resizable === true) invalidArg(path, 'backed by a fixed-length buffer', buffer);
  if (buffer.byteLength === 0 && isDetached(buffer)) {
    invalidArg(path, 'backed by an attached buffer', 'a detached buffer');
  }
}

/** Refuses two views that share memory. */
export function checkApart(path: string, a: Uint8Array, b: Uint8Array): void {
  const apart =
    a.buffer !== b.buffer ||
    a.byteOffset >= b.byteOffset + b.length ||
    b.byteOffset >= a.byteOffset + a.length;
  if (!apart) invalidArg(path, 'memory that the input does not share', a);
}

/** `ArrayBuffer.prototype.detached` is younger than Node 20; a view over a detached buffer throws. */
function isDetached(buffer: ArrayBuffer): boolean {
  try {
    return new Uint8Array(buffer).length !== 0;
  } catch {
    return true;
  }
}

function checkInteger(path: string, value: unknown, min: number, max: number): void {
  const fits = typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
  if (!fits) invalidArg(path, `an integer from ${min} to ${max}`, value);
}

/** Checks a CRC seed. */
export function checkSeed(seed: unknown): void {
  checkInteger('seed', seed, 0, 0xffff_ffff);
}

/** Reads and checks compression options once; later reads cannot differ. */
export function readCompressOptions(options: ZstdCompressOptions): ZstdCompressOptions {
  if (typeof options !== 'object' || options === null) invalidArg('options', 'an object', options);
  const { level, prefix, dictionary } = options;
  checkInteger('options.level', level, zstdLevels.min, zstdLevels.max);
  if (prefix !== undefined) checkBytes('options.prefix', prefix);
  checkOneContext(prefix, dictionary);
  return { level, prefix, dictionary };
}

/** Reads and checks decompression options once. */
export function readDecompressOptions(options: ZstdDecompressOptions): ZstdDecompressOptions {
  if (typeof options !== 'object' || options === null) invalidArg('options', 'an object', options);
  const { sizeBytes, maxWindowLog, prefix, dictionary } = options;
  checkInteger('options.sizeBytes', sizeBytes, 0, MAX_SIZE_BYTES);
  checkInteger('options.maxWindowLog', maxWindowLog, windowLogs.min, windowLogs.max);
  if (prefix !== undefined) checkBytes('options.prefix', prefix);
  checkOneContext(prefix, dictionary);
  return { sizeBytes, maxWindowLog, prefix, dictionary };
}

function checkOneContext(prefix: unknown, dictionary: unknown): void {
  if (prefix === undefined || dictionary === undefined) return;
  invalidArg('options.dictionary', 'absent where there is a prefix', dictionary);
}

/** Checks the id of a dictionary. */
export function checkDictionaryId(id: unknown): void {
  checkInteger('id', id, 1, 0xffff_ffff);
}

/** Reads and checks the options of an export once. */
export function readExportOptions(options: ZstdExportOptions): ZstdExportOptions {
  if (typeof options !== 'object' || options === null) invalidArg('options', 'an object', options);
  const { level, checksum, dictionary } = options;
  checkInteger('options.level', level, zstdLevels.min, zstdLevels.max);
  if (typeof checksum !== 'boolean') invalidArg('options.checksum', 'true or false', checksum);
  return { level, checksum, dictionary };
}

/** Reads and checks the options of an import once. */
export function readImportOptions(options: ZstdImportOptions): ZstdImportOptions {
  if (typeof options !== 'object' || options === null) invalidArg('options', 'an object', options);
  const { maxOutputBytes, maxWindowLog, dictionary } = options;
  checkInteger('options.maxOutputBytes', maxOutputBytes, 0, MAX_SIZE_BYTES);
  checkInteger('options.maxWindowLog', maxWindowLog, windowLogs.min, windowLogs.max);
  return { maxOutputBytes, maxWindowLog, dictionary };
}

/** Checks samples and reads the options of training on them once. */
export function readTrainingOptions(
  samples: readonly Uint8Array[],
  options: TrainingOptions,
): TrainingOptions {
  if (typeof options !== 'object' || options === null) invalidArg('options', 'an object', options);
  const { sizeBytes, level } = options;
  const { min, max } = dictionarySizes;
  checkInteger('options.sizeBytes', sizeBytes, min, max);
  checkInteger('options.level', level, zstdLevels.min, zstdLevels.max);
  if (!Array.isArray(samples)) invalidArg('samples', 'an array of Uint8Array', samples);
  for (const [index, sample] of samples.entries()) checkBytes(`samples[${index}]`, sample);
  return { sizeBytes, level };
}

/** Reads and checks the options of making a delta once. */
export function readDeltaEncodeOptions(options: DeltaEncodeOptions): DeltaEncodeOptions {
  if (typeof options !== 'object' || options === null) invalidArg('options', 'an object', options);
  const { effort, maxLiteralBytes } = options;
  checkInteger('options.effort', effort, 0, 2);
  checkInteger('options.maxLiteralBytes', maxLiteralBytes, 0, MAX_SIZE_BYTES);
  return { effort, maxLiteralBytes };
}

const XXH3_BYTES = 16;

/** Reads and checks the options of reading a delta once. */
export function readDeltaDecodeOptions(options: DeltaDecodeOptions): DeltaDecodeOptions {
  if (typeof options !== 'object' || options === null) invalidArg('options', 'an object', options);
  const { sizeBytes, maxWindowLog, maxOps, xxh3 } = options;
  checkInteger('options.sizeBytes', sizeBytes, 0, MAX_SIZE_BYTES);
  checkInteger('options.maxWindowLog', maxWindowLog, windowLogs.min, windowLogs.max);
  checkInteger('options.maxOps', maxOps, 0, MAX_SIZE_BYTES);
  if (xxh3 !== undefined) {
    checkBytes('options.xxh3', xxh3);
    if (xxh3.length !== XXH3_BYTES) invalidArg('options.xxh3', '16 bytes', xxh3);
  }
  return { sizeBytes, maxWindowLog, maxOps, xxh3 };
}

/** Smallest and largest block of a signature, bytes; a power of two. */
export const blockSizes = { min: 64, max: 65_536 } as const;

/** Checks a block size. */
export function checkBlockBytes(path: string, value: unknown): asserts value is number {
  checkInteger(path, value, blockSizes.min, blockSizes.max);
  const size = value as number;
  if ((size & (size - 1)) !== 0) invalidArg(path, 'a power of two', value);
}

/** Reads and checks what blocks are matched against once. */
export function readBlockMatchOptions(options: BlockMatchOptions): BlockMatchOptions {
  if (typeof options !== 'object' || options === null) invalidArg('base', 'an object', options);
  const { hashes, blockBytes, baseBytes } = options;
  checkBlockBytes('base.blockBytes', blockBytes);
  checkInteger('base.baseBytes', baseBytes, 0, MAX_SIZE_BYTES);
  checkBytes('base.hashes', hashes);
  const expected = Math.ceil(baseBytes / blockBytes) * 8;
  if (hashes.length !== expected) {
    invalidArg('base.hashes', `${expected} bytes for its blocks`, hashes.length);
  }
  return { hashes, blockBytes, baseBytes };
}
