/**
 * The codec frame: payload with everything needed to read it, on the wire, in storage and in files.
 *
 *   "DW" version codec flags contentSize storedSize [padding] [base 16] [dictionary 4] [checksum 4 | 16]
 *   headerCrc payload
 *
 * Sizes are varints; flags: bits 0-1 checksum kind, 2-3 base digest kind, 4 padded, 5 dictionary id, 6-7
 * reserved (0).
 * `headerCrc` is CRC-32C of all before it. What is unknown is named before any work is done; a
 * header field sizes an allocation only after {@link checkLimits}; a frame ends exactly where it says.
 * Padding (counted, ignored) keeps honest, extremely compressible data under `maxRatio`.
 */
import type { CodecLimits } from '../limits.ts';
import type { CodecBinding, NativeBinding } from '../native/contract.ts';
import {
  RECORD_VERSION,
  isCodedRecord,
  isRecordFrame,
  readRecordHeader,
} from '../native/record-frame.ts';
import { bindingOf } from './tier.ts';
import { DwcpError } from '../errors.ts';
import { Codec, DigestKind } from './types.ts';
import type { Digest } from './types.ts';
import { ByteReader, corrupt, varintSize, writeVarint } from './varint.ts';

/** Version this build writes and reads. */
const FRAME_VERSION = 1;

const MAGIC_0 = 0x44;
const MAGIC_1 = 0x57;
const FLAG_PADDED = 1 << 4;
const FLAG_DICTIONARY = 1 << 5;
const RESERVED_FLAGS = 0b1100_0000;
const DICTIONARY_ID_BYTES = 4;
const DIGEST_BYTES = 16;
/** Offset of the first size. */
const SIZES_AT = 5;
/** Small outputs are no bomb: `maxRatio` binds above this decoded size, bytes. */
const RATIO_FLOOR_BYTES = 1024 * 1024;

/** How content is verified: not at all (a channel does it), CRC-32C, or a content digest. */
export const ChecksumKind = { none: 0, xxh3: 1, sha256: 2, crc32c: 3 } as const;
export type ChecksumKind = (typeof ChecksumKind)[keyof typeof ChecksumKind];

/** A checksum of the content: 0, 4 or 16 bytes. */
export interface Checksum {
  readonly kind: ChecksumKind;
  readonly bytes: Buffer;
}

/** What a frame says about itself. */
export interface FrameInfo {
  /** The short form of records, or the full one. */
  readonly form: 'full' | 'record';
  readonly version: number;
  readonly codec: Codec;
  /** Decoded size, bytes. */
  readonly contentBytes: number;
  /** Payload size, bytes. */
  readonly storedBytes: number;
  /** Offset of the payload, bytes. */
  readonly headerBytes: number;
  /** Size of the whole frame, bytes. */
  readonly frameBytes: number;
  /** Digest of the base a delta was made against. */
  readonly base: Digest | undefined;
  /** Id of the dictionary the payload was made with. */
  readonly dictionaryId: number | undefined;
  readonly checksum: Checksum;
}

/** What a writer states; sizes come from the payload. */
export interface FrameHeader {
  readonly codec: Codec;
  readonly contentBytes: number;
  readonly base?: Digest | undefined;
  readonly dictionaryId?: number | undefined;
  readonly checksum: Checksum;
  /** Ratio the frame must stay under, padded if need be. */
  readonly maxRatio?: number;
}

/**
 * True for codecs whose payload refers to a base.
 * @example isDelta(readFrameInfo(frame).codec)
 */
export function isDelta(codec: Codec): boolean {
  return codec === Codec.prefix || codec === Codec.chunk || codec === Codec.delta;
}

/** Builds a frame; `payload` is copied into it. */
export function writeFrame(
  binding: CodecBinding,
  header: FrameHeader,
  payload: Uint8Array,
): Buffer {
  const headerBytes = headerSize(header, payload.length);
  const frame = Buffer.allocUnsafe(
    headerBytes + payload.length + paddingFor(header, payload.length),
  );
  frame.set(payload, headerBytes);
  finishFrame(binding, header, frame, payload.length);
  return frame;
}

