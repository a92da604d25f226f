/**
 * One value in, one frame out, and back; now or off the event loop. These are the calls for people who
 * only want a safe, self-describing codec.
 */
import { invalidArg } from '../errors.ts';
import type { CodecBinding, ZstdDictionary } from '../native/contract.ts';
import { decodeFrame, decodeFrameSync } from './decode.ts';
import type { DecodeOptions } from './decode.ts';
import { computeDigest } from './digest.ts';
import { encodeRecord, encodeRecordAsync, isRecord, levelOf, writingDictionary } from './record.ts';
import type { CompressOptions } from './record.ts';
import { ChecksumKind, codecOf } from './frame.ts';
import type { Checksum } from './frame.ts';
import { fullCodec, writeFullFrame } from './full-frame.ts';
import { encodePayload, encodePayloadAsync, inputBuffer, isBriefEncode } from './payload.ts';
import { throwIfAborted } from './signal.ts';
import { countEncoded } from './stats.ts';
import { bindingOf } from './tier.ts';
import { Codec } from './types.ts';

/** Options of {@link compressAsync}. */
export interface CompressAsyncOptions extends CompressOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * Compresses `src` into a new frame, now.
 * @throws ERR_DWCP_INVALID_ARG, ERR_DWCP_FRAME_CODEC
 * @example
 * const frame = compress(Buffer.from('some text'));
 * decompress(frame).toString(); // 'some text'
 */
export function compress(src: Uint8Array, options: CompressOptions = {}): Buffer {
  const binding = bindingOf(options.native);
  // Whether memory may be read the record binding asks itself; to ask twice is a fiftieth of a small record's time.
  if (src instanceof Uint8Array && isRecord(binding, src.length, options)) {
    return encodeRecord(binding, src, options);
  }
  const prepared = prepare(src, options);
  return framed(prepared, encodePayload(binding, prepared.content, prepared), options);
}

/**
 * As {@link compress}, off the event loop for large inputs; `src` is borrowed until it settles.
 * @throws ERR_DWCP_ABORTED, and what {@link compress} throws
 * @example const frame = await compressAsync(value, { level: 9, signal });
 */
export async function compressAsync(
  src: Uint8Array,
  options: CompressAsyncOptions = {},
): Promise<Buffer> {
  throwIfAborted(options.signal);
  const prepared = prepare(src, options);
  const { binding, content } = prepared;
  if (isRecord(binding, content.length, options)) {
    if (isBriefEncode(content.length, prepared)) return encodeRecord(binding, content, options);
    const frame = await encodeRecordAsync(binding, content, options);
    throwIfAborted(options.signal);
    return frame;
  }
  const payload = await encodePayloadAsync(prepared.binding, prepared.content, prepared);
  throwIfAborted(options.signal);
  return framed(prepared, payload, options);
}

/**
 * Decodes a frame that needs no base, now. `frame` is borrowed until it returns; the result is the
 * caller's own memory.
 * @throws as {@link decompressAsync}
 * @example decompress(compress(value)).equals(value) // true
 */
export function decompress(frame: Uint8Array, options: DecodeOptions = {}): Buffer {
  return decodeFrameSync(frame, options).bytes;
}

/**
 * Decodes a frame that needs no base, off the event loop for large values; `frame` is borrowed
 * until it settles, the result is the caller's own memory.
 * @throws ERR_DWCP_FRAME_MAGIC, _VERSION, _CODEC, _FLAGS, _CORRUPT, _CHECKSUM,
 * ERR_DWCP_OUTPUT_LIMIT, ERR_DWCP_WINDOW_LIMIT, ERR_DWCP_CODEC, ERR_DWCP_BASE_MISSING,
 * ERR_DWCP_ABORTED
 * @example const value = await decompressAsync(frame, { limits: { maxOutputBytes: 1 << 20 } });
 */
export async function decompressAsync(
  frame: Uint8Array,
  options: DecodeOptions = {},
): Promise<Buffer> {
  return (await decodeFrame(frame, options)).bytes;
}

/** A checked request to write a whole value. */
export interface Prepared {
  readonly binding: CodecBinding;
  readonly content: Buffer;
  readonly codec: Codec;
  readonly level: number;
  readonly dictionary: ZstdDictionary | undefined;
}

/** Checks a request to write a whole value. */
export function prepare(src: Uint8Array, options: CompressOptions): Prepared {
  const binding = bindingOf(options.native);
  const content = inputBuffer('src', src);
  const { dictionary } = options;
  const best = dictionary ? Codec.zstd : fullCodec(binding, content.length, undefined);
  const { codec = best } = options;
  const whole = codec === Codec.raw || codec === Codec.zstd || codec === Codec.brotli;
  if (!whole) invalidArg('options.codec', 'raw, zstd or brotli', codec);
  if (dictionary && codec !== Codec.zstd) {
    invalidArg('options.codec', 'zstd where there is a dictionary', codec);
  }
  return {
    binding,
    content,
    codec: content.length === 0 ? Codec.raw : codec,
    level: levelOf(options),
    dictionary: writingDictionary(binding, options),
  };
}

function framed(
  { binding, content, codec, dictionary }: Prepared,
  payload: Uint8Array,
  options: CompressOptions,
): Buffer {
  const checksum = checksumOf(binding, options.checksum ?? ChecksumKind.crc32c, content);
  const frame = writeFullFrame(
    binding,
    content,
    { codec, payload, dictionaryId: dictionary?.id },
    checksum,
  );
  countEncoded(codecOf(frame), content.length, frame.length, undefined);
  return frame;
}

/** The checksum of `content` by its kind. */
export function checksumOf(binding: CodecBinding, kind: ChecksumKind, content: Buffer): Checksum {
  if (kind === ChecksumKind.none) return { kind, bytes: Buffer.alloc(0) };
  if (kind !== ChecksumKind.crc32c) return computeDigest(binding, kind, content);
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32LE(binding.crc32c(content), 0);
  return { kind, bytes };
}
