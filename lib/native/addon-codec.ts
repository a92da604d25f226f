/**
 * The codec binding over the addon: checks arguments, passes scalars and views flat across the seam, and
 * turns the addon's plain coded errors into `DwcpError`s. Holds no state.
 */
import { invalidArg } from '../errors.ts';
import { AddonDictionary, type DictionaryExports, dictionaryHandle } from './addon-dictionary.ts';
import { asDwcpError } from './addon-error.ts';
import { type ExchangeExports, exportRequest, importRequest } from './addon-exchange.ts';
import { AddonRecords, type RecordExports } from './addon-records.ts';
import { type TrainingExports, trainRequest } from './addon-training.ts';
import {
  checkBlockBytes,
  checkBytes,
  checkDictionaryId,
  checkSeed,
  readBlockMatchOptions,
  readCompressOptions,
  readDecompressOptions,
  readDeltaDecodeOptions,
  readDeltaEncodeOptions,
} from './arguments.ts';
import type { IoExports } from './addon-io.ts';
import type {
  BlockMatchOptions,
  CodecAbilities,
  CodecBinding,
  DeltaDecodeOptions,
  DeltaEncodeOptions,
  DeltaIndex,
  DictionaryTraining,
  RecordBinding,
  TrainingOptions,
  ZstdCompressOptions,
  ZstdDecompressOptions,
  ZstdDictionary,
  ZstdExportOptions,
  ZstdImportOptions,
} from './contract.ts';

type Prefix = Uint8Array | undefined;
type Dictionary = object | undefined;

type CompressRequest = readonly [bytes: Uint8Array, level: number, Prefix, Dictionary];

type DecompressRequest = readonly [
  bytes: Uint8Array,
  sizeBytes: number,
  maxWindowLog: number,
  Prefix,
  Dictionary,
];

/** The addon's object that owns an index; opaque. */
type IndexHandle = object;

/** What the addon file exports. `contract` changes with any change here. */
export interface AddonExports
  extends DictionaryExports, ExchangeExports, RecordExports, TrainingExports, IoExports {
  readonly contract: number;
  readonly zstdVersion: string;
  /** Instruction set CRC-32C runs on: `avx512`, `sse4.2` or `scalar`. */
  readonly crc32cVia: string;
  memoryBytes(): number;
  makePages(bytes: Uint8Array, fromBytes: number, toBytes: number): void;
  crc32c(bytes: Uint8Array, seed: number): number;
  xxh3(bytes: Uint8Array): Buffer;
  xxh3Async(bytes: Uint8Array): Promise<Buffer>;
  zstdCompress(...request: CompressRequest): Buffer;
  zstdCompressAsync(...request: CompressRequest): Promise<Buffer>;
  zstdCompressInto(...request: readonly [...CompressRequest, Uint8Array]): number;
  zstdCompressIntoAsync(...request: readonly [...CompressRequest, Uint8Array]): Promise<number>;
  zstdDecompressInto(...request: readonly [...DecompressRequest, Uint8Array]): number;
  zstdDecompressIntoAsync(...request: readonly [...DecompressRequest, Uint8Array]): Promise<number>;
  zstdDecompress(...request: DecompressRequest): Buffer;
  zstdDecompressAsync(...request: DecompressRequest): Promise<Buffer>;
  /** What run comparison runs on: `avx2` or `scalar`. */
  readonly matchVia: string;
  deltaIndex(base: Uint8Array): IndexHandle;
  deltaIndexAsync(base: Uint8Array): Promise<IndexHandle>;
  deltaIndexSize(index: IndexHandle): number;
  deltaIndexRelease(index: IndexHandle): void;
  deltaEncode(...request: EncodeRequest): Buffer | undefined;
  deltaEncodeAsync(...request: EncodeRequest): Promise<Buffer | undefined>;
  deltaDecode(...request: DecodeRequest): Buffer;
  deltaDecodeAsync(...request: DecodeRequest): Promise<Buffer>;
  blockHashes(bytes: Uint8Array, blockBytes: number): Buffer;
  blockHashesAsync(bytes: Uint8Array, blockBytes: number): Promise<Buffer>;
  blockMatch(...request: MatchRequest): Buffer;
  blockMatchAsync(...request: MatchRequest): Promise<Buffer>;
}