/** Size of the header of a frame with `storedBytes` of payload, bytes. */
export function headerSize(header: FrameHeader, storedBytes: number): number {
  const { contentBytes, base, dictionaryId, checksum } = header;
  const padding = paddingFor(header, storedBytes);
  return (
    SIZES_AT +
    varintSize(contentBytes) +
    varintSize(storedBytes) +
    (padding > 0 ? varintSize(padding) : 0) +
    (base ? DIGEST_BYTES : 0) +
    (dictionaryId === undefined ? 0 : DICTIONARY_ID_BYTES) +
    checksum.bytes.length +
    4
  );
}

/** Writes header and padding around a payload that lies where the header will end. */
export function finishFrame(
  binding: CodecBinding,
  header: FrameHeader,
  frame: Buffer,
  storedBytes: number,
): void {
  const { codec, contentBytes, base, dictionaryId, checksum } = header;
  const padding = paddingFor(header, storedBytes);
  frame[0] = MAGIC_0;
  frame[1] = MAGIC_1;
  frame[2] = FRAME_VERSION;
  frame[3] = codec;
  frame[4] = flagsOf(header) | (padding > 0 ? FLAG_PADDED : 0);
  let at = writeVarint(frame, SIZES_AT, contentBytes);
  at = writeVarint(frame, at, storedBytes);
  if (padding > 0) at = writeVarint(frame, at, padding);
  if (base) at += base.bytes.copy(frame, at);
  if (dictionaryId !== undefined) at = frame.writeUInt32LE(dictionaryId, at);
  at += checksum.bytes.copy(frame, at);
  at = frame.writeUInt32LE(binding.crc32c(frame.subarray(0, at)), at);
  frame.fill(0, at + storedBytes, at + storedBytes + padding);
}

function flagsOf({ checksum, base, dictionaryId }: FrameHeader): number {
  const named = dictionaryId === undefined ? 0 : FLAG_DICTIONARY;
  return checksum.kind | ((base?.kind ?? 0) << 2) | named;
}

/** Zeros a frame needs to stay under `maxRatio`. */
export function paddingFor(
  { contentBytes, base, maxRatio }: FrameHeader,
  storedBytes: number,
): number {
  if (maxRatio === undefined || base || contentBytes <= RATIO_FLOOR_BYTES) return 0;
  return Math.max(0, Math.ceil(contentBytes / maxRatio) - storedBytes);
}

/**
 * Reads and checks the header; the payload is not touched.
 * @throws ERR_DWCP_FRAME_MAGIC, _VERSION, _FLAGS, _CODEC, _CHECKSUM (header), _CORRUPT
 */
export function parseFrame(binding: CodecBinding, frame: Uint8Array): FrameInfo {
  const bytes = asBuffer(frame);
  if (isRecordFrame(bytes)) return recordInfo(bytes);
  const reader = new ByteReader(bytes);
  if (bytes.length < 2 || bytes[0] !== MAGIC_0 || bytes[1] !== MAGIC_1) {
    throw new DwcpError('ERR_DWCP_FRAME_MAGIC');
  }
  reader.take(2);
  const version = reader.byte();
  if (version !== FRAME_VERSION) {
    throw new DwcpError('ERR_DWCP_FRAME_VERSION', `codec frame version ${version} is not known`);
  }
  const codec = reader.byte() as Codec;
  if (codec > Codec.delta) {
    throw new DwcpError('ERR_DWCP_FRAME_CODEC', `codec id ${codec} is not known`);
  }
  const flags = reader.byte();
  const checksumKind = (flags & 3) as ChecksumKind;
  const baseKind = (flags >> 2) & 3;
  if ((flags & RESERVED_FLAGS) !== 0 || baseKind > DigestKind.sha256) {
    throw new DwcpError('ERR_DWCP_FRAME_FLAGS', `codec frame flags 0x${flags.toString(16)}`);
  }
  const contentBytes = reader.varint();
  const storedBytes = reader.varint();
  const padding = flags & FLAG_PADDED ? reader.varint() : 0;
  const base = baseKind
    ? { kind: baseKind as DigestKind, bytes: reader.take(DIGEST_BYTES) }
    : undefined;
  const dictionaryId = flags & FLAG_DICTIONARY ? reader.uint32() : undefined;
  const checksum = { kind: checksumKind, bytes: reader.take(checksumBytes(checksumKind)) };
  const crc = binding.crc32c(bytes.subarray(0, reader.offset));
  if (reader.uint32() !== crc) {
    throw new DwcpError('ERR_DWCP_FRAME_CHECKSUM', 'the codec frame header is damaged');
  }
  if (isDelta(codec) !== (base !== undefined)) corrupt('a delta and only a delta names a base');
  if (dictionaryId !== undefined && (codec !== Codec.zstd || dictionaryId === 0)) {
    corrupt('only zstd takes a dictionary, and none has the id 0');
  }
  if (codec === Codec.raw && storedBytes !== contentBytes) corrupt('raw sizes differ');
  if (reader.remaining !== storedBytes + padding) corrupt('payload length differs from the header');
  return {
    form: 'full',
    version,
    codec,
    contentBytes,
    storedBytes,
    headerBytes: reader.offset,
    frameBytes: bytes.length,
    base,
    dictionaryId,
    checksum,
  };
}

