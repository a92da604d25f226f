/**
 * The literals section of a zstd block (RFC 8878 sections 3.1.1.3.1 and 4.2): raw, one byte repeated, or
 * Huffman-coded in one or four streams with a tree of its own or the one before.
 */
import { BackwardBits } from './zstd-bits.ts';
import { corruptZstd } from './zstd-frame.ts';
import { buildTable, readDistribution } from './zstd-fse.ts';

/** Most a block decodes to, bytes. */
export const BLOCK_MAX_BYTES = 131_072;

const LiteralsKind = { raw: 0, repeated: 1, coded: 2, codedWithOldTree: 3 } as const;
const MAX_CODE_BITS = 11;
const MAX_SYMBOLS = 256;
const weightBounds = { maxAccuracyLog: 6, maxSymbol: MAX_CODE_BITS };
/** First byte from which weights are stored plainly, four bits each. */
const PLAIN_WEIGHTS_FROM = 128;
/** Sizes of the first three of four streams. */
const JUMP_TABLE_BYTES = 6;

/** A Huffman decoding table by the next `maxBits` bits. */
export interface HuffmanTable {
  readonly maxBits: number;
  readonly symbols: Uint8Array;
  readonly bits: Uint8Array;
}

/** Literals of a block, the tree to keep, and where the sequences start. */
export interface Literals {
  readonly bytes: Uint8Array;
  readonly tree: HuffmanTable | undefined;
  readonly next: number;
}

/** Reads the literals section at `bytes[start, end)`. @throws ERR_DWCP_CODEC */
export function readLiterals(
  bytes: Uint8Array,
  start: number,
  end: number,
  oldTree: HuffmanTable | undefined,
): Literals {
  if (start >= end) throw corruptZstd('a block has no literals section');
  const kind = bytes[start]! & 3;
  const plain = kind === LiteralsKind.raw || kind === LiteralsKind.repeated;
  return plain
    ? plainLiterals(bytes, start, end, oldTree)
    : codedLiterals(bytes, start, end, kind === LiteralsKind.coded ? undefined : oldTree);
}

function plainLiterals(
  bytes: Uint8Array,
  start: number,
  end: number,
  tree: HuffmanTable | undefined,
): Literals {
  const format = (bytes[start]! >>> 2) & 3;
  const headerBytes = format === 3 ? 3 : 1 + (format & 1);
  const header = uintAt(bytes, start, headerBytes);
  const size = header >>> (headerBytes === 1 ? 3 : 4);
  const at = start + headerBytes;
  if (size > BLOCK_MAX_BYTES) throw corruptZstd('a block has too many literals');
  const repeated = (bytes[start]! & 3) === LiteralsKind.repeated;
  const next = at + (repeated ? 1 : size);
  if (next > end) throw corruptZstd('literals are cut off');
  const literals = repeated ? new Uint8Array(size).fill(bytes[at]!) : bytes.subarray(at, next);
  return { bytes: literals, tree, next };
}

function codedLiterals(
  bytes: Uint8Array,
  start: number,
  end: number,
  oldTree: HuffmanTable | undefined,
): Literals {
  const format = (bytes[start]! >>> 2) & 3;
  const headerBytes = Math.max(3, format + 2);
  if (start + headerBytes > end) throw corruptZstd('literals are cut off');
  const sizeBits = [10, 10, 14, 18][format]!;
  const header = Math.floor(uintAt(bytes, start, headerBytes) / 16);
  const size = header % 2 ** sizeBits;
  const next = start + headerBytes + Math.floor(header / 2 ** sizeBits);
  if (size > BLOCK_MAX_BYTES) throw corruptZstd('a block has too many literals');
  if (next > end) throw corruptZstd('literals are cut off');
  const ownTree = (bytes[start]! & 3) === LiteralsKind.coded;
  const described = ownTree ? readTree(bytes, start + headerBytes, next) : undefined;
  const tree = described?.tree ?? oldTree;
  if (tree === undefined) throw corruptZstd('there is no tree to use again');
  const out = new Uint8Array(size);
  const at = described?.next ?? start + headerBytes;
  if (format === 0) readStream(tree, bytes, at, next, out);
  else readFourStreams(tree, bytes, at, next, out);
  return { bytes: out, tree, next };
}