type EncodeRequest = readonly [
  index: IndexHandle,
  base: Uint8Array,
  next: Uint8Array,
  effort: number,
  maxLiteralBytes: number,
];

type DecodeRequest = readonly [
  delta: Uint8Array,
  base: Uint8Array,
  sizeBytes: number,
  maxWindowLog: number,
  maxOps: number,
  xxh3: Uint8Array | undefined,
];

type MatchRequest = readonly [
  hashes: Uint8Array,
  blockBytes: number,
  baseBytes: number,
  content: Uint8Array,
];

/** The contract number this TypeScript was written for. */
export const ADDON_CONTRACT = 11;

/** What a call of the addon gives; its coded errors become `DwcpError`s. */
function guarded<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw asDwcpError(error);
  }
}

/** The same of a call that gives a promise. */
async function guardedAsync<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw asDwcpError(error);
  }
}

/** {@link DeltaIndex} over the addon's object. */
class AddonIndex implements DeltaIndex {
  readonly handle: IndexHandle;
  readonly #addon: AddonExports;

  constructor(addon: AddonExports, handle: IndexHandle) {
    this.#addon = addon;
    this.handle = handle;
  }

  get sizeBytes(): number {
    return this.#addon.deltaIndexSize(this.handle);
  }

  release(): void {
    this.#addon.deltaIndexRelease(this.handle);
  }
}

/** {@link CodecBinding} over a loaded addon. */
export class AddonCodec implements CodecBinding {
  readonly abilities: CodecAbilities = {
    zstd: true,
    prefixEncode: true,
    prefixDecode: true,
    dictionaryEncode: true,
    dictionaryDecode: true,
    fastXxh3: true,
    deltaEncode: true,
    deltaDecode: true,
  };
  readonly records: RecordBinding;
  readonly #addon: AddonExports;

  constructor(addon: AddonExports) {
    this.#addon = addon;
    this.records = new AddonRecords(addon);
  }

  crc32c(bytes: Uint8Array, seed = 0): number {
    checkBytes('bytes', bytes);
    checkSeed(seed);
    return this.#addon.crc32c(bytes, seed);
  }

  xxh3(bytes: Uint8Array): Buffer {
    checkBytes('bytes', bytes);
    return this.#addon.xxh3(bytes);
  }

  async xxh3Async(bytes: Uint8Array): Promise<Buffer> {
    checkBytes('bytes', bytes);
    return this.#addon.xxh3Async(bytes);
  }

  zstdCompress(bytes: Uint8Array, options: ZstdCompressOptions): Buffer {
    const request = compressRequest(bytes, options);
    try {
      return this.#addon.zstdCompress(...request);
    } catch (error) {
      throw asDwcpError(error);
    }
  }

  async zstdCompressAsync(bytes: Uint8Array, options: ZstdCompressOptions): Promise<Buffer> {
    const request = compressRequest(bytes, options);
    try {
      return await this.#addon.zstdCompressAsync(...request);
    } catch (error) {
      throw asDwcpError(error);
    }
  }

  zstdDecompress(bytes: Uint8Array, options: ZstdDecompressOptions): Buffer {
    const request = decompressRequest(bytes, options);
    try {
      return this.#addon.zstdDecompress(...request);
    } catch (error) {
      throw asDwcpError(error);
    }
  }

  async zstdDecompressAsync(bytes: Uint8Array, options: ZstdDecompressOptions): Promise<Buffer> {
    const request = decompressRequest(bytes, options);
    try {
      return await this.#addon.zstdDecompressAsync(...request);
    } catch (error) {
      throw asDwcpError(error);
    }
  }

