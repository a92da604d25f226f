/**
 * Reads the outline of one zstd frame (RFC 8878 section 3.1.1) without decoding it, so that limits hold
 * before anything is allocated. The C++ core makes the same checks in the same order.
 */
import { DwcpError } from '../errors.ts';
import type { ZstdDecompressOptions } from './contract.ts';

const MAGIC = 0xfd2fb528;
/** The first of sixteen. */
const SKIPPABLE_MAGIC = 0x184d2a50;
/** The low half of XXH64 of the content, after the last block. */
export const CHECKSUM_BYTES = 4;
const CONTENT_SIZE_BYTES = [0, 2, 4, 8] as const;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4] as const;

interface FrameHeader {
  /** Bytes of magic and header. */
  readonly headerBytes: number;
  /** Window the decoder needs, bytes. */
  readonly windowBytes: number;
  /** Decoded size the frame claims, if it says. */
  readonly contentBytes: number | undefined;
  readonly hasChecksum: boolean;
  /** Id of the dictionary it names; 0 for none. */
  readonly dictionaryId: number;
}

/** One frame at the front of some bytes. */
export interface FrameOutline extends FrameHeader {
  /** Bytes of the whole frame. */
  readonly sizeBytes: number;
}

/** The error of a frame that breaks the format. */
export const corruptZstd = (what: string): DwcpError =>
  new DwcpError('ERR_DWCP_CODEC', `The zstd frame is corrupt: ${what}.`);

function readHeader(bytes: Uint8Array): FrameHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 6) throw corruptZstd('truncated header');
  if (view.getUint32(0, true) !== MAGIC) throw corruptZstd('wrong magic');
  const descriptor = view.getUint8(4);
  const singleSegment = (descriptor & 0x20) !== 0;
  if ((descriptor & 0x08) !== 0) throw corruptZstd('reserved bit set');
  const sizeCode = descriptor >>> 6;
  const sizeBytes = sizeCode === 0 && singleSegment ? 1 : CONTENT_SIZE_BYTES[sizeCode]!;
  const dictionaryIdBytes = DICTIONARY_ID_BYTES[descriptor & 3]!;
  const windowAt = 5;
  const sizeAt = windowAt + (singleSegment ? 0 : 1) + dictionaryIdBytes;
  const headerBytes = sizeAt + sizeBytes;
  if (bytes.length < headerBytes) throw corruptZstd('truncated header');
  const contentBytes = readContentSize(view, sizeAt, sizeBytes);
  const windowBytes = singleSegment ? contentBytes! : windowOf(view.getUint8(windowAt));
  const hasChecksum = (descriptor & 0x04) !== 0;
  const dictionaryId = readNumber(bytes, sizeAt - dictionaryIdBytes, dictionaryIdBytes);
  return { headerBytes, windowBytes, contentBytes, hasChecksum, dictionaryId };
}

function readNumber(bytes: Uint8Array, at: number, sizeBytes: number): number {
  let value = 0;
  for (let i = sizeBytes - 1; i >= 0; i -= 1) value = value * 256 + bytes[at + i]!;
  return value;
}

function readContentSize(view: DataView, at: number, sizeBytes: number): number | undefined {
  if (sizeBytes === 0) return undefined;
  if (sizeBytes === 1) return view.getUint8(at);
  if (sizeBytes === 2) return view.getUint16(at, true) + 256;
  if (sizeBytes === 4) return view.getUint32(at, true);
  return Number(view.getBigUint64(at, true));
}

function windowOf(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >>> 3));
  return base + (base / 8) * (descriptor & 7);
}

/** Walks the block headers; returns where the frame ends. */
function endOfFrame(bytes: Uint8Array, header: FrameHeader): number {
  let at = header.headerBytes;
  for (let last = false; !last; ) {
    if (at + 3 > bytes.length) throw corruptZstd('truncated block');
    const head = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
    const kind = (head >>> 1) & 3;
    if (kind === 3) throw corruptZstd('reserved block kind');
    last = (head & 1) !== 0;
    at += 3 + (kind === 1 ? 1 : head >>> 3);
  }
  at += header.hasChecksum ? CHECKSUM_BYTES : 0;
  if (at > bytes.length) throw corruptZstd('truncated');
  return at;
}

/** The frame at the front of `bytes`. @throws ERR_DWCP_CODEC */
export function outlineOf(bytes: Uint8Array): FrameOutline {
  const header = readHeader(bytes);
  return { ...header, sizeBytes: endOfFrame(bytes, header) };
}

/** Size of the skippable frame at the front of `bytes`; 0 for another kind. @throws ERR_DWCP_CODEC */
export function skippableBytes(bytes: Uint8Array): number {
  if (bytes.length < 4) throw corruptZstd('truncated header');
  const magic = readNumber(bytes, 0, 4);
  if (magic < SKIPPABLE_MAGIC || magic > SKIPPABLE_MAGIC + 15) return 0;
  const size = bytes.length < 8 ? Infinity : 8 + readNumber(bytes, 4, 4);
  if (size > bytes.length) throw corruptZstd('truncated skippable frame');
  return size;
}

/** @throws ERR_DWCP_WINDOW_LIMIT */
export function checkWindow({ windowBytes }: FrameHeader, maxWindowLog: number): void {
  if (windowBytes <= 2 ** maxWindowLog) return;
  throw new DwcpError(
    'ERR_DWCP_WINDOW_LIMIT',
    `The frame needs a window of ${windowBytes} bytes, above 2^${maxWindowLog}.`,
  );
}

/**
 * Holds one frame against the limits of a decompression.
 * @returns where the first block starts
 * @throws `ERR_DWCP_WINDOW_LIMIT`, `ERR_DWCP_OUTPUT_LIMIT`, `ERR_DWCP_CODEC`
 */
export function checkZstdFrame(bytes: Uint8Array, limits: ZstdDecompressOptions): number {
  const header = readHeader(bytes);
  const { sizeBytes, maxWindowLog } = limits;
  checkWindow(header, maxWindowLog);
  if (header.contentBytes !== undefined && header.contentBytes > sizeBytes) {
    throw new DwcpError(
      'ERR_DWCP_OUTPUT_LIMIT',
      `The frame claims ${header.contentBytes} bytes, more than the ${sizeBytes} expected.`,
    );
  }
  if (header.contentBytes !== undefined && header.contentBytes < sizeBytes) {
    throw corruptZstd(`claims ${header.contentBytes} bytes, fewer than the ${sizeBytes} expected`);
  }
  if (endOfFrame(bytes, header) < bytes.length) throw corruptZstd('trailing bytes');
  return header.headerBytes;
}
