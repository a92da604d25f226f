/**
 * The short form of the codec frame, for records of up to 64 KiB; `native/core/codec/record_format.h` is
 * its other half.
 *
 *   0xDC flags contentSize [dictionary 4] [checksum 4] headerCheck payload
 *
 * flags: bits 0-1 kind of checksum (0 none, 3 CRC-32C of the content), bit 2 the payload is the inside of
 * the only block of a zstd frame (else the content itself), bit 3 dictionary id present, bits 4-7 version.
 * `contentSize` is a minimal varint, numbers are little-endian, `headerCheck` is CRC-8 (polynomial 7) of
 * what precedes it. The carrier knows where the frame ends.
 */
import { DwcpError } from '../errors.ts';

/** Largest content of a record, bytes. */
export const MAX_RECORD_BYTES: number = 64 * 1024;
/** Largest header, bytes. */
export const MAX_RECORD_HEADER_BYTES = 14;
/** First byte of a record frame; other frames begin with `D`. */
export const RECORD_MARK: number = 0xdc;
/** Version this build writes and reads. */
export const RECORD_VERSION = 1;

const CHECKSUM_MASK = 3;
const CRC32C = 3;
const FLAG_CODED = 1 << 2;
const FLAG_DICTIONARY = 1 << 3;
const WORD_BYTES = 4;

const crc8Table = Uint8Array.from({ length: 256 }, (_, value) => {
  let crc = value;
  for (let bit = 0; bit < 8; bit++) crc = ((crc << 1) ^ (crc & 0x80 ? 7 : 0)) & 0xff;
  return crc;
});

/** What a record frame says about itself. */
export interface RecordHeader {
  /** The payload is the inside of a zstd block, else the content itself. */
  readonly coded: boolean;
  /** Decoded size, bytes. */
  readonly contentBytes: number;
  readonly dictionaryId: number | undefined;
  /** CRC-32C of the content, where there is one. */
  readonly checksum: number | undefined;
}

/** A header and what it takes. */
export interface ReadRecordHeader extends RecordHeader {
  readonly headerBytes: number;
}

/** True for bytes that begin like a record frame. */
export function isRecordFrame(frame: Uint8Array): boolean {
  return frame[0] === RECORD_MARK;
}

/** True when the payload of the record frame at `at` is coded; the frame is not checked further. */
export function isCodedRecord(bytes: Uint8Array, at = 0): boolean {
  return (bytes[at + 1]! & FLAG_CODED) !== 0;
}

/** Writes `header` to the front of `out`, which has room, and returns its size, bytes. */
export function writeRecordHeader(out: Uint8Array, header: RecordHeader): number {
  const { coded, contentBytes, dictionaryId, checksum } = header;
  out[0] = RECORD_MARK;
  out[1] =
    (RECORD_VERSION << 4) |
    (checksum === undefined ? 0 : CRC32C) |
    (coded ? FLAG_CODED : 0) |
    (dictionaryId === undefined ? 0 : FLAG_DICTIONARY);
  let at = 2;
  let rest = contentBytes;
  for (; rest >= 128; rest >>>= 7) out[at++] = (rest & 127) | 128;
  out[at++] = rest;
  if (dictionaryId !== undefined) at = putWord(out, at, dictionaryId);
  if (checksum !== undefined) at = putWord(out, at, checksum);
  out[at] = crc8(out, at);
  return at + 1;
}

/**
 * Reads and checks the header; the payload is not touched.
 * @throws ERR_DWCP_FRAME_MAGIC, _VERSION, _FLAGS, _CHECKSUM (header), _CORRUPT
 */
export function readRecordHeader(frame: Uint8Array): ReadRecordHeader {
  if (!isRecordFrame(frame)) throw new DwcpError('ERR_DWCP_FRAME_MAGIC', 'not a record frame');
  if (frame.length < 2) corrupt('truncated');
  const flags = frame[1]!;
  const checksumKind = flags & CHECKSUM_MASK;
  if (flags >> 4 !== RECORD_VERSION) {
    throw new DwcpError('ERR_DWCP_FRAME_VERSION', `record frame version ${flags >> 4} is not known`);
  }
  if (checksumKind !== 0 && checksumKind !== CRC32C) {
    throw new DwcpError('ERR_DWCP_FRAME_FLAGS', `record frame flags 0x${flags.toString(16)}`);
  }
  let { at, value: contentBytes } = readSize(frame);
  const coded = (flags & FLAG_CODED) !== 0;
  const named = (flags & FLAG_DICTIONARY) !== 0;
  const words = (named ? 1 : 0) + (checksumKind === CRC32C ? 1 : 0);
  if (frame.length - at < words * WORD_BYTES + 1) corrupt('truncated');
  const dictionaryId = named ? word(frame, at) : undefined;
  if (named) at += WORD_BYTES;
  const checksum = checksumKind === CRC32C ? word(frame, at) : undefined;
  if (checksum !== undefined) at += WORD_BYTES;
  if (frame[at] !== crc8(frame, at)) {
    throw new DwcpError('ERR_DWCP_FRAME_CHECKSUM', 'record frame: the header is damaged');
  }
  if (contentBytes > MAX_RECORD_BYTES) corrupt('larger than a record');
  if (coded && contentBytes === 0) corrupt('empty content is not coded');
  if (dictionaryId === 0) corrupt('no dictionary has id 0');
  if (named && !coded) corrupt('a dictionary and no coded payload');
  return { coded, contentBytes, dictionaryId, checksum, headerBytes: at + 1 };
}

/**
 * Decoded size that a record frame claims; not checked further, and `undefined` where the frame is too
 * short to say.
 */
export function claimedContentBytes(frame: Uint8Array): number | undefined {
  const [, , first, second, third] = frame;
  if (first === undefined || first < 128) return first;
  if (second === undefined || second < 128) return second && (first & 127) | (second << 7);
  return third && (first & 127) | ((second & 127) << 7) | ((third & 127) << 14);
}

/** Id of the dictionary a record frame names; not checked further. */
export function namedDictionary(frame: Uint8Array): number | undefined {
  if ((frame[1]! & FLAG_DICTIONARY) === 0) return undefined;
  let at = 2;
  while (at < WORD_BYTES && frame[at]! >= 128) at++;
  return frame.length < at + 1 + WORD_BYTES ? undefined : word(frame, at + 1);
}

function readSize(frame: Uint8Array): { at: number; value: number } {
  let value = 0;
  for (let at = 2, shift = 0; ; shift += 7) {
    if (at === frame.length) corrupt('truncated');
    const next = frame[at++]!;
    value |= (next & 127) << shift;
    if (next < 128) {
      if (next === 0 && shift > 0) corrupt('varint not minimal');
      return { at, value };
    }
    if (shift === 14) corrupt('varint too large');
  }
}

function crc8(bytes: Uint8Array, end: number): number {
  let crc = 0;
  for (let at = 0; at < end; at++) crc = crc8Table[crc ^ bytes[at]!]!;
  return crc;
}

function putWord(out: Uint8Array, at: number, value: number): number {
  for (let shift = 0; shift < 32; shift += 8) out[at++] = value >>> shift;
  return at;
}

function word(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
  );
}

function corrupt(what: string): never {
  throw new DwcpError('ERR_DWCP_FRAME_CORRUPT', `record frame: ${what}`);
}
