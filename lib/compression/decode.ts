/**
 * Reading a frame: header, limits, base, payload, checksum, in that order, so that nothing is done for a
 * frame that will be refused and nothing unverified is handed over.
 */
import { DwcpError } from '../errors.ts';
import { defaultLimits } from '../limits.ts';
import type { CodecLimits } from '../limits.ts';
import type { CodecBinding, NativeBinding, ZstdDictionary } from '../native/contract.ts';
import type { Baseline } from './baseline.ts';
import { computeDigest, computeDigestAsync, digestEquals } from './digest.ts';
import { chosenDictionary, dictionaryOn } from './dictionary.ts';
import type { DictionaryChoice } from './dictionary.ts';
import { ChecksumKind, checkLimits, parseFrame, payloadOf } from './frame.ts';
import type { FrameInfo } from './frame.ts';
import { isRecordFrame } from '../native/record-frame.ts';
import { decodeRecord } from './record.ts';
import { decodePayload, decodePayloadAsync, inputBuffer } from './payload.ts';
import { throwIfAborted } from './signal.ts';
import { countDecoded } from './stats.ts';
import { bindingOf } from './tier.ts';
import { Codec } from './types.ts';
import type { Digest, DigestKind } from './types.ts';

/** Options of every decode. */
export interface DecodeOptions extends DictionaryChoice {
  /** Limits that differ from the defaults. */
  readonly limits?: Partial<CodecLimits> | undefined;
  /** The tier to use; the loaded one if absent. */
  readonly native?: NativeBinding | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Decoded content. */
export interface Decoded {
  /** The caller's own memory. */
  readonly bytes: Buffer;
  /** The verified content digest, when the frame carries one. */
  readonly digest: Digest | undefined;
}

/**
 * Decodes a frame now; `baseline` is what a delta was made against. Both are borrowed until it
 * returns; the result is the caller's own memory.
 * @throws as {@link decodeFrame}
 * @example const { bytes } = decodeFrameSync(frame, {}, Baseline.of(previous));
 */
export function decodeFrameSync(
  frame: Uint8Array,
  options: DecodeOptions = {},
  baseline?: Baseline,
): Decoded {
  const binding = bindingOf(options.native);
  const input = inputBuffer('frame', frame);
  if (isRecordFrame(input)) return decodedRecord(binding, input, options);
  const opened = openFrame(binding, input, options);
  const { info, limits, payload, dictionary } = opened;
  if (info.base) matchBase(info.base, requireBase(baseline).digest(info.base.kind, binding));
  const prefix = info.base && baseline?.bytes;
  const onTheWay = digestOnTheWay(info);
  const xxh3 = onTheWay?.bytes;
  const bytes = decodePayload(binding, payload, { ...info, limits, prefix, dictionary, xxh3 });
  const kind = digestKind(info);
  const digest = onTheWay ?? (kind && computeDigest(binding, kind, bytes));
  return verified(binding, info, bytes, digest);
}

/**
 * Decodes a frame, off the event loop for large values. `frame` and the baseline's bytes are
 * borrowed until it settles; the result is the caller's own memory.
 * @throws ERR_DWCP_FRAME_* for a bad frame, ERR_DWCP_OUTPUT_LIMIT, ERR_DWCP_WINDOW_LIMIT,
 * ERR_DWCP_LIMIT, ERR_DWCP_CODEC, ERR_DWCP_BASE_MISSING, ERR_DWCP_BASE_MISMATCH,
 * ERR_DWCP_DICTIONARY_MISMATCH, ERR_DWCP_ABORTED
 * @example const { bytes } = await decodeFrame(frame, {}, Baseline.of(previous));
 */
export async function decodeFrame(
  frame: Uint8Array,
  options: DecodeOptions = {},
  baseline?: Baseline,
): Promise<Decoded> {
  throwIfAborted(options.signal);
  const binding = bindingOf(options.native);
  const input = inputBuffer('frame', frame);
  if (isRecordFrame(input)) return decodedRecord(binding, input, options);
  const opened = openFrame(binding, input, options);
  const { info, limits, payload, dictionary } = opened;
  if (info.base) {
    matchBase(info.base, await requireBase(baseline).digestAsync(info.base.kind, binding));
  }
  const prefix = info.base && baseline?.bytes;
  const onTheWay = digestOnTheWay(info);
  const bytes = await decodePayloadAsync(binding, payload, {
    codec: info.codec,
    contentBytes: info.contentBytes,
    limits,
    prefix,
    dictionary,
    xxh3: onTheWay?.bytes,
    signal: options.signal,
  });
  throwIfAborted(options.signal);
  const kind = digestKind(info);
  const digest = onTheWay ?? (kind && (await computeDigestAsync(binding, kind, bytes)));
  return verified(binding, info, bytes, digest);
}

/** A record is at most 64 KiB: a pool hop would cost more than decoding it. */
function decodedRecord(binding: CodecBinding, frame: Buffer, options: DecodeOptions): Decoded {
  return { bytes: decodeRecord(binding, frame, options), digest: undefined };
}

/** A full frame that passed every check of its header. */
export interface OpenedFrame {
  readonly info: FrameInfo;
  readonly limits: CodecLimits;
  readonly payload: Buffer;
  readonly dictionary: ZstdDictionary | undefined;
}

/**
 * Header, limits and dictionary of a full frame.
 * @throws as {@link decodeFrame}
 */
export function openFrame(
  binding: CodecBinding,
  frame: Uint8Array,
  options: DecodeOptions,
): OpenedFrame {
  const bytes = inputBuffer('frame', frame);
  const info = parseFrame(binding, bytes);
  const limits = { ...defaultLimits.codec, ...options.limits };
  checkLimits(info, limits);
  const { dictionaryId } = info;
  const dictionary =
    dictionaryId === undefined
      ? undefined
      : dictionaryOn(binding, chosenDictionary(dictionaryId, options));
  return { info, limits, payload: payloadOf(bytes, info), dictionary };
}

/** The checksum is verified before anyone sees the bytes. */
export function verified(
  binding: CodecBinding,
  info: FrameInfo,
  bytes: Buffer,
  digest: Digest | undefined,
): Decoded {
  const { kind, bytes: expected } = info.checksum;
  const holds = digest
    ? digest.bytes.equals(expected)
    : kind === ChecksumKind.none || binding.crc32c(bytes) === expected.readUInt32LE(0);
  if (!holds) {
    throw new DwcpError('ERR_DWCP_FRAME_CHECKSUM', 'the content does not match its checksum');
  }
  countDecoded(info.codec, info.frameBytes, bytes.length);
  return { bytes, digest };
}

/** The kind of the content digest in a frame, when it carries one. */
export function digestKind(info: FrameInfo): DigestKind | undefined {
  const { kind } = info.checksum;
  return kind === ChecksumKind.xxh3 || kind === ChecksumKind.sha256 ? kind : undefined;
}

/** The digest of a frame whose payload is verified by it while it is decoded. */
function digestOnTheWay({ codec, checksum }: FrameInfo): Digest | undefined {
  const { kind, bytes } = checksum;
  if (codec !== Codec.delta || kind !== ChecksumKind.xxh3) return undefined;
  return { kind, bytes: Buffer.from(bytes) };
}

/**
 * The base of a delta.
 * @throws ERR_DWCP_BASE_MISSING when none was given
 */
export function requireBase(baseline: Baseline | undefined): Baseline {
  if (baseline) return baseline;
  throw new DwcpError('ERR_DWCP_BASE_MISSING', 'the frame is a delta and no base was given');
}

function matchBase(wanted: Digest, actual: Digest): void {
  if (digestEquals(wanted, actual)) return;
  throw new DwcpError('ERR_DWCP_BASE_MISMATCH', undefined, {
    detail: { wanted: wanted.bytes.toString('hex'), actual: actual.bytes.toString('hex') },
  });
}