/** Little-endian integer of up to five bytes. */
function uintAt(bytes: Uint8Array, at: number, sizeBytes: number): number {
  let value = 0;
  for (let i = sizeBytes - 1; i >= 0; i -= 1) value = value * 256 + bytes[at + i]!;
  return value;
}

function readFourStreams(
  tree: HuffmanTable,
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
): void {
  if (start + JUMP_TABLE_BYTES > end) throw corruptZstd('literals are cut off');
  const share = (out.length + 3) >>> 2;
  if (share * 3 > out.length) throw corruptZstd('too few literals for four streams');
  let at = start + JUMP_TABLE_BYTES;
  for (let i = 0; i < 4; i += 1) {
    const stop = i < 3 ? at + uintAt(bytes, start + 2 * i, 2) : end;
    if (stop > end) throw corruptZstd('literals are cut off');
    readStream(tree, bytes, at, stop, out.subarray(share * i, i < 3 ? share * (i + 1) : undefined));
    at = stop;
  }
}

function readStream(
  { maxBits, symbols, bits }: HuffmanTable,
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
): void {
  const reader = new BackwardBits(bytes, start, end);
  for (let i = 0; i < out.length; i += 1) {
    const index = reader.peek(maxBits);
    out[i] = symbols[index]!;
    reader.left -= bits[index]!;
  }
  if (reader.left !== 0) throw corruptZstd('literals do not end where they should');
}

/** Reads the description of a tree at `bytes[start, end)`. @throws ERR_DWCP_CODEC */
export function readTree(
  bytes: Uint8Array,
  start: number,
  end: number,
): { readonly tree: HuffmanTable; readonly next: number } {
  if (start >= end) throw corruptZstd('a tree is cut off');
  const header = bytes[start]!;
  const plain = header >= PLAIN_WEIGHTS_FROM;
  const count = header - (PLAIN_WEIGHTS_FROM - 1);
  const next = start + 1 + (plain ? (count + 1) >>> 1 : header);
  if (next > end) throw corruptZstd('a tree is cut off');
  const weights = plain
    ? Array.from({ length: count }, (_, i) => {
        const pair = bytes[start + 1 + (i >>> 1)]!;
        return i % 2 === 0 ? pair >>> 4 : pair & 15;
      })
    : readWeights(bytes, start + 1, next);
  return { tree: buildTree(weights), next };
}

/** Weights coded with two states in turn; the stream's end says how many there are. */
function readWeights(bytes: Uint8Array, start: number, end: number): number[] {
  const distribution = readDistribution(bytes, start, end, weightBounds);
  const table = buildTable(distribution);
  const reader = new BackwardBits(bytes, distribution.next, end);
  const states = [reader.read(table.accuracyLog), reader.read(table.accuracyLog)];
  if (reader.left < 0) throw corruptZstd('a tree is cut off');
  const weights: number[] = [];
  for (let turn = 0; weights.length < MAX_SYMBOLS; turn ^= 1) {
    const state = states[turn]!;
    weights.push(table.symbols[state]!);
    states[turn] = table.bases[state]! + reader.read(table.bits[state]!);
    if (reader.left >= 0) continue;
    weights.push(table.symbols[states[turn ^ 1]!]!);
    return weights;
  }
  throw corruptZstd('a tree has too many symbols');
}

/** The table of a tree whose last weight is what is missing to a power of two. */
function buildTree(weights: number[]): HuffmanTable {
  const total = weights.reduce((sum, weight) => sum + ((1 << weight) >>> 1), 0);
  const maxBits = total === 0 ? 0 : 32 - Math.clz32(total);
  if (maxBits === 0 || maxBits > MAX_CODE_BITS) throw corruptZstd('a tree has no valid depth');
  const missing = (1 << maxBits) - total;
  if ((missing & (missing - 1)) !== 0) throw corruptZstd('a tree is not complete');
  const all = [...weights, 32 - Math.clz32(missing)];
  if (all.length > MAX_SYMBOLS) throw corruptZstd('a tree has too many symbols');
  const symbols = new Uint8Array(1 << maxBits);
  const bits = new Uint8Array(1 << maxBits);
  let at = 0;
  for (let weight = 1; weight <= maxBits; weight += 1) {
    for (const [symbol, own] of all.entries()) {
      if (own !== weight) continue;
      const stop = at + (1 << (weight - 1));
      symbols.fill(symbol, at, stop);
      bits.fill(maxBits + 1 - weight, at, stop);
      at = stop;
    }
  }
  return { maxBits, symbols, bits };
}
