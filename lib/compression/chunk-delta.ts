/**
 * The chunk delta: copies from the base and compressed literals, in TypeScript, on every tier. Index and
 * scan run in slices of a few milliseconds, so that a large value does not hold up the event loop.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { CodecLimits } from '../limits.ts';
import {
  literalContext,
  packOps,
  readChunkHeader,
  unpackOps,
  writeChunkPayload,
} from './chunk-format.ts';
import type { ChunkHeader } from './chunk-format.ts';
import type { ChunkIndex } from './chunk-index.ts';
import { readPart, storeLiterals, storeLiteralsAsync, storeOps } from './chunk-literals.ts';
import { ChunkScanner } from './chunk-scan.ts';
import type { ChunkOps } from './chunk-scan.ts';
import { throwIfAborted } from './signal.ts';

/** Output bytes rebuilt between two chances to yield. */
const BYTES_PER_TURN = 16 * 1024 * 1024;

/** Makes a chunk payload now; `index` is complete. */
export function encodeChunk(index: ChunkIndex, base: Buffer, next: Buffer, level: number): Buffer {
  const scanner = new ChunkScanner(index, base, next);
  while (!scanner.step());
  const { ops } = scanner;
  const literals = collectLiterals(ops, next);
  return assemble(ops, literals.length, storeLiterals(literals, literalContext(ops, base), level));
}

/** Makes a chunk payload in slices; both buffers are borrowed until it settles. */
export async function encodeChunkAsync(
  index: ChunkIndex,
  base: Buffer,
  next: Buffer,
  level: number,
  signal?: AbortSignal,
): Promise<Buffer> {
  const scanner = new ChunkScanner(index, base, next);
  while (!scanner.step()) {
    await nextTurn();
    throwIfAborted(signal);
  }
  const { ops } = scanner;
  const literals = collectLiterals(ops, next);
  const context = literalContext(ops, base);
  return assemble(ops, literals.length, await storeLiteralsAsync(literals, context, level));
}

/**
 * Rebuilds content from a payload whose frame has passed the limits, now.
 * @throws ERR_DWCP_FRAME_VERSION, ERR_DWCP_FRAME_FLAGS, ERR_DWCP_FRAME_CORRUPT, ERR_DWCP_LIMIT,
 * ERR_DWCP_CODEC, ERR_DWCP_OUTPUT_LIMIT, ERR_DWCP_WINDOW_LIMIT
 */
export function decodeChunk(
  payload: Buffer,
  base: Buffer,
  contentBytes: number,
  limits: CodecLimits,
): Buffer {
  const rebuild = new Rebuild(payload, base, contentBytes, limits);
  rebuild.step(contentBytes);
  return rebuild.content;
}

/** As {@link decodeChunk}, in slices; both buffers are borrowed until it settles. */
export async function decodeChunkAsync(
  payload: Buffer,
  base: Buffer,
  contentBytes: number,
  limits: CodecLimits,
  signal?: AbortSignal,
): Promise<Buffer> {
  const rebuild = new Rebuild(payload, base, contentBytes, limits);
  while (!rebuild.step(BYTES_PER_TURN)) {
    await nextTurn();
    throwIfAborted(signal);
  }
  return rebuild.content;
}

function collectLiterals(ops: ChunkOps, next: Buffer): Buffer {
  const pieces: Buffer[] = [];
  let at = 0;
  for (let i = 0; i < ops.length; i += 3) {
    if (ops[i]! > 0) pieces.push(next.subarray(at, at + ops[i]!));
    at += ops[i]! + ops[i + 2]!;
  }
  pieces.push(next.subarray(at));
  return Buffer.concat(pieces);
}

function assemble(
  ops: ChunkOps,
  literalBytes: number,
  literals: ReturnType<typeof storeLiterals>,
): Buffer {
  const packed = packOps(ops);
  return writeChunkPayload(ops.length / 3, packed.length, literalBytes, storeOps(packed), literals);
}

/** Output under construction; operations were all checked before the first byte is written. */
class Rebuild {
  readonly content: Buffer;
  readonly #base: Buffer;
  readonly #literals: Buffer;
  readonly #ops: ChunkOps;
  #op = 0;
  #at = 0;
  #literalAt = 0;

  constructor(payload: Buffer, base: Buffer, contentBytes: number, limits: CodecLimits) {
    const header = readChunkHeader(payload, contentBytes, limits);
    this.#base = base;
    this.#ops = readOps(header, base.length, contentBytes, limits);
    this.#literals = readPart(
      { coding: header.literalCoding, bytes: header.storedLiterals },
      header.literalBytes,
      limits.maxWindowLog,
      () => literalContext(this.#ops, base),
    );
    this.content = Buffer.allocUnsafeSlow(contentBytes);
  }

  /** Writes about `bytes` more; true when the content is complete. */
  step(bytes: number): boolean {
    const ops = this.#ops;
    const stop = this.#at + bytes;
    while (this.#op < ops.length && this.#at < stop) {
      this.#literal(ops[this.#op]!);
      const from = ops[this.#op + 1]!;
      this.#at += this.#base.copy(this.content, this.#at, from, from + ops[this.#op + 2]!);
      this.#op += 3;
    }
    if (this.#op < ops.length) return false;
    this.#literal(this.#literals.length - this.#literalAt);
    return true;
  }

  #literal(size: number): void {
    const from = this.#literalAt;
    this.#at += this.#literals.copy(this.content, this.#at, from, from + size);
    this.#literalAt += size;
  }
}

function readOps(
  header: ChunkHeader,
  baseBytes: number,
  contentBytes: number,
  limits: CodecLimits,
): ChunkOps {
  const part = { coding: header.opCoding, bytes: header.storedOps };
  const packed = readPart(part, header.opBytes, limits.maxWindowLog);
  return unpackOps(packed, header, baseBytes, contentBytes);
}
