/**
 * Payloads: one switch for making (whole content and the zstd prefix delta), one for reading every codec;
 * each now, or off the event loop. Deltas that need an index are made in `delta-payload.ts`.
 */
import { DwcpError } from '../errors.ts';
import type { CodecLimits } from '../limits.ts';
import { checkBytes } from '../native/arguments.ts';
import type { CodecBinding, ZstdDictionary } from '../native/contract.ts';
import {
  brotliDecode,
  brotliDecodeAsync,
  brotliEncode,
  brotliEncodeAsync,
  brotliQuality,
} from './brotli.ts';
import { decodeChunk, decodeChunkAsync } from './chunk-delta.ts';
import { codecName } from './codecs.ts';
import { asBuffer } from './frame.ts';
import { Codec } from './types.ts';

/** Below this size a pool hop costs more than compressing in place, bytes. */
const SYNC_ENCODE_BYTES = 4 * 1024;
/** The same with a dictionary, which makes it faster, bytes. */
const SYNC_DICTIONARY_BYTES = 8 * 1024;
/** Levels above cost so much more per byte. */
const FAST_LEVELS = 5;
const SLOW_LEVEL_COST = 8;
/** Below this size a pool hop costs more than decompressing in place, bytes. */
const SYNC_DECODE_BYTES = 64 * 1024;

/** What to make. */
export interface EncodeRequest {
  readonly codec: Codec;
  readonly level: number;
  /** The base, for `Codec.prefix`. */
  readonly prefix?: Buffer | undefined;
  /** For `Codec.zstd`. */
  readonly dictionary?: ZstdDictionary | undefined;
}

/** What to read; sizes have passed the limits. */
export interface DecodeRequest {
  readonly codec: Codec;
  readonly contentBytes: number;
  readonly limits: CodecLimits;
  /** The base of a delta, verified. */
  readonly prefix?: Buffer | undefined;
  /** The dictionary the frame names. */
  readonly dictionary?: ZstdDictionary | undefined;
  /** XXH3-128 of the content; verified on the way by `Codec.delta`, and ignored by others. */
  readonly xxh3?: Uint8Array | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** True when a pool hop would cost more than encoding `sizeBytes` in place. */
export function isBriefEncode(
  sizeBytes: number,
  {
    level,
    prefix,
    dictionary,
  }: Omit<EncodeRequest, 'codec' | 'dictionary'> & { dictionary?: unknown },
): boolean {
  const work = sizeBytes + (prefix?.length ?? 0);
  const most = dictionary ? SYNC_DICTIONARY_BYTES : SYNC_ENCODE_BYTES;
  return work <= (level <= FAST_LEVELS ? most : most / SLOW_LEVEL_COST);
}

/** True when a pool hop would cost more than decoding to `contentBytes` in place. */
export function isBriefDecode(contentBytes: number): boolean {
  return contentBytes <= SYNC_DECODE_BYTES;
}

/** Encodes `bytes` now. Raw payloads are views of `bytes`. */
export function encodePayload(
  binding: CodecBinding,
  bytes: Uint8Array,
  { codec, level, prefix, dictionary }: EncodeRequest,
): Uint8Array {
  if (codec === Codec.raw) return bytes;
  if (codec === Codec.brotli) return brotliEncode(bytes, brotliQuality(level));
  if (codec === Codec.chunk || codec === Codec.delta) throw notHere(codec);
  requireEncoder(binding, codec);
  return binding.zstdCompress(bytes, { level, prefix, dictionary });
}

/** As {@link encodePayload}, on the thread pool above a threshold. */
export async function encodePayloadAsync(
  binding: CodecBinding,
  bytes: Uint8Array,
  request: EncodeRequest,
): Promise<Uint8Array> {
  const { codec, level, prefix, dictionary } = request;
  if (isBriefEncode(bytes.length, request) || codec === Codec.raw) {
    return encodePayload(binding, bytes, request);
  }
  if (codec === Codec.brotli) return brotliEncodeAsync(bytes, brotliQuality(level));
  if (codec === Codec.chunk || codec === Codec.delta) throw notHere(codec);
  requireEncoder(binding, codec);
  return binding.zstdCompressAsync(bytes, { level, prefix, dictionary });
}

/**
 * Decodes a payload now to exactly `contentBytes`. The result is the caller's own memory.
 * @throws ERR_DWCP_CODEC, ERR_DWCP_OUTPUT_LIMIT, ERR_DWCP_WINDOW_LIMIT,
 * ERR_DWCP_FRAME_CORRUPT
 */
export function decodePayload(
  binding: CodecBinding,
  payload: Buffer,
  { codec, contentBytes, limits, prefix, dictionary, xxh3 }: DecodeRequest,
): Buffer {
  if (codec === Codec.raw) return Buffer.from(payload);
  if (codec === Codec.chunk) return decodeChunk(payload, prefix!, contentBytes, limits);
  if (codec === Codec.delta) {
    return binding.deltaDecode(payload, prefix!, { ...limits, sizeBytes: contentBytes, xxh3 });
  }
  if (contentBytes === 0) throw new DwcpError('ERR_DWCP_FRAME_CORRUPT', 'empty content is raw');
  if (codec === Codec.brotli) return brotliDecode(payload, contentBytes, limits.maxWindowLog);
  const { maxWindowLog } = limits;
  const options = { sizeBytes: contentBytes, maxWindowLog, prefix, dictionary };
  return requireSize(binding.zstdDecompress(payload, options), contentBytes);
}

/** As {@link decodePayload}, on the thread pool above a threshold. */
export async function decodePayloadAsync(
  binding: CodecBinding,
  payload: Buffer,
  request: DecodeRequest,
): Promise<Buffer> {
  const { codec, contentBytes, limits, prefix, dictionary, xxh3, signal } = request;
  if (isBriefDecode(contentBytes) || codec === Codec.raw) {
    return decodePayload(binding, payload, request);
  }
  if (codec === Codec.chunk) {
    return decodeChunkAsync(payload, prefix!, contentBytes, limits, signal);
  }
  if (codec === Codec.delta) {
    return binding.deltaDecodeAsync(payload, prefix!, {
      ...limits,
      sizeBytes: contentBytes,
      xxh3,
    });
  }
  const { maxWindowLog } = limits;
  if (codec === Codec.brotli) return brotliDecodeAsync(payload, contentBytes, maxWindowLog);
  const options = { sizeBytes: contentBytes, maxWindowLog, prefix, dictionary };
  return requireSize(await binding.zstdDecompressAsync(payload, options), contentBytes);
}

function requireSize(bytes: Buffer, contentBytes: number): Buffer {
  if (bytes.length === contentBytes) return bytes;
  throw new DwcpError('ERR_DWCP_FRAME_CORRUPT', 'decoded size differs from the header');
}

function requireEncoder(binding: CodecBinding, codec: Codec): void {
  const { zstd, prefixEncode } = binding.abilities;
  if (codec === Codec.prefix ? prefixEncode : zstd) return;
  throw notHere(codec);
}

function notHere(codec: Codec): DwcpError {
  return new DwcpError(
    'ERR_DWCP_FRAME_CODEC',
    `this tier cannot make codec ${codecName(codec)} here`,
    {
      detail: { codec },
    },
  );
}

/**
 * Borrowed input as a Buffer view; refuses memory that can change or vanish under a pool thread.
 * @throws ERR_DWCP_INVALID_ARG
 */
export function inputBuffer(path: string, bytes: Uint8Array): Buffer {
  checkBytes(path, bytes);
  return asBuffer(bytes);
}
