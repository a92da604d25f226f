/**
 * Compressing and decompressing into the caller's memory: no result is allocated, a number of bytes is
 * returned. Records take the short form and allocate nothing at all; larger values are coded by zstd where
 * they will lie, between a reserved header and the end.
 */
import { DwcpError } from '../errors.ts';
import { checkApart, checkBytes } from '../native/arguments.ts';
import { isRecordFrame } from '../native/record-frame.ts';
import { checksumOf, prepare } from './compress.ts';
import type { CompressAsyncOptions, Prepared } from './compress.ts';
import { digestKind, openFrame, requireBase, verified } from './decode.ts';
import type { DecodeOptions, OpenedFrame } from './decode.ts';
import { computeDigest, computeDigestAsync } from './digest.ts';
import { ChecksumKind, asBuffer, finishFrame, headerSize, isDelta, paddingFor } from './frame.ts';
import type { FrameHeader } from './frame.ts';
import { defaultLimits } from '../limits.ts';
import {
  decodePayload,
  decodePayloadAsync,
  encodePayload,
  encodePayloadAsync,
  isBriefDecode,
  isBriefEncode,
} from './payload.ts';
import {
  decodeRecordInto,
  encodeRecordInto,
  encodeRecordIntoAsync,
  isRecord,
  levelOf,
} from './record.ts';
import type { CompressOptions } from './record.ts';
import { throwIfAborted } from './signal.ts';
import { countEncoded } from './stats.ts';
import { bindingOf } from './tier.ts';
import { Codec } from './types.ts';

/** Room for any header, and what zstd may add to a small input, bytes. */
const BOUND_BYTES = 128;

const DEFAULTS: CompressAsyncOptions = {};
const READ_DEFAULTS: DecodeOptions = {};

/**
 * Room that is always enough for the frame of `sizeBytes` of content, bytes.
 * @throws ERR_DWCP_INVALID_ARG for what is no size
 * @example const dst = Buffer.allocUnsafe(compressBound(record.length));
 */
export function compressBound(sizeBytes: number): number {
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) {
    throw new DwcpError('ERR_DWCP_INVALID_ARG', 'sizeBytes must be an integer from 0');
  }
  return sizeBytes + Math.floor(sizeBytes / 256) + BOUND_BYTES;
}

/**
 * Compresses `src` into the front of `dst` and returns the size of the frame, bytes. They must not share
 * memory. Room of {@link compressBound} is always enough; when the frame does not fit, `dst` is as it was
 * or zeroed.
 * @throws ERR_DWCP_INVALID_ARG, ERR_DWCP_FRAME_CODEC, ERR_DWCP_OUTPUT_LIMIT
 * @example
 * const dst = Buffer.allocUnsafe(compressBound(src.length));
 * const frame = dst.subarray(0, compressInto(src, dst, { dictionary }));
 */
export function compressInto(
  src: Uint8Array,
  dst: Uint8Array,
  options: CompressOptions = DEFAULTS,
): number {
  const binding = bindingOf(options.native);
  checkBytes('src', src);
  checkBytes('dst', dst);
  if (isRecord(binding, src.length, options)) return encodeRecordInto(binding, src, dst, options);
  const plan = planOf(src, dst, options);
  try {
    return finish(plan, plan.direct ? compressNow(plan) : place(plan, payloadOf(plan)));
  } catch (error) {
    dst.fill(0);
    throw error;
  }
}

/**
 * As {@link compressInto}, off the event loop above a threshold; both are borrowed until it settles.
 * @throws ERR_DWCP_ABORTED, and what {@link compressInto} throws
 * @example const size = await compressIntoAsync(src, dst, { level: 9, signal });
 */
export async function compressIntoAsync(
  src: Uint8Array,
  dst: Uint8Array,
  options: CompressAsyncOptions = DEFAULTS,
): Promise<number> {
  throwIfAborted(options.signal);
  const binding = bindingOf(options.native);
  checkBytes('src', src);
  checkBytes('dst', dst);
  const cost = { level: levelOf(options), dictionary: options.dictionary };
  if (isBriefEncode(src.length, cost)) return compressInto(src, dst, options);
  if (isRecord(binding, src.length, options)) {
    const size = await encodeRecordIntoAsync(binding, src, dst, options);
    throwIfAborted(options.signal);
    return size;
  }
  const plan = planOf(src, dst, options);
  try {
    const { content, level, dictionary, target, at } = plan;
    const stored = plan.direct
      ? await binding.zstdCompressIntoAsync(content, target.subarray(at), { level, dictionary })
      : place(plan, await encodePayloadAsync(binding, content, plan));
    throwIfAborted(options.signal);
    return finish(plan, stored);
  } catch (error) {
    dst.fill(0);
    throw error;
  }
}

/**
 * Decompresses a frame that needs no base into the front of `dst` and returns the size of the content,
 * bytes. They must not share memory. After an error `dst` holds nothing unverified: it is as it was, or
 * zeroed where the content would have been.
 * @throws ERR_DWCP_OUTPUT_LIMIT when the content does not fit, and what `decompress` throws
 * @example const size = decompressInto(frame, dst, { dictionary });
 */