  zstdCompressInto(bytes: Uint8Array, target: Uint8Array, options: ZstdCompressOptions): number {
    const request = compressRequest(bytes, options);
    checkBytes('target', target);
    try {
      return this.#addon.zstdCompressInto(...request, target);
    } catch (error) {
      throw asDwcpError(error);
    }
  }

  async zstdCompressIntoAsync(
    bytes: Uint8Array,
    target: Uint8Array,
    options: ZstdCompressOptions,
  ): Promise<number> {
    const request = compressRequest(bytes, options);
    checkBytes('target', target);
    try {
      return await this.#addon.zstdCompressIntoAsync(...request, target);
    } catch (error) {
      throw asDwcpError(error);
    }
  }

  zstdDecompressInto(
    bytes: Uint8Array,
    target: Uint8Array,
    options: ZstdDecompressOptions,
  ): number {
    const request = decompressRequest(bytes, options);
    checkBytes('target', target);
    try {
      return this.#addon.zstdDecompressInto(...request, target);
    } catch (error) {
      throw asDwcpError(error);
    }
  }

  async zstdDecompressIntoAsync(
    bytes: Uint8Array,
    target: Uint8Array,
    options: ZstdDecompressOptions,
  ): Promise<number> {
    const request = decompressRequest(bytes, options);
    checkBytes('target', target);
    try {
      return await this.#addon.zstdDecompressIntoAsync(...request, target);
    } catch (error) {
      throw asDwcpError(error);
    }
  }

