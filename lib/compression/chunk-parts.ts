/**
 * How the parts of a chunk delta are stored: literals by the smallest of raw, deflate with the base's
 * context as dictionary, and brotli; operations raw or deflated. node:zlib has both on every Node, so
 * every tier reads every delta.
 */
import { promisify } from 'node:util';
import { deflateRaw, deflateRawSync, inflateRawSync } from 'node:zlib';
import type { InputType, ZlibOptions } from 'node:zlib';
import { DwcpError } from '../errors.ts';
import {
  brotliDecode,
  brotliDecodeAsync,
  brotliEncode,
  brotliEncodeAsync,
  brotliQuality,
} from './brotli.ts';
import { Coding } from './chunk-format.ts';
import type { CodedPart } from './chunk-format.ts';
import { corrupt } from './varint.ts';

/** A part as it lies in a payload. */
interface StoredPart {
  readonly coding: Coding;
  readonly bytes: Buffer;
}

const deflatePooled = promisify<InputType, ZlibOptions, Buffer>(deflateRaw);
/** Parts smaller than this stay raw, bytes. */
const RAW_BELOW_BYTES = 16;
/** Below this size a pool hop costs more than the work, bytes. */
const SYNC_BELOW_BYTES = 16 * 1024;
/** Deflate sees 32 KB back: with more literals than this, brotli alone is tried, bytes. */
const DEFLATE_BELOW_BYTES = 256 * 1024;
/** Literals up to this size are worth brotli's slower match finder, bytes. */
const THOROUGH_BELOW_BYTES = 256 * 1024;

/** Stores the literals now. */
export function storeLiterals(literals: Buffer, context: Buffer, level: number): CodedPart {
  const brotli = (): Buffer => brotliEncode(literals, qualityFor(literals, level));
  const deflate = (): Buffer => deflateRawSync(literals, deflateOptions(context));
  if (literals.length < RAW_BELOW_BYTES) return raw(literals);
  return smallest(literals, deflates(literals) ? deflate() : undefined, brotli());
}

/** As {@link storeLiterals}, on the thread pool. */
export async function storeLiteralsAsync(
  literals: Buffer,
  context: Buffer,
  level: number,
): Promise<CodedPart> {
  if (literals.length < RAW_BELOW_BYTES) return raw(literals);
  const deflated = deflates(literals)
    ? deflatePooled(literals, deflateOptions(context))
    : Promise.resolve(undefined);
  const brotli = brotliEncodeAsync(literals, qualityFor(literals, level));
  return smallest(literals, await deflated, await brotli);
}

/** Stores the operations now. */
export function storeOps(ops: Buffer): CodedPart {
  if (ops.length < RAW_BELOW_BYTES) return raw(ops);
  return smallest(ops, deflateRawSync(ops, deflateOptions(undefined)), undefined);
}

/** As {@link storeOps}, on the thread pool when they are many. */
export async function storeOpsAsync(ops: Buffer): Promise<CodedPart> {
  if (ops.length < SYNC_BELOW_BYTES) return storeOps(ops);
  return smallest(ops, await deflatePooled(ops, deflateOptions(undefined)), undefined);
}

/**
 * Reads a stored part back to exactly `sizeBytes`.
 * @throws ERR_DWCP_FRAME_CORRUPT, ERR_DWCP_CODEC, ERR_DWCP_OUTPUT_LIMIT, ERR_DWCP_WINDOW_LIMIT
 */
export function readPart(
  part: StoredPart,
  sizeBytes: number,
  maxWindowLog: number,
  context?: () => Buffer,
): Buffer {
  const { coding, bytes } = part;
  if (coding === Coding.raw) {
    return bytes.length === sizeBytes ? bytes : corrupt('raw part size differs');
  }
  if (sizeBytes === 0) corrupt('an empty part is raw');
  if (coding === Coding.brotli) return brotliDecode(bytes, sizeBytes, maxWindowLog);
  return inflate(bytes, sizeBytes, context?.());
}

/** As {@link readPart}, on the thread pool for large brotli parts. */
export async function readPartAsync(
  part: StoredPart,
  sizeBytes: number,
  maxWindowLog: number,
  context: () => Buffer,
): Promise<Buffer> {
  if (part.coding !== Coding.brotli || sizeBytes < SYNC_BELOW_BYTES) {
    return readPart(part, sizeBytes, maxWindowLog, context);
  }
  return brotliDecodeAsync(part.bytes, sizeBytes, maxWindowLog);
}

function inflate(bytes: Buffer, sizeBytes: number, context: Buffer | undefined): Buffer {
  const options = {
    ...dictionaryOf(context),
    maxOutputLength: sizeBytes,
    chunkSize: Math.max(64, Math.min(sizeBytes, 256 * 1024)),
    info: true,
  };
  let result: { buffer: Buffer; engine: { bytesWritten: number } };
  try {
    result = inflateRawSync(bytes, options) as unknown as typeof result;
  } catch (error) {
    throw new DwcpError('ERR_DWCP_CODEC', 'deflate refused the data', { cause: error });
  }
  if (result.buffer.length !== sizeBytes) corrupt('decoded part size differs');
  if (result.engine.bytesWritten !== bytes.length) corrupt('bytes after the deflate stream');
  return result.buffer;
}

function deflates(literals: Buffer): boolean {
  return literals.length < DEFLATE_BELOW_BYTES;
}

function qualityFor(literals: Buffer, level: number): number {
  if (literals.length >= THOROUGH_BELOW_BYTES || level < 3) return brotliQuality(level);
  return level < 12 ? 9 : 11;
}

function deflateOptions(context: Buffer | undefined): ZlibOptions {
  return { level: 9, memLevel: 9, ...dictionaryOf(context) };
}

function dictionaryOf(context: Buffer | undefined): ZlibOptions {
  return context && context.length > 0 ? { dictionary: context } : {};
}

function raw(bytes: Buffer): CodedPart {
  return { coding: Coding.raw, bytes };
}

function smallest(
  bytes: Buffer,
  deflated: Buffer | undefined,
  brotli: Buffer | undefined,
): CodedPart {
  let best: CodedPart = raw(bytes);
  if (deflated && deflated.length < best.bytes.length) {
    best = { coding: Coding.deflate, bytes: deflated };
  }
  if (brotli && brotli.length < best.bytes.length) best = { coding: Coding.brotli, bytes: brotli };
  return best;
}
