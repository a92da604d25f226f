/**
 * The portable tier: the binding in TypeScript over `node:zlib`, for `--no-addons`, platforms without a
 * binary, and `DWCP_NATIVE=off`. Same contract, same limits, same error codes; `abilities` says what this
 * Node does fast. zstd made here is plain: deltas against a prefix are read, not written. Where `node:zlib`
 * cannot read a frame, the decoder in TypeScript does.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { DwcpError } from '../errors.ts';
import { checkBytes, checkSeed, readCompressOptions, readDecompressOptions, readDeltaDecodeOptions } from './arguments.ts';
import type {
  CodecAbilities,
  CodecBinding,
  DeltaDecodeOptions,
  DeltaIndex,
  NativeBinding,
  NativeStatus,
  ZstdCompressOptions,
  ZstdDecompressOptions,
} from './contract.ts';
import { crc32c } from './crc32c.ts';
import { DeltaDecoder } from './delta-read.ts';
import { type NodeZstd, type NodeZstdProbe, probeNodeZstd, zstdParameter } from './node-zstd.ts';
import { xxh3, xxh3Async } from './xxh3.ts';
import { decodeZstd, decodeZstdAsync } from './zstd-decode.ts';
import { checkZstdFrame } from './zstd-frame.ts';

/** First bytes of a trained dictionary; `node:zlib` would not take a prefix that starts so as raw. */
const DICTIONARY_MAGIC = 0xec30a437;

const lacking = (what: string): DwcpError =>
  new DwcpError('ERR_DWCP_FRAME_CODEC', `The portable tier on this Node cannot ${what}.`);

function codecError(cause: unknown): DwcpError {
  if (cause instanceof DwcpError) return cause;
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'ERR_BUFFER_TOO_LARGE') {
    return new DwcpError('ERR_DWCP_OUTPUT_LIMIT', undefined, { cause });
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
  #found: NodeZstdProbe | undefined;

  get #probe(): NodeZstdProbe {
    return (this.#found ??= probeNodeZstd());
  }

  get abilities(): CodecAbilities {
    const { zstd, prefixDecode } = this.#probe;
    return {
      zstd: zstd !== undefined,
      prefixEncode: false,
      prefixDecode,
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
    if (zstd === undefined) return decodeZstd(bytes, limits);
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
    if (zstd === undefined) return decodeZstdAsync(bytes, limits);
    const [settings, finish] = nodeDecompression(bytes, limits);
    return promised((done) => zstd.zstdDecompress(bytes, settings, done), finish);
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
    return decoder.content;
  }

  async deltaDecodeAsync(
    delta: Uint8Array,
    base: Uint8Array,
    options: DeltaDecodeOptions,
  ): Promise<Buffer> {
    const decoder = this.#deltaDecoder(delta, base, options);
    while (!decoder.step()) await nextTurn();
    return decoder.content;
  }

  #deltaDecoder(delta: Uint8Array, base: Uint8Array, options: DeltaDecodeOptions): DeltaDecoder {
    const limits = readDeltaDecodeOptions(options);
    checkBytes('delta', delta);
    checkBytes('base', base);
    return new DeltaDecoder(delta, base, limits, (frame, how) => this.zstdDecompress(frame, how));
  }

  #compression(bytes: Uint8Array, options: ZstdCompressOptions) {
    checkBytes('bytes', bytes);
    const { level, prefix } = readCompressOptions(options);
    const { zstd } = this.#probe;
    if (zstd === undefined) throw lacking('compress with zstd');
    if (prefix !== undefined) throw lacking('make zstd frames against a prefix');
    const params = { [zstdParameter.compressionLevel]: level };
    return [zstd, { params, pledgedSrcSize: bytes.length }] as const;
  }

  #limits(bytes: Uint8Array, options: ZstdDecompressOptions): ZstdDecompressOptions {
    checkBytes('bytes', bytes);
    return readDecompressOptions(options);
  }

  /** zstd of this Node, unless it cannot read what was made against this prefix. */
  #decoderFor({ prefix }: ZstdDecompressOptions): NodeZstd | undefined {
    const { zstd, prefixDecode } = this.#probe;
    const unreadable = prefix !== undefined && (!prefixDecode || looksTrained(prefix));
    return unreadable ? undefined : zstd;
  }
}

/** Settings of `node:zlib` for a frame that keeps the limits, and the check of what it gives. */
function nodeDecompression(bytes: Uint8Array, limits: ZstdDecompressOptions) {
  const { sizeBytes, maxWindowLog, prefix } = limits;
  checkZstdFrame(bytes, limits);
  const settings = {
    params: { [zstdParameter.windowLogMax]: maxWindowLog },
    maxOutputLength: Math.max(1, sizeBytes),
    ...(prefix === undefined ? {} : { dictionary: prefix }),
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

function looksTrained(prefix: Uint8Array): boolean {
  if (prefix.length < 8) return false;
  return new DataView(prefix.buffer, prefix.byteOffset).getUint32(0, true) === DICTIONARY_MAGIC;
}

/** The portable binding. */
export const native: NativeBinding = {
  tier: 'portable',
  codec: new PortableCodec(),
  memoryBytes: () => 0,
};

/** Status of the portable tier; the addon loader gives its own reason and attempts. */
export const status: NativeStatus = {
  tier: 'portable',
  reason: 'Node resolves #native without addons here (for example --no-addons).',
  attempts: [],
  zstdVersion: (process.versions as Readonly<Record<string, string | undefined>>)['zstd'],
};
