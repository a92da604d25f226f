/**
 * The codec binding over the addon: checks arguments, passes scalars and views flat across the seam, and
 * turns the addon's plain coded errors into `DwcpError`s. Holds no state.
 */
import { DwcpError, type ErrorCode, errorCodes } from '../errors.ts';
import { checkBytes, checkSeed, readCompressOptions, readDecompressOptions } from './arguments.ts';
import type {
  CodecAbilities,
  CodecBinding,
  ZstdCompressOptions,
  ZstdDecompressOptions,
} from './contract.ts';

type Prefix = Uint8Array | undefined;

/** What the addon file exports. `contract` changes with any change here. */
export interface AddonExports {
  readonly contract: number;
  readonly zstdVersion: string;
  /** Instruction set CRC-32C runs on: `sse4.2` or `scalar`. */
  readonly crc32cVia: string;
  memoryBytes(): number;
  crc32c(bytes: Uint8Array, seed: number): number;
  xxh3(bytes: Uint8Array): Buffer;
  xxh3Async(bytes: Uint8Array): Promise<Buffer>;
  zstdCompress(bytes: Uint8Array, level: number, prefix: Prefix): Buffer;
  zstdCompressAsync(bytes: Uint8Array, level: number, prefix: Prefix): Promise<Buffer>;
  zstdDecompress(bytes: Uint8Array, size: number, windowLog: number, prefix: Prefix): Buffer;
  zstdDecompressAsync(
    bytes: Uint8Array,
    size: number,
    windowLog: number,
    prefix: Prefix,
  ): Promise<Buffer>;
}

/** The contract number this TypeScript was written for. */
export const ADDON_CONTRACT = 1;

const isErrorCode = (code: unknown): code is ErrorCode =>
  typeof code === 'string' && Object.hasOwn(errorCodes, code);

function asDwcpError(error: unknown): unknown {
  if (!(error instanceof Error && 'code' in error && isErrorCode(error.code))) return error;
  return new DwcpError(error.code, error.message);
}

/** {@link CodecBinding} over a loaded addon. */
export class AddonCodec implements CodecBinding {
  readonly abilities: CodecAbilities = {
    zstd: true,
    prefixEncode: true,
    prefixDecode: true,
    fastXxh3: true,
  };
  readonly #addon: AddonExports;

  constructor(addon: AddonExports) {
    this.#addon = addon;
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
    const { level, prefix } = readCompressOptions(options);
    checkBytes('bytes', bytes);
    try {
      return this.#addon.zstdCompress(bytes, level, prefix);
    } catch (error) {
      throw asDwcpError(error);
    }
  }

  async zstdCompressAsync(bytes: Uint8Array, options: ZstdCompressOptions): Promise<Buffer> {
    const { level, prefix } = readCompressOptions(options);
    checkBytes('bytes', bytes);
    try {
      return await this.#addon.zstdCompressAsync(bytes, level, prefix);
    } catch (error) {
      throw asDwcpError(error);
    }
  }

  zstdDecompress(bytes: Uint8Array, options: ZstdDecompressOptions): Buffer {
    const { sizeBytes, maxWindowLog, prefix } = readDecompressOptions(options);
    checkBytes('bytes', bytes);
    try {
      return this.#addon.zstdDecompress(bytes, sizeBytes, maxWindowLog, prefix);
    } catch (error) {
      throw asDwcpError(error);
    }
  }

  async zstdDecompressAsync(bytes: Uint8Array, options: ZstdDecompressOptions): Promise<Buffer> {
    const { sizeBytes, maxWindowLog, prefix } = readDecompressOptions(options);
    checkBytes('bytes', bytes);
    try {
      return await this.#addon.zstdDecompressAsync(bytes, sizeBytes, maxWindowLog, prefix);
    } catch (error) {
      throw asDwcpError(error);
    }
  }
}