export function decompressInto(
  frame: Uint8Array,
  dst: Uint8Array,
  options: DecodeOptions = READ_DEFAULTS,
): number {
  const binding = bindingOf(options.native);
  checkBytes('frame', frame);
  checkBytes('dst', dst);
  if (isRecordFrame(frame)) return decodeRecordInto(binding, frame, dst, options);
  const opened = openFrame(binding, frame, options);
  const target = targetOf(opened, frame, dst);
  try {
    const request = requestOf(opened, options);
    if (opened.info.codec === Codec.zstd) {
      binding.zstdDecompressInto(opened.payload, target, request);
    } else {
      target.set(decodePayload(binding, opened.payload, request));
    }
    const kind = digestKind(opened.info);
    verified(binding, opened.info, target, kind && computeDigest(binding, kind, target));
    return target.length;
  } catch (error) {
    target.fill(0);
    throw error;
  }
}

/**
 * As {@link decompressInto}, off the event loop above a threshold; both are borrowed until it settles.
 * @throws ERR_DWCP_ABORTED, and what {@link decompressInto} throws
 * @example const size = await decompressIntoAsync(frame, dst, { dictionary, signal });
 */
export async function decompressIntoAsync(
  frame: Uint8Array,
  dst: Uint8Array,
  options: DecodeOptions = READ_DEFAULTS,
): Promise<number> {
  throwIfAborted(options.signal);
  const binding = bindingOf(options.native);
  checkBytes('frame', frame);
  checkBytes('dst', dst);
  if (isRecordFrame(frame)) return decodeRecordInto(binding, frame, dst, options);
  const opened = openFrame(binding, frame, options);
  if (isBriefDecode(opened.info.contentBytes)) return decompressInto(frame, dst, options);
  const target = targetOf(opened, frame, dst);
  try {
    const request = requestOf(opened, options);
    if (opened.info.codec === Codec.zstd) {
      await binding.zstdDecompressIntoAsync(opened.payload, target, request);
    } else {
      target.set(await decodePayloadAsync(binding, opened.payload, request));
    }
    throwIfAborted(options.signal);
    const kind = digestKind(opened.info);
    const digest = kind && (await computeDigestAsync(binding, kind, target));
    verified(binding, opened.info, target, digest);
    return target.length;
  } catch (error) {
    target.fill(0);
    throw error;
  }
}

/** How a full frame comes to lie in its target. */
interface Plan extends Prepared {
  readonly target: Buffer;
  readonly header: FrameHeader;
  /** Where the payload goes until the header's size is known. */
  readonly at: number;
  /** zstd writes there itself. */
  readonly direct: boolean;
}

function planOf(src: Uint8Array, dst: Uint8Array, options: CompressOptions): Plan {
  checkApart('dst', dst, src);
  const prepared = prepare(src, options);
  const { binding, content, codec, dictionary } = prepared;
  const header: FrameHeader = {
    codec,
    contentBytes: content.length,
    dictionaryId: dictionary?.id,
    checksum: checksumOf(binding, options.checksum ?? ChecksumKind.crc32c, content),
    maxRatio: defaultLimits.codec.maxRatio,
  };
  const at = headerSize(header, content.length);
  if (at >= dst.length) throw tooSmall();
  return { ...prepared, target: asBuffer(dst), header, at, direct: codec === Codec.zstd };
}

function compressNow({ binding, content, level, dictionary, target, at }: Plan): number {
  const { length } = content;
  try {
    return binding.zstdCompressInto(content, target.subarray(at), { level, dictionary });
  } catch (error) {
    // What does not compress may still fit as it is.
    if (error instanceof DwcpError && error.code === 'ERR_DWCP_OUTPUT_LIMIT') return length;
    throw error;
  }
}

function payloadOf(plan: Plan): Uint8Array {
  return encodePayload(plan.binding, plan.content, plan);
}

/** Copies a payload that was made elsewhere; what would not fit is left to {@link finish}. */
function place({ target, at }: Plan, payload: Uint8Array): number {
  if (at + payload.length <= target.length) target.set(payload, at);
  return payload.length;
}

/** Header, padding, and the content itself where coding saved nothing. */
function finish(plan: Plan, coded: number): number {
  const { binding, content, target, at } = plan;
  const smaller = coded < content.length;
  const stored = smaller ? coded : content.length;
  const header = smaller
    ? plan.header
    : { ...plan.header, codec: Codec.raw, dictionaryId: undefined };
  const headerBytes = headerSize(header, stored);
  const end = headerBytes + stored + paddingFor(header, stored);
  if (end > target.length || (smaller && at + stored > target.length)) throw tooSmall();
  if (smaller) target.copyWithin(headerBytes, at, at + stored);
  else target.set(content, headerBytes);
  finishFrame(binding, header, target, stored);
  countEncoded(header.codec, content.length, end, undefined);
  return end;
}

function targetOf({ info }: OpenedFrame, frame: Uint8Array, dst: Uint8Array): Buffer {
  checkApart('dst', dst, frame);
  if (isDelta(info.codec)) requireBase(undefined);
  if (info.contentBytes <= dst.length) return asBuffer(dst).subarray(0, info.contentBytes);
  throw new DwcpError('ERR_DWCP_OUTPUT_LIMIT', 'the content does not fit into dst', {
    detail: { contentBytes: info.contentBytes, dstBytes: dst.length },
  });
}

function requestOf({ info, limits, dictionary }: OpenedFrame, { signal }: DecodeOptions) {
  const { codec, contentBytes } = info;
  const { maxWindowLog } = limits;
  return { codec, contentBytes, sizeBytes: contentBytes, limits, maxWindowLog, dictionary, signal };
}

function tooSmall(): DwcpError {
  return new DwcpError('ERR_DWCP_OUTPUT_LIMIT', 'the frame does not fit into dst');
}
