/**
 * The portable tier: the binding in TypeScript over `node:zlib`, for `--no-addons`, platforms without a
 * binary, and `DWCP_NATIVE=off`. Same contract, same limits, same error codes; `abilities` says what this
 * Node does fast. zstd made here is plain: deltas against a prefix are read, not written. Where `node:zlib`
 * cannot read a frame, the decoder in TypeScript does.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { DwcpError } from '../errors.ts';
import { checkBlockBytes, checkBytes, checkSeed, readBlockMatchOptions, readCompressOptions, readDecompressOptions, readDeltaDecodeOptions, readExportOptions, readImportOptions, readTrainingOptions } from './arguments.ts';
import { BlockHasher, BlockMatcher } from './block-match.ts';
import type {
  BlockMatchOptions,
  CodecAbilities,
  CodecBinding,
  DeltaDecodeOptions,
  DeltaIndex,
  DictionaryTraining,
  NativeBinding,
  NativeStatus,
  RecordBinding,
  TrainingOptions,
  ZstdCompressOptions,
  ZstdDecompressOptions,
  ZstdDictionary,
  ZstdExportOptions,
  ZstdImportOptions,
} from './contract.ts';
import { crc32c } from './crc32c.ts';
import { DeltaDecoder } from './delta-read.ts';
import { type NodeZstd, type NodeZstdProbe, probeNodeZstd, zstdParameter } from './node-zstd.ts';
import { PortableDictionary, portableDictionary } from './portable-dictionary.ts';
import { PortableRecords } from './portable-records.ts';
import { trainPortable } from './portable-training.ts';
import { xxh3, xxh3Async } from './xxh3.ts';
import { decodeZstd, decodeZstdAsync } from './zstd-decode.ts';
import { looksTrained } from './zstd-dictionary.ts';
import type { DictionaryStart } from './zstd-dictionary.ts';
import { checkZstdFrame } from './zstd-frame.ts';
import { ZstdImport, decodeImported, decodeImportedAsync } from './zstd-import.ts';

const lacking = (what: string): DwcpError =>
  new DwcpError('ERR_DWCP_FRAME_CODEC', `The portable tier on this Node cannot ${what}.`);

function codecError(cause: unknown): DwcpError {
  if (cause instanceof DwcpError) return cause;
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'ERR_BUFFER_TOO_LARGE') {
    return new DwcpError('ERR_DWCP_OUTPUT_LIMIT', undefined, { cause });
  }
  if (code === 'ZSTD_error_checksum_wrong') {
    return new DwcpError('ERR_DWCP_FRAME_CHECKSUM', undefined, { cause });
  }
  if (code === 'ZSTD_error_frameParameter_windowTooLarge') {
    return new DwcpError('ERR_DWCP_WINDOW_LIMIT', undefined, { cause });
  }
  return new DwcpError('ERR_DWCP_CODEC', `zstd refused the data: ${String(cause)}`, { cause });
}

type Task = (done: (error: Error | null, result: Buffer) => void) => void;

function promised(task: Task, finish: (result: Buffer) => Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    task((error, result) => {
      try {
        if (error) throw error;
        resolve(finish(result));
      } catch (caught) {
        reject(codecError(caught));
      }
    });
  });
}

/** {@link CodecBinding} over `node:zlib`. The first use of zstd probes what this Node can do. */
class PortableCodec implements CodecBinding {
  readonly records: RecordBinding = new PortableRecords(this);
  #found: NodeZstdProbe | undefined;

  get #probe(): NodeZstdProbe {
    return (this.#found ??= probeNodeZstd());
  }

  get abilities(): CodecAbilities {
    const { zstd, prefixDecode, dictionaryEncode } = this.#probe;
    return {
      zstd: zstd !== undefined,
      prefixEncode: false,
      prefixDecode,
      dictionaryEncode,
      dictionaryDecode: prefixDecode,
      fastXxh3: false,
      deltaEncode: false,
      deltaDecode: zstd !== undefined && prefixDecode,
    };
  }

  crc32c(bytes: Uint8Array, seed = 0): number {
    checkBytes('bytes', bytes);
    checkSeed(seed);
    return crc32c(bytes, seed);
  }

  xxh3(bytes: Uint8Array): Buffer {
    checkBytes('bytes', bytes);
    return xxh3(bytes);
  }

