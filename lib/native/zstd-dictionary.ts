/**
 * Reads a trained zstd dictionary (RFC 8878, section 5): the Huffman tree, three FSE tables and three repeat
 * offsets that the first block of a frame may use, and the content that stands before it. The checks are
 * those of zstd's own decoder; besides, the tables of lengths describe every code, as every trainer's do: zstd
 * does not write well with others.
 */
import { DwcpError } from '../errors.ts';
import { buildTable, readDistribution } from './zstd-fse.ts';
import type { FseBounds, FseTable } from './zstd-fse.ts';
import { readTree } from './zstd-literals.ts';
import type { HuffmanTable } from './zstd-literals.ts';
import { dictionaryFields } from './zstd-sequences.ts';
import type { SequenceStart } from './zstd-sequences.ts';

const MAGIC = 0xec30a437;
const HEADER_BYTES = 8;
const OFFSETS_BYTES = 12;

/** What a frame starts with when it has a dictionary; `tree` and `sequences` only where it was trained. */
export interface DictionaryStart {
  readonly content: Uint8Array;
  readonly tree?: HuffmanTable;
  readonly sequences?: SequenceStart;
}

/** True for bytes that begin like a trained dictionary. */
export function looksTrained(bytes: Uint8Array): boolean {
  if (bytes.length < HEADER_BYTES) return false;
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) === MAGIC;
}

/**
 * What `bytes` start a frame with: a trained dictionary taken apart, or raw content as it is.
 * @throws ERR_DWCP_DICTIONARY_INVALID
 */
export function readDictionary(bytes: Uint8Array): DictionaryStart {
  if (!looksTrained(bytes)) return { content: bytes };
  try {
    return readTrained(bytes);
  } catch (cause) {
    const message = 'The trained dictionary is damaged.';
    throw new DwcpError('ERR_DWCP_DICTIONARY_INVALID', message, { cause });
  }
}

function readTrained(bytes: Uint8Array): DictionaryStart {
  const { tree, next } = readTree(bytes, HEADER_BYTES, bytes.length);
  let at = next;
  const table = (bounds: FseBounds, leastCodes = 1): FseTable => {
    const distribution = readDistribution(bytes, at, bytes.length, bounds);
    if (distribution.shares.length < leastCodes) throw new RangeError('a table leaves out codes');
    at = distribution.next;
    return buildTable(distribution);
  };
  const offsets = table(dictionaryFields.offsets);
  const lengths = (field: FseBounds): FseTable => table(field, field.maxSymbol + 1);
  const matches = lengths(dictionaryFields.matches);
  const literals = lengths(dictionaryFields.literals);
  const content = bytes.subarray(at + OFFSETS_BYTES);
  if (at + OFFSETS_BYTES > bytes.length) throw new RangeError('the repeat offsets are cut off');
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, OFFSETS_BYTES);
  const recent = [0, 4, 8].map((field) => view.getUint32(field, true));
  if (recent.some((offset) => offset === 0 || offset > content.length)) {
    throw new RangeError('a repeat offset is out of reach');
  }
  const [first = 0, second = 0, third = 0] = recent;
  return { content, tree, sequences: { literals, offsets, matches, recent: [first, second, third] } };
}
