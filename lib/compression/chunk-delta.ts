/**
 * The chunk delta: copies from the base and compressed literals, in TypeScript, on every tier. Index and
 * scan run in slices of a few milliseconds, so that a large value does not hold up the event loop.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { CodecLimits } from '../limits.ts';
import {
  literalContext,
  literalsOf,
  packOps,
  readChunkHeader,
  unpackOps,
  writeChunkPayload,
} from './chunk-format.ts';
import type { ChunkHeader } from './chunk-format.ts';
import type { ChunkIndex } from './chunk-index.ts';
import {
  readPart,
  readPartAsync,
  storeLiterals,
  storeLiteralsAsync,
  storeOps,
  storeOpsAsync,
} from './chunk-parts.ts';
import { ChunkScanner } from './chunk-scan.ts';
import type { ChunkOps } from './chunk-scan.ts';
import { throwIfAborted } from './signal.ts';

/** Output bytes rebuilt between two chances to yield: fresh memory takes about a millisecond for these. */
const BYTES_PER_TURN = 1024 * 1024;

/** How a chunk payload is made. */
export interface ChunkOptions {
  /** zstd level that the literals' codec should match in effort. */
  readonly level: number;
  /** Give up when more than this stays unmatched, bytes. */
  readonly maxLiteralBytes: number;
  readonly signal?: AbortSignal | undefined;
}

/** Makes a chunk payload now, or gives up; `index` is complete. */
export function encodeChunk(
  index: ChunkIndex,
  base: Buffer,
  next: Buffer,
  { level, maxLiteralBytes }: ChunkOptions,
): Buffer | undefined {
  const scanner = new ChunkScanner(index, base, next, maxLiteralBytes);
  while (!scanner.step());
  if (scanner.gaveUp) return undefined;
  const { ops } = scanner;
  const literals = literalsOf(ops, next);
  const packed = packOps(ops);
  return writeChunkPayload(
    { opCount: ops.length / 3, opBytes: packed.length, literalBytes: literals.length },
    storeOps(packed),
    storeLiterals(literals, literalContext(ops, base), level),
  );
}

/** As {@link encodeChunk}, in slices; both buffers are borrowed until it settles. */
export async function encodeChunkAsync(
  index: ChunkIndex,
  base: Buffer,
  next: Buffer,
  { level, maxLiteralBytes, signal }: ChunkOptions,
): Promise<Buffer | undefined> {
  const scanner = new ChunkScanner(index, base, next, maxLiteralBytes);
  while (!scanner.step()) {
    await nextTurn();
    throwIfAborted(signal);
  }
  if (scanner.gaveUp) return undefined;
  const { ops } = scanner;
  const literals = literalsOf(ops, next);
  const packed = packOps(ops);
  const [storedOps, storedLiterals] = await Promise.all([
    storeOpsAsync(packed),
    storeLiteralsAsync(literals, literalContext(ops, base), level),
  ]);
  const sizes = { opCount: ops.length / 3, opBytes: packed.length, literalBytes: literals.length };
  return writeChunkPayload(sizes, storedOps, storedLiterals);
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
  const { header, ops } = open(payload, base, contentBytes, limits);
  const literals = readPart(
    { coding: header.literalCoding, bytes: header.storedLiterals },
    header.literalBytes,
    limits.maxWindowLog,
    () => literalContext(ops, base),
  );
  const rebuild = new Rebuild(ops, literals, base, contentBytes);
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
  const { header, ops } = open(payload, base, contentBytes, limits);
  const literals = await readPartAsync(
    { coding: header.literalCoding, bytes: header.storedLiterals },
    header.literalBytes,
    limits.maxWindowLog,
    () => literalContext(ops, base),
  );
  const rebuild = new Rebuild(ops, literals, base, contentBytes);
  while (!rebuild.step(BYTES_PER_TURN)) {
    await nextTurn();
    throwIfAborted(signal);
  }
  return rebuild.content;
}

interface OpenedChunk {
  readonly header: ChunkHeader;
  readonly ops: ChunkOps;
}

/** Reads and checks everything but the literals. */
function open(
  payload: Buffer,
  base: Buffer,
  contentBytes: number,
  limits: CodecLimits,
): OpenedChunk {
  const header = readChunkHeader(payload, contentBytes, limits);
  const part = { coding: header.opCoding, bytes: header.storedOps };
  const packed = readPart(part, header.opBytes, limits.maxWindowLog);
  return { header, ops: unpackOps(packed, header, base.length, contentBytes) };
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
  /** What is left of the operation under way. */
  #literalLeft = 0;
  #copyFrom = 0;
  #copyLeft = 0;

  constructor(ops: ChunkOps, literals: Buffer, base: Buffer, contentBytes: number) {
    this.#ops = ops;
    this.#literals = literals;
    this.#base = base;
    this.content = Buffer.allocUnsafeSlow(contentBytes);
  }

  /** Writes up to `bytes` more, stopping inside a long copy; true when the content is complete. */
  step(bytes: number): boolean {
    const stop = Math.min(this.content.length, this.#at + bytes);
    while (this.#at < stop) {
      if (this.#literalLeft === 0 && this.#copyLeft === 0 && !this.#nextOp()) return true;
      const literal = Math.min(this.#literalLeft, stop - this.#at);
      this.#at += this.#literals.copy(
        this.content,
        this.#at,
        this.#literalAt,
        this.#literalAt + literal,
      );
      this.#literalAt += literal;
      this.#literalLeft -= literal;
      const copy = Math.min(this.#copyLeft, stop - this.#at);
      this.#at += this.#base.copy(this.content, this.#at, this.#copyFrom, this.#copyFrom + copy);
      this.#copyFrom += copy;
      this.#copyLeft -= copy;
    }
    return this.#at === this.content.length;
  }

  /** Takes up the next operation; after the last come the literals that are left. */
  #nextOp(): boolean {
    const ops = this.#ops;
    if (this.#op >= ops.length) {
      this.#literalLeft = this.#literals.length - this.#literalAt;
      return this.#literalLeft > 0;
    }
    this.#literalLeft = ops[this.#op]!;
    this.#copyFrom = ops[this.#op + 1]!;
    this.#copyLeft = ops[this.#op + 2]!;
    this.#op += 3;
    return true;
  }
}
