/**
 * The payload of a chunk delta, version 1:
 *
 *   version coding opCount opBytes opStored literalBytes  operations  literals
 *
 * `coding`: bits 0-1 of the literals (raw, deflate with context, brotli), bits 2-3 of the operations (raw,
 * deflate), others 0. Operations are three columns of varints: literal bytes before each copy, zigzag
 * distance of the copy from where the last one ended in the base, copy length. Literals past the last copy
 * are the tail. Every number is checked against the sizes before it is used.
 */
import { DwcpError } from '../errors.ts';
import type { CodecLimits } from '../limits.ts';
import type { ChunkOps } from './chunk-scan.ts';
import { ByteReader, corrupt, writeVarint } from './varint.ts';

/** Version of the chunk payload this build writes and reads. */
const CHUNK_VERSION = 1;
/** A copy of fewer bytes is never made, and more operations than this allows are refused. */
const MIN_CONTENT_PER_OP = 8;
/** Three varints of up to 2^35. */
const MAX_OP_BYTES = 15;

/** How a part of the payload is stored. */
export const Coding = { raw: 0, deflate: 1, brotli: 2 } as const;
export type Coding = (typeof Coding)[keyof typeof Coding];

/** A stored part and how it is stored. */
export interface CodedPart {
  readonly coding: Coding;
  readonly bytes: Uint8Array;
}

/** Fields of the payload before its parts. */
export interface ChunkHeader {
  readonly literalCoding: Coding;
  readonly opCoding: Coding;
  readonly opCount: number;
  /** Size of the operations, decoded, bytes. */
  readonly opBytes: number;
  readonly literalBytes: number;
  readonly storedOps: Buffer;
  readonly storedLiterals: Buffer;
}

/** Sizes of a payload's parts before they are stored. */
export type ChunkSizes = Pick<ChunkHeader, 'opCount' | 'opBytes' | 'literalBytes'>;

/** Puts a payload together. */
export function writeChunkPayload(
  { opCount, opBytes, literalBytes }: ChunkSizes,
  ops: CodedPart,
  literals: CodedPart,
): Buffer {
  const header = Buffer.allocUnsafe(2 + 4 * 8);
  header[0] = CHUNK_VERSION;
  header[1] = literals.coding | (ops.coding << 2);
  let at = writeVarint(header, 2, opCount);
  at = writeVarint(header, at, opBytes);
  at = writeVarint(header, at, ops.bytes.length);
  at = writeVarint(header, at, literalBytes);
  return Buffer.concat([header.subarray(0, at), ops.bytes, literals.bytes]);
}

/**
 * Reads the fields and checks them against the content size and the limits.
 * @throws ERR_DWCP_FRAME_VERSION, ERR_DWCP_FRAME_FLAGS, ERR_DWCP_FRAME_CORRUPT, ERR_DWCP_LIMIT
 */
export function readChunkHeader(
  payload: Buffer,
  contentBytes: number,
  limits: CodecLimits,
): ChunkHeader {
  const reader = new ByteReader(payload);
  const version = reader.byte();
  if (version !== CHUNK_VERSION) {
    throw new DwcpError('ERR_DWCP_FRAME_VERSION', `chunk delta version ${version} is not known`);
  }
  const coding = reader.byte();
  const literalCoding = (coding & 3) as Coding;
  const opCoding = (coding >> 2) as Coding;
  if (literalCoding > Coding.brotli || opCoding > Coding.deflate) {
    throw new DwcpError('ERR_DWCP_FRAME_FLAGS', `chunk delta coding 0x${coding.toString(16)}`);
  }
  const opCount = reader.varint();
  if (opCount > limits.maxOps) {
    throw new DwcpError(
      'ERR_DWCP_LIMIT',
      `${opCount} operations are above maxOps ${limits.maxOps}`,
      {
        detail: { limit: 'maxOps', opCount },
      },
    );
  }
  if (opCount > contentBytes / MIN_CONTENT_PER_OP) corrupt('more operations than content allows');
  const opBytes = reader.varint();
  if (opBytes < opCount * 3 || opBytes > opCount * MAX_OP_BYTES) corrupt('operation size');
  const storedOps = reader.varint();
  const literalBytes = reader.varint();
  if (literalBytes > contentBytes) corrupt('more literals than content');
  return {
    literalCoding,
    opCoding,
    opCount,
    opBytes,
    literalBytes,
    storedOps: reader.take(storedOps),
    storedLiterals: reader.take(reader.remaining),
  };
}