  async xxh3Async(bytes: Uint8Array): Promise<Buffer> {
    checkBytes('bytes', bytes);
    return xxh3Async(bytes);
  }

  zstdCompress(bytes: Uint8Array, options: ZstdCompressOptions): Buffer {
    const [zstd, settings] = this.#compression(bytes, options);
    try {
      return zstd.zstdCompressSync(bytes, settings);
    } catch (error) {
      throw codecError(error);
    }
  }

  async zstdCompressAsync(bytes: Uint8Array, options: ZstdCompressOptions): Promise<Buffer> {
    const [zstd, settings] = this.#compression(bytes, options);
    return promised(
      (done) => zstd.zstdCompress(bytes, settings, done),
      (result) => result,
    );
  }

  zstdDecompress(bytes: Uint8Array, options: ZstdDecompressOptions): Buffer {
    const limits = this.#limits(bytes, options);
    const zstd = this.#decoderFor(limits);
    if (zstd === undefined) return decodeZstd(bytes, limits, startOf(limits));
    const [settings, finish] = nodeDecompression(bytes, limits);
    try {
      return finish(zstd.zstdDecompressSync(bytes, settings));
    } catch (error) {
      throw codecError(error);
    }
  }

  async zstdDecompressAsync(bytes: Uint8Array, options: ZstdDecompressOptions): Promise<Buffer> {
    const limits = this.#limits(bytes, options);
    const zstd = this.#decoderFor(limits);
    if (zstd === undefined) return decodeZstdAsync(bytes, limits, startOf(limits));
    const [settings, finish] = nodeDecompression(bytes, limits);
    return promised((done) => zstd.zstdDecompress(bytes, settings, done), finish);
  }

  zstdCompressInto(bytes: Uint8Array, target: Uint8Array, options: ZstdCompressOptions): number {
    return fit(this.zstdCompress(bytes, options), target);
  }

  async zstdCompressIntoAsync(
    bytes: Uint8Array,
    target: Uint8Array,
    options: ZstdCompressOptions,
  ): Promise<number> {
    return fit(await this.zstdCompressAsync(bytes, options), target);
  }

  zstdDecompressInto(
    bytes: Uint8Array,
    target: Uint8Array,
    options: ZstdDecompressOptions,
  ): number {
    return fit(this.zstdDecompress(bytes, options), target);
  }

  async zstdDecompressIntoAsync(
    bytes: Uint8Array,
    target: Uint8Array,
    options: ZstdDecompressOptions,
  ): Promise<number> {
    return fit(await this.zstdDecompressAsync(bytes, options), target);
  }

  zstdDictionary(bytes: Uint8Array, id: number): ZstdDictionary {
    return new PortableDictionary(bytes, id);
  }

  zstdExport(bytes: Uint8Array, options: ZstdExportOptions): Buffer {
    const [zstd, settings] = this.#export(bytes, options);
    try {
      return zstd.zstdCompressSync(bytes, settings);
    } catch (error) {
      throw codecError(error);
    }
  }

  async zstdExportAsync(bytes: Uint8Array, options: ZstdExportOptions): Promise<Buffer> {
    const [zstd, settings] = this.#export(bytes, options);
    return promised(
      (done) => zstd.zstdCompress(bytes, settings, done),
      (result) => result,
    );
  }

  zstdImport(bytes: Uint8Array, options: ZstdImportOptions): Buffer {
    const { task, zstd, settings, start } = this.#import(bytes, options);
    for (const frame of task.frames()) {
      if (zstd === undefined) {
        task.take(frame, decodeImported(frame, task.room, start));
        continue;
      }
      try {
        task.take(frame, zstd.zstdDecompressSync(frame.bytes, settings(task.room)));
      } catch (error) {
        throw codecError(error);
      }
    }
    return task.finish();
  }

  async zstdImportAsync(bytes: Uint8Array, options: ZstdImportOptions): Promise<Buffer> {
    const { task, zstd, settings, start } = this.#import(bytes, options);
    for (const frame of task.frames()) {
      const content =
        zstd === undefined
          ? await decodeImportedAsync(frame, task.room, start)
          : await promised(
              (done) => zstd.zstdDecompress(frame.bytes, settings(task.room), done),
              (result) => result,
            );
      task.take(frame, content);
    }
    return task.finish();
  }

