/**
 * The sequences section of a zstd block (RFC 8878 sections 3.1.1.3.2 and 3.1.1.4): which literals to take,
 * then which earlier bytes to repeat. Tables and repeat offsets live as long as the frame.
 */
import { BackwardBits } from './zstd-bits.ts';
import { corruptZstd } from './zstd-frame.ts';
import { buildTable, readDistribution, singleSymbolTable } from './zstd-fse.ts';
import type { Distribution, FseBounds, FseTable } from './zstd-fse.ts';

/** One of the three fields of a sequence. */
interface Field extends FseBounds {
  readonly usual: FseTable;
}

const TableMode = { usual: 0, single: 1, described: 2, again: 3 } as const;

const runs = (...pairs: readonly (readonly [value: number, count: number])[]): number[] =>
  pairs.flatMap(([value, count]) => Array.from({ length: count }, () => value));

function field(maxAccuracyLog: number, accuracyLog: number, shares: readonly number[]): Field {
  const distribution: Distribution = { accuracyLog, shares };
  return { maxAccuracyLog, maxSymbol: shares.length - 1, usual: buildTable(distribution) };
}

/** Literal lengths: the usual shares, and base and extra bits by code. */
const literalField = field(9, 6, [
  ...runs([4, 1], [3, 1], [2, 11], [1, 3], [2, 9], [3, 1], [2, 1], [1, 5], [-1, 4]),
]);
const literalBits = [...runs([0, 16], [1, 4]), 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
/** Match lengths. */
const matchField = field(9, 6, [1, 4, 3, ...runs([2, 6], [1, 37], [-1, 7])]);
const matchBits = [
  ...runs([0, 32], [1, 4], [2, 2], [3, 2], [4, 2], [5, 1]),
  ...Array.from({ length: 10 }, (_, i) => i + 7),
];
/** Offsets: the code is the number of extra bits. Codes above 30 are beyond every window accepted. */
const offsetField: Field = {
  ...field(8, 5, runs([1, 6], [2, 3], [1, 15], [-1, 5])),
  maxSymbol: 30,
};

/** What the tables of a dictionary may say. */
export const dictionaryFields: Readonly<Record<'literals' | 'matches' | 'offsets', FseBounds>> = {
  literals: literalField,
  matches: matchField,
  offsets: { maxAccuracyLog: offsetField.maxAccuracyLog, maxSymbol: 31 },
};

const MIN_MATCH_BYTES = 3;

/** Running sums: each code starts where the one before it ends. */
function basesFrom(first: number, bits: readonly number[]): Uint32Array {
  const bases = new Uint32Array(bits.length);
  let base = first;
  for (const [code, count] of bits.entries()) {
    bases[code] = base;
    base += 2 ** count;
  }
  return bases;
}

const literalBitsOf = Uint8Array.from(literalBits);
const literalBaseOf = basesFrom(0, literalBits);
const matchBitsOf = Uint8Array.from(matchBits);
const matchBaseOf = basesFrom(MIN_MATCH_BYTES, matchBits);

/** Takes one sequence: copies `literals` bytes, then `match` bytes from `offset` before. */
export type Execute = (literals: number, offset: number, match: number) => void;

/** Tables and recent offsets that a dictionary gives the first block. */
export interface SequenceStart {
  readonly literals: FseTable;
  readonly offsets: FseTable;
  readonly matches: FseTable;
  readonly recent: readonly [number, number, number];
}

/** What one block's sequences leave for the next: tables and the three latest offsets. */
export class SequenceReader {
  #literalTable: FseTable | undefined;
  #offsetTable: FseTable | undefined;
  #matchTable: FseTable | undefined;
  #recent: readonly [number, number, number];

  constructor(start: SequenceStart | undefined) {
    this.#literalTable = start?.literals;
    this.#offsetTable = start?.offsets;
    this.#matchTable = start?.matches;
    this.#recent = start?.recent ?? [1, 4, 8];
  }

  /** Reads the section at `bytes[start, end)`, sequence by sequence. @throws ERR_DWCP_CODEC */
  read(bytes: Uint8Array, start: number, end: number, execute: Execute): void {
    const header = readCount(bytes, start, end);
    const { count } = header;
    let at = header.next;
    if (count === 0) {
      if (at !== end) throw corruptZstd('bytes after the last sequence');
      return;
    }
    if (at >= end) throw corruptZstd('sequences are cut off');
    const modes = bytes[at++]!;
    if ((modes & 3) !== 0) throw corruptZstd('reserved bits of a block are set');
    const next = (mode: number, of: Field, old: FseTable | undefined): FseTable => {
      const read = readTable(bytes, at, end, mode, of, old);
      at = read.next;
      return read.table;
    };
    this.#literalTable = next(modes >>> 6, literalField, this.#literalTable);
    this.#offsetTable = next((modes >>> 4) & 3, offsetField, this.#offsetTable);
    this.#matchTable = next((modes >>> 2) & 3, matchField, this.#matchTable);
    this.#decode(new BackwardBits(bytes, at, end), count, execute);
  }

  #decode(reader: BackwardBits, count: number, execute: Execute): void {
    const [literals, offsets, matches] = [
      this.#literalTable!,
      this.#offsetTable!,
      this.#matchTable!,
    ];
    let literalState = reader.read(literals.accuracyLog);
    let offsetState = reader.read(offsets.accuracyLog);
    let matchState = reader.read(matches.accuracyLog);
    for (let left = count; left > 0; left -= 1) {
      const offsetCode = offsets.symbols[offsetState]!;
      const matchCode = matches.symbols[matchState]!;
      const literalCode = literals.symbols[literalState]!;
      const offsetValue = 2 ** offsetCode + reader.read(offsetCode);
      const match = matchBaseOf[matchCode]! + reader.read(matchBitsOf[matchCode]!);
      const literal = literalBaseOf[literalCode]! + reader.read(literalBitsOf[literalCode]!);
      if (reader.left < 0) throw corruptZstd('sequences are cut off');
      execute(literal, this.#offset(offsetValue, literal === 0), match);
      if (left === 1) break;
      literalState = literals.bases[literalState]! + reader.read(literals.bits[literalState]!);
      matchState = matches.bases[matchState]! + reader.read(matches.bits[matchState]!);
      offsetState = offsets.bases[offsetState]! + reader.read(offsets.bits[offsetState]!);
    }
    if (reader.left !== 0) throw corruptZstd('sequences do not end where they should');
  }

  /** Values 1 to 3 name recent offsets, shifted by one after no literals; others are the offset plus 3. */
  #offset(value: number, noLiterals: boolean): number {
    const [first, second, third] = this.#recent;
    if (value > 3) {
      this.#recent = [value - 3, first, second];
      return value - 3;
    }
    const index = value - 1 + (noLiterals ? 1 : 0);
    if (index === 0) return first;
    const offset = index === 1 ? second : index === 2 ? third : first - 1;
    if (offset === 0) throw corruptZstd('an offset is zero');
    this.#recent = index === 1 ? [second, first, third] : [offset, first, second];
    return offset;
  }
}