  zstdDictionary(bytes: Uint8Array, id: number): ZstdDictionary {
    checkBytes('bytes', bytes);
    checkDictionaryId(id);
    try {
      return new AddonDictionary(this.#addon, bytes, id);
    } catch (error) {
      throw asDwcpError(error);
    }
  }

  zstdExport(bytes: Uint8Array, options: ZstdExportOptions): Buffer {
    return guarded(() => this.#addon.zstdExport(...exportRequest(bytes, options)));
  }

  async zstdExportAsync(bytes: Uint8Array, options: ZstdExportOptions): Promise<Buffer> {
    return guardedAsync(() => this.#addon.zstdExportAsync(...exportRequest(bytes, options)));
  }

  zstdImport(bytes: Uint8Array, options: ZstdImportOptions): Buffer {
    return guarded(() => this.#addon.zstdImport(...importRequest(bytes, options)));
  }

  async zstdImportAsync(bytes: Uint8Array, options: ZstdImportOptions): Promise<Buffer> {
    return guardedAsync(() => this.#addon.zstdImportAsync(...importRequest(bytes, options)));
  }

  dictionaryTrain(samples: readonly Uint8Array[], options: TrainingOptions): DictionaryTraining {
    return guarded(() => this.#addon.dictionaryTrain(...trainRequest(samples, options)));
  }

  async dictionaryTrainAsync(
    samples: readonly Uint8Array[],
    options: TrainingOptions,
  ): Promise<DictionaryTraining> {
    return guardedAsync(() => this.#addon.dictionaryTrainAsync(...trainRequest(samples, options)));
  }

  deltaIndex(base: Uint8Array): DeltaIndex {
    checkBytes('base', base);
    try {
      return new AddonIndex(this.#addon, this.#addon.deltaIndex(base));
    } catch (error) {
      throw asDwcpError(error);
    }
  }

  async deltaIndexAsync(base: Uint8Array): Promise<DeltaIndex> {
    checkBytes('base', base);
    try {
      return new AddonIndex(this.#addon, await this.#addon.deltaIndexAsync(base));
    } catch (error) {
      throw asDwcpError(error);
    }
  }

  deltaEncode(
    index: DeltaIndex,
    base: Uint8Array,
    next: Uint8Array,
    options: DeltaEncodeOptions,
  ): Buffer | undefined {
    const request = encodeRequest(index, base, next, options);
    try {
      return this.#addon.deltaEncode(...request);
    } catch (error) {
      throw asDwcpError(error);
    }
  }

  async deltaEncodeAsync(
    index: DeltaIndex,
    base: Uint8Array,
    next: Uint8Array,
    options: DeltaEncodeOptions,
  ): Promise<Buffer | undefined> {
    const request = encodeRequest(index, base, next, options);
    try {
      return await this.#addon.deltaEncodeAsync(...request);
    } catch (error) {
      throw asDwcpError(error);
    }
  }

  deltaDecode(delta: Uint8Array, base: Uint8Array, options: DeltaDecodeOptions): Buffer {
    const request = decodeRequest(delta, base, options);
    try {
      return this.#addon.deltaDecode(...request);
    } catch (error) {
      throw asDwcpError(error);
    }
  }

  async deltaDecodeAsync(
    delta: Uint8Array,
    base: Uint8Array,
    options: DeltaDecodeOptions,
  ): Promise<Buffer> {
    const request = decodeRequest(delta, base, options);
    try {
      return await this.#addon.deltaDecodeAsync(...request);
    } catch (error) {
      throw asDwcpError(error);
    }
  }

  blockHashes(bytes: Uint8Array, blockBytes: number): Buffer {
    checkBlockBytes('blockBytes', blockBytes);
    checkBytes('bytes', bytes);
    try {
      return this.#addon.blockHashes(bytes, blockBytes);
    } catch (error) {
      throw asDwcpError(error);
    }
  }

  async blockHashesAsync(bytes: Uint8Array, blockBytes: number): Promise<Buffer> {
    checkBlockBytes('blockBytes', blockBytes);
    checkBytes('bytes', bytes);
    try {
      return await this.#addon.blockHashesAsync(bytes, blockBytes);
    } catch (error) {
      throw asDwcpError(error);
    }
  }

  blockMatch(content: Uint8Array, base: BlockMatchOptions): Buffer {
    const request = matchRequest(content, base);
    try {
      return this.#addon.blockMatch(...request);
    } catch (error) {
      throw asDwcpError(error);
    }
  }

  async blockMatchAsync(content: Uint8Array, base: BlockMatchOptions): Promise<Buffer> {
    const request = matchRequest(content, base);
    try {
      return await this.#addon.blockMatchAsync(...request);
    } catch (error) {
      throw asDwcpError(error);
    }
  }
}

function matchRequest(content: Uint8Array, base: BlockMatchOptions): MatchRequest {
  const { hashes, blockBytes, baseBytes } = readBlockMatchOptions(base);
  checkBytes('content', content);
  return [hashes, blockBytes, baseBytes, content];
}

function compressRequest(bytes: Uint8Array, options: ZstdCompressOptions): CompressRequest {
  const { level, prefix, dictionary } = readCompressOptions(options);
  checkBytes('bytes', bytes);
  return [bytes, level, prefix, dictionaryHandle(dictionary)];
}

function decompressRequest(bytes: Uint8Array, options: ZstdDecompressOptions): DecompressRequest {
  const { sizeBytes, maxWindowLog, prefix, dictionary } = readDecompressOptions(options);
  checkBytes('bytes', bytes);
  return [bytes, sizeBytes, maxWindowLog, prefix, dictionaryHandle(dictionary)];
}

function encodeRequest(
  index: DeltaIndex,
  base: Uint8Array,
  next: Uint8Array,
  options: DeltaEncodeOptions,
): EncodeRequest {
  const { effort, maxLiteralBytes } = readDeltaEncodeOptions(options);
  if (!(index instanceof AddonIndex)) invalidArg('index', 'a DeltaIndex of this addon', index);
  checkBytes('base', base);
  checkBytes('next', next);
  return [index.handle, base, next, effort, maxLiteralBytes];
}

function decodeRequest(
  delta: Uint8Array,
  base: Uint8Array,
  options: DeltaDecodeOptions,
): DecodeRequest {
  const { sizeBytes, maxWindowLog, maxOps, xxh3 } = readDeltaDecodeOptions(options);
  checkBytes('delta', delta);
  checkBytes('base', base);
  return [delta, base, sizeBytes, maxWindowLog, maxOps, xxh3];
}