  dictionaryTrain(samples: readonly Uint8Array[], options: TrainingOptions): DictionaryTraining {
    const steps = trainPortable(samples, readTrainingOptions(samples, options));
    for (;;) {
      const step = steps.next();
      if (step.done) return step.value;
    }
  }

  async dictionaryTrainAsync(
    samples: readonly Uint8Array[],
    options: TrainingOptions,
  ): Promise<DictionaryTraining> {
    const steps = trainPortable(samples, readTrainingOptions(samples, options));
    for (;;) {
      const step = steps.next();
      if (step.done) return step.value;
      await nextTurn();
    }
  }

  deltaIndex(): DeltaIndex {
    throw lacking('index a base for a delta of the engine');
  }

  async deltaIndexAsync(): Promise<DeltaIndex> {
    return this.deltaIndex();
  }

  deltaEncode(): Buffer | undefined {
    throw lacking('make a delta of the engine');
  }

  async deltaEncodeAsync(): Promise<Buffer | undefined> {
    return this.deltaEncode();
  }

  deltaDecode(delta: Uint8Array, base: Uint8Array, options: DeltaDecodeOptions): Buffer {
    const decoder = this.#deltaDecoder(delta, base, options);
    while (!decoder.step());
    return this.#checked(decoder.content, options);
  }

  async deltaDecodeAsync(
    delta: Uint8Array,
    base: Uint8Array,
    options: DeltaDecodeOptions,
  ): Promise<Buffer> {
    const decoder = this.#deltaDecoder(delta, base, options);
    while (!decoder.step()) await nextTurn();
    return this.#checked(decoder.content, options);
  }

  #checked(content: Buffer, { xxh3: expected }: DeltaDecodeOptions): Buffer {
    if (expected === undefined || this.xxh3(content).equals(expected)) return content;
    throw new DwcpError('ERR_DWCP_FRAME_CHECKSUM', 'the content does not match its digest');
  }

  blockHashes(bytes: Uint8Array, blockBytes: number): Buffer {
    const hasher = blockHasher(bytes, blockBytes);
    while (!hasher.step());
    return hasher.hashes;
  }

  async blockHashesAsync(bytes: Uint8Array, blockBytes: number): Promise<Buffer> {
    const hasher = blockHasher(bytes, blockBytes);
    while (!hasher.step()) await nextTurn();
    return hasher.hashes;
  }

  blockMatch(content: Uint8Array, base: BlockMatchOptions): Buffer {
    const matcher = blockMatcher(content, base);
    while (!matcher.step());
    return matcher.ops();
  }

  async blockMatchAsync(content: Uint8Array, base: BlockMatchOptions): Promise<Buffer> {
    const matcher = blockMatcher(content, base);
    while (!matcher.step()) await nextTurn();
    return matcher.ops();
  }

  #deltaDecoder(delta: Uint8Array, base: Uint8Array, options: DeltaDecodeOptions): DeltaDecoder {
    const limits = readDeltaDecodeOptions(options);
    checkBytes('delta', delta);
    checkBytes('base', base);
    return new DeltaDecoder(delta, base, limits, (frame, how) => this.zstdDecompress(frame, how));
  }

  #compression(bytes: Uint8Array, options: ZstdCompressOptions) {
    checkBytes('bytes', bytes);
    const { level, prefix, dictionary } = readCompressOptions(options);
    const { zstd, dictionaryEncode } = this.#probe;
    if (zstd === undefined) throw lacking('compress with zstd');
    if (prefix !== undefined) throw lacking('make zstd frames against a prefix');
    const params = { [zstdParameter.compressionLevel]: level, [zstdParameter.dictIDFlag]: 0 };
    const settings = { params, pledgedSrcSize: bytes.length };
    if (dictionary === undefined) return [zstd, settings] as const;
    if (!dictionaryEncode) throw lacking('compress with a dictionary');
    return [zstd, { ...settings, dictionary: portableDictionary(dictionary)!.bytes }] as const;
  }

  #export(bytes: Uint8Array, options: ZstdExportOptions) {
    checkBytes('bytes', bytes);
    const { level, checksum, dictionary } = readExportOptions(options);
    const { zstd, dictionaryEncode } = this.#probe;
    if (zstd === undefined) throw lacking('compress with zstd');
    if (dictionary !== undefined && !dictionaryEncode) throw lacking('compress with a dictionary');
    const own = portableDictionary(dictionary)?.bytes;
    const params = {
      [zstdParameter.compressionLevel]: level,
      [zstdParameter.checksumFlag]: checksum ? 1 : 0,
    };
    const settings = { params, pledgedSrcSize: bytes.length };
    return [zstd, own === undefined ? settings : { ...settings, dictionary: own }] as const;
  }

  #import(bytes: Uint8Array, options: ZstdImportOptions) {
    checkBytes('bytes', bytes);
    const { maxOutputBytes, maxWindowLog, dictionary } = readImportOptions(options);
    const own = portableDictionary(dictionary);
    const { zstd, prefixDecode } = this.#probe;
    const params = { [zstdParameter.windowLogMax]: maxWindowLog };
    const settings = (room: number) => ({
      params,
      maxOutputLength: Math.max(1, room),
      ...(own === undefined ? {} : { dictionary: own.bytes }),
    });
    return {
      task: new ZstdImport(bytes, { maxOutputBytes, maxWindowLog, dictionaryId: own?.id }),
      zstd: own === undefined || prefixDecode ? zstd : undefined,
      settings,
      start: own?.start,
    };
  }

  #limits(bytes: Uint8Array, options: ZstdDecompressOptions): ZstdDecompressOptions {
    checkBytes('bytes', bytes);
    return readDecompressOptions(options);
  }

  /** zstd of this Node, unless it cannot read what was made against this prefix. */
  #decoderFor({ prefix, dictionary }: ZstdDecompressOptions): NodeZstd | undefined {
    const { zstd, prefixDecode } = this.#probe;
    const given = prefix !== undefined || dictionary !== undefined;
    const unreadable = (given && !prefixDecode) || (prefix !== undefined && looksTrained(prefix));
    return unreadable ? undefined : zstd;
  }
}