function readCount(bytes: Uint8Array, start: number, end: number): { count: number; next: number } {
  const first = start < end ? bytes[start]! : 0;
  const sizeBytes = first < 128 ? 1 : first < 255 ? 2 : 3;
  const next = start + sizeBytes;
  if (next > end) throw corruptZstd('a block has no sequences section');
  if (sizeBytes === 1) return { count: first, next };
  if (sizeBytes === 2) return { count: ((first - 128) << 8) + bytes[start + 1]!, next };
  return { count: bytes[start + 1]! + (bytes[start + 2]! << 8) + 0x7f00, next };
}

function readTable(
  bytes: Uint8Array,
  start: number,
  end: number,
  mode: number,
  of: Field,
  old: FseTable | undefined,
): { readonly table: FseTable; readonly next: number } {
  if (mode === TableMode.usual) return { table: of.usual, next: start };
  if (mode === TableMode.again) {
    if (old === undefined) throw corruptZstd('there is no table to use again');
    return { table: old, next: start };
  }
  if (mode === TableMode.described) {
    const distribution = readDistribution(bytes, start, end, of);
    return { table: buildTable(distribution), next: distribution.next };
  }
  const symbol = start < end ? bytes[start]! : of.maxSymbol + 1;
  if (symbol > of.maxSymbol) throw corruptZstd('a table has no such symbol');
  return { table: singleSymbolTable(symbol), next: start + 1 };
}
