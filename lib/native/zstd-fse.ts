/**
 * Finite State Entropy tables of zstd (RFC 8878 section 4.1): reading a distribution, and the decoding
 * table of one. A table is three arrays by state: the symbol, and how to get to the next state.
 */
import { ForwardBits } from './zstd-bits.ts';
import { corruptZstd } from './zstd-frame.ts';

/** Shares of the symbols of a table of 2^accuracyLog states; -1 stands for "less than one". */
export interface Distribution {
  readonly accuracyLog: number;
  readonly shares: readonly number[];
}

/** A decoding table. */
export interface FseTable {
  readonly accuracyLog: number;
  readonly symbols: Uint8Array;
  /** Bits to read for the next state, and what to add to them. */
  readonly bits: Uint8Array;
  readonly bases: Uint16Array;
}

/** What a table description may say. */
export interface FseBounds {
  readonly maxAccuracyLog: number;
  readonly maxSymbol: number;
}

const MIN_ACCURACY_LOG = 5;
/** A repeat flag that says another one follows. */
const REPEAT_MORE = 3;

const highestBit = (value: number): number => 31 - Math.clz32(value);

/**
 * Reads the description of a table from `bytes[start, end)`.
 * @returns the distribution and where the next field starts
 * @throws ERR_DWCP_CODEC
 */
export function readDistribution(
  bytes: Uint8Array,
  start: number,
  end: number,
  { maxAccuracyLog, maxSymbol }: FseBounds,
): Distribution & { readonly next: number } {
  const reader = new ForwardBits(bytes, start, end);
  const accuracyLog = reader.read(4) + MIN_ACCURACY_LOG;
  if (accuracyLog > maxAccuracyLog) throw corruptZstd('a table is too large');
  const shares: number[] = [];
  let remaining = 1 << accuracyLog;
  while (remaining > 0) {
    const share = readShare(reader, remaining);
    remaining -= Math.abs(share);
    shares.push(share);
    if (share === 0) pushZeros(reader, shares, maxSymbol);
    if (shares.length > maxSymbol + 1) throw corruptZstd('a table has too many symbols');
  }
  if (remaining < 0) throw corruptZstd('the shares of a table do not add up');
  return { accuracyLog, shares, next: reader.nextByte };
}

/** One share; small values take one bit less. */
function readShare(reader: ForwardBits, remaining: number): number {
  const bits = highestBit(remaining + 1) + 1;
  const value = reader.read(bits);
  const lowerMask = (1 << (bits - 1)) - 1;
  const threshold = (1 << bits) - 1 - (remaining + 1);
  if ((value & lowerMask) < threshold) {
    reader.skip(-1);
    return (value & lowerMask) - 1;
  }
  return (value > lowerMask ? value - threshold : value) - 1;
}

function pushZeros(reader: ForwardBits, shares: number[], maxSymbol: number): void {
  let repeat = REPEAT_MORE;
  while (repeat === REPEAT_MORE && shares.length <= maxSymbol) {
    repeat = reader.read(2);
    for (let i = 0; i < repeat; i += 1) shares.push(0);
  }
}

/** The decoding table of a distribution. */
export function buildTable({ accuracyLog, shares }: Distribution): FseTable {
  const size = 1 << accuracyLog;
  const symbols = new Uint8Array(size);
  const nextState = new Uint16Array(shares.length);
  let high = size;
  for (const [symbol, share] of shares.entries()) {
    if (share === -1) symbols[--high] = symbol;
    nextState[symbol] = Math.abs(share);
  }
  const step = (size >> 1) + (size >> 3) + 3;
  let at = 0;
  for (const [symbol, share] of shares.entries()) {
    for (let i = 0; i < share; i += 1) {
      symbols[at] = symbol;
      do at = (at + step) & (size - 1);
      while (at >= high);
    }
  }
  const bits = new Uint8Array(size);
  const bases = new Uint16Array(size);
  for (let state = 0; state < size; state += 1) {
    const next = nextState[symbols[state]!]!++;
    bits[state] = accuracyLog - highestBit(next);
    bases[state] = (next << bits[state]!) - size;
  }
  return { accuracyLog, symbols, bits, bases };
}

/** A table of one state that always gives `symbol`. */
export function singleSymbolTable(symbol: number): FseTable {
  return {
    accuracyLog: 0,
    symbols: Uint8Array.of(symbol),
    bits: new Uint8Array(1),
    bases: new Uint16Array(1),
  };
}