function blockHasher(bytes: Uint8Array, blockBytes: number): BlockHasher {
  checkBlockBytes('blockBytes', blockBytes);
  checkBytes('bytes', bytes);
  return new BlockHasher(bytes, blockBytes);
}

function blockMatcher(content: Uint8Array, base: BlockMatchOptions): BlockMatcher {
  const known = readBlockMatchOptions(base);
  checkBytes('content', content);
  return new BlockMatcher(known, content);
}

/** What a frame made with a dictionary starts with. */
const startOf = ({ dictionary }: ZstdDecompressOptions): DictionaryStart | undefined =>
  portableDictionary(dictionary)?.start;

/** Settings of `node:zlib` for a frame that keeps the limits, and the check of what it gives. */
function nodeDecompression(bytes: Uint8Array, limits: ZstdDecompressOptions) {
  const { sizeBytes, maxWindowLog } = limits;
  const dictionary = portableDictionary(limits.dictionary)?.bytes ?? limits.prefix;
  checkZstdFrame(bytes, limits);
  const settings = {
    params: { [zstdParameter.windowLogMax]: maxWindowLog },
    maxOutputLength: Math.max(1, sizeBytes),
    ...(dictionary === undefined ? {} : { dictionary }),
  };
  const finish = (result: Buffer): Buffer => {
    if (result.length === sizeBytes) return result;
    throw new DwcpError(
      'ERR_DWCP_CODEC',
      `The frame decoded to ${result.length} bytes, ${sizeBytes} were expected.`,
    );
  };
  return [settings, finish] as const;
}

function fit(result: Uint8Array, target: Uint8Array): number {
  if (result.length > target.length) {
    throw new DwcpError('ERR_DWCP_OUTPUT_LIMIT', 'The result does not fit into the target.');
  }
  target.set(result);
  return result.length;
}

/** The portable binding. */
export const native: NativeBinding = {
  tier: 'portable',
  codec: new PortableCodec(),
  io: undefined,
  makePages: () => {},
  memoryBytes: () => 0,
};

/** Status of the portable tier; the addon loader gives its own reason and attempts. */
export const status: NativeStatus = {
  tier: 'portable',
  reason: 'Node resolves #native without addons here (for example --no-addons).',
  attempts: [],
  zstdVersion: (process.versions as Readonly<Record<string, string | undefined>>)['zstd'],
};