/** The bytes of `next` that no operation copies. */
export function literalsOf(ops: ChunkOps, next: Buffer): Buffer {
  const pieces: Buffer[] = [];
  let at = 0;
  for (let i = 0; i < ops.length; i += 3) {
    if (ops[i]! > 0) pieces.push(next.subarray(at, at + ops[i]!));
    at += ops[i]! + ops[i + 2]!;
  }
  pieces.push(next.subarray(at));
  return Buffer.concat(pieces);
}

/** Writes operations as columns. */
export function packOps(ops: ChunkOps): Buffer {
  const out = Buffer.allocUnsafe((ops.length / 3) * MAX_OP_BYTES);
  let at = 0;
  for (let i = 0; i < ops.length; i += 3) at = writeVarint(out, at, ops[i]!);
  let expected = 0;
  for (let i = 0; i < ops.length; i += 3) {
    const distance = ops[i + 1]! - expected;
    at = writeVarint(out, at, distance < 0 ? -distance * 2 - 1 : distance * 2);
    expected = ops[i + 1]! + ops[i + 2]!;
  }
  for (let i = 0; i < ops.length; i += 3) at = writeVarint(out, at, ops[i + 2]!);
  return out.subarray(0, at);
}

/**
 * Reads columns back into operations; every copy lies within the base, and copies and literals together
 * make exactly the content.
 * @throws ERR_DWCP_FRAME_CORRUPT
 */
export function unpackOps(
  packed: Buffer,
  header: ChunkHeader,
  baseBytes: number,
  contentBytes: number,
): ChunkOps {
  const count = header.opCount * 3;
  const reader = new ByteReader(packed);
  const ops: ChunkOps = Array.from({ length: count }, () => 0);
  let literals = 0;
  let copied = 0;
  for (let i = 0; i < count; i += 3) literals += ops[i] = reader.varint();
  for (let i = 1; i < count; i += 3) {
    const coded = reader.varint();
    ops[i] = coded % 2 === 0 ? coded / 2 : -(coded + 1) / 2;
  }
  let expected = 0;
  for (let i = 2; i < count; i += 3) {
    const length = reader.varint();
    const from = expected + ops[i - 1]!;
    if (from < 0 || length > baseBytes - from) corrupt('a copy leaves the base');
    ops[i - 1] = from;
    ops[i] = length;
    expected = from + length;
    copied += length;
    if (copied > contentBytes) corrupt('copies pass the content size');
  }
  if (reader.remaining > 0) corrupt('bytes after the operations');
  if (literals > header.literalBytes || copied + header.literalBytes !== contentBytes) {
    corrupt('operations do not add up to the content');
  }
  return ops;
}

/** Base text before an insertion and, when nothing was dropped there, after it, bytes. */
const CONTEXT_BYTES = 128;
const MAX_GAP_BYTES = 4096;
/** What deflate can refer back to. */
const MAX_DICTIONARY_BYTES = 32 * 1024;

/**
 * What the literals most likely resemble: the parts of the base they replace and their surroundings. Both
 * sides derive it from the operations, so it costs nothing on the wire.
 */
export function literalContext(ops: ChunkOps, base: Buffer): Buffer {
  const pieces: Buffer[] = [];
  let size = 0;
  for (let i = ops.length - 3; i >= 0 && size < MAX_DICTIONARY_BYTES; i -= 3) {
    if (ops[i] === 0) continue;
    const expected = i === 0 ? 0 : ops[i - 2]! + ops[i - 1]!;
    const gap = ops[i + 1]! - expected;
    const ahead = gap > 0 && gap <= MAX_GAP_BYTES ? gap : CONTEXT_BYTES;
    const piece = base.subarray(Math.max(0, expected - CONTEXT_BYTES), expected + ahead);
    pieces.push(piece);
    size += piece.length;
  }
  const context = Buffer.concat(pieces.toReversed());
  return context.subarray(Math.max(0, context.length - MAX_DICTIONARY_BYTES));
}