function recordInfo(frame: Buffer): FrameInfo {
  const { coded, contentBytes, dictionaryId, checksum, headerBytes } = readRecordHeader(frame);
  const bytes = Buffer.alloc(checksum === undefined ? 0 : 4);
  if (checksum !== undefined) bytes.writeUInt32LE(checksum);
  const kind = checksum === undefined ? ChecksumKind.none : ChecksumKind.crc32c;
  return {
    form: 'record',
    version: RECORD_VERSION,
    codec: coded ? Codec.zstd : Codec.raw,
    contentBytes,
    storedBytes: frame.length - headerBytes,
    headerBytes,
    frameBytes: frame.length,
    base: undefined,
    dictionaryId,
    checksum: { kind, bytes },
  };
}

/**
 * What a frame says about itself, from its header alone; the payload is neither read nor verified.
 * @throws as {@link parseFrame}
 * @example readFrameInfo(frame).codec === Codec.chunk
 */
export function readFrameInfo(frame: Uint8Array, native?: NativeBinding): FrameInfo {
  return parseFrame(bindingOf(native), frame);
}

/** The codec of a frame this build wrote. */
export function codecOf(frame: Buffer): Codec {
  if (isRecordFrame(frame)) return isCodedRecord(frame) ? Codec.zstd : Codec.raw;
  return frame[3] as Codec;
}

/** Decoded size of a frame that {@link parseFrame} has seen, bytes. */
export function contentBytesOf(frame: Buffer): number {
  if (isRecordFrame(frame)) return readRecordHeader(frame).contentBytes;
  return new ByteReader(frame, SIZES_AT).varint();
}

/** The payload of a parsed frame, as a view. */
export function payloadOf(frame: Uint8Array, info: FrameInfo): Buffer {
  return asBuffer(frame).subarray(info.headerBytes, info.headerBytes + info.storedBytes);
}

/** Bytes a checksum of `kind` takes. */
function checksumBytes(kind: ChecksumKind): number {
  if (kind === ChecksumKind.none) return 0;
  return kind === ChecksumKind.crc32c ? 4 : DIGEST_BYTES;
}

/**
 * Refuses a frame whose decoded size would pass a limit; call it before allocating anything.
 * @throws ERR_DWCP_OUTPUT_LIMIT
 */
export function checkLimits(info: FrameInfo, limits: CodecLimits): void {
  const { contentBytes, frameBytes } = info;
  if (contentBytes > limits.maxOutputBytes) {
    throw new DwcpError(
      'ERR_DWCP_OUTPUT_LIMIT',
      `decoded size ${contentBytes} is above maxOutputBytes ${limits.maxOutputBytes}`,
      { detail: { limit: 'maxOutputBytes', contentBytes } },
    );
  }
  if (info.base || contentBytes <= RATIO_FLOOR_BYTES) return;
  if (contentBytes > frameBytes * limits.maxRatio) {
    throw new DwcpError(
      'ERR_DWCP_OUTPUT_LIMIT',
      `decoded size ${contentBytes} of a ${frameBytes}-byte frame is above maxRatio ${limits.maxRatio}`,
      { detail: { limit: 'maxRatio', contentBytes, frameBytes } },
    );
  }
}

/** The same memory as a Buffer. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
