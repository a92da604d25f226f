/**
 * XXH3-128 with seed 0 and the default secret, after the xxHash specification, "XXH3 Algorithm", for tiers
 * without the addon. Inputs above 240 bytes run through eight 64-bit accumulators in stripes of 64 bytes and
 * blocks of 16 stripes; each accumulator is two 32-bit halves here, and a product is taken with doubles.
 * Borrows its input until it is done; reads it in blocks, so alignment and byte order do not matter.
 */
import { endianness } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  avalanche,
  foldedProduct,
  hashShort,
  PRIME32_1,
  PRIME32_2,
  PRIME32_3,
  PRIME64_1,
  PRIME64_2,
  PRIME64_3,
  PRIME64_4,
  PRIME64_5,
  SECRET,
  SHORT_MAX_BYTES,
  u64,
} from './xxh3-short.ts';
import type { Halves } from './xxh3-short.ts';

const STRIPE_BYTES = 64;
const STRIPES_PER_BLOCK = (SECRET.length - STRIPE_BYTES) / 8;
const BLOCK_BYTES = STRIPE_BYTES * STRIPES_PER_BLOCK;
/** 32-bit words of a stripe, and of the secret used up by one. */
const STRIPE_WORDS = STRIPE_BYTES / 4;
const SECRET_STEP_WORDS = 2;
const LANES = 8;
/** Secret offsets: scramble, last stripe, and the two merges. */
const SCRAMBLE_START = SECRET.length - STRIPE_BYTES;
const LAST_STRIPE_START = SCRAMBLE_START - 7;
const MERGE_LOW_START = 11;
const MERGE_HIGH_START = SCRAMBLE_START - 11;
/** Blocks hashed between two chances to yield: a few milliseconds. */
const BLOCKS_PER_STEP = 512;

const PRIME32_1_WORD = Number(PRIME32_1) | 0;
const BIG_ENDIAN = endianness() === 'BE';
const TWO_TO_MINUS_32 = 2 ** -32;

const startLanes = new BigUint64Array([
  PRIME32_3,
  PRIME64_1,
  PRIME64_2,
  PRIME64_3,
  PRIME64_4,
  PRIME32_2,
  PRIME64_5,
  PRIME32_1,
]);

/** Secret bytes as 32-bit words from an offset. */
function secretWords(start: number, bytes: number): Int32Array {
  return Int32Array.from({ length: bytes / 4 }, (_, i) => SECRET.readInt32LE(start + 4 * i));
}

const blockSecret = secretWords(0, SECRET.length);
const scrambleSecret = secretWords(SCRAMBLE_START, STRIPE_BYTES);
const lastStripeSecret = secretWords(LAST_STRIPE_START, STRIPE_BYTES);

/**
 * High word of the product of two unsigned words, given its low word. The double product is off by at
 * most 2^11, and taking the low word off leaves a multiple of 2^32, so rounding to one is exact.
 */
function productHigh(a: number, b: number, low: number): number {
  return (((a >>> 0) * (b >>> 0) - (low >>> 0)) * TWO_TO_MINUS_32 + 0.5) >>> 0;
}

/** One long hash under way. Call {@link step} until it returns true, then {@link finish}. */
class LongHash {
  readonly #bytes: Buffer;
  readonly #low = new Int32Array(LANES);
  readonly #high = new Int32Array(LANES);
  readonly #block = Buffer.from(new ArrayBuffer(BLOCK_BYTES));
  readonly #words = new Int32Array(this.#block.buffer);
  readonly #fullBlocks: number;
  #done = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#fullBlocks = Math.floor((bytes.length - 1) / BLOCK_BYTES);
    for (const [lane, start] of startLanes.entries()) {
      this.#low[lane] = Number(BigInt.asIntN(32, start));
      this.#high[lane] = Number(BigInt.asIntN(32, start >> 32n));
    }
  }

  /** Hashes some more full blocks; true when all are in. */
  step(): boolean {
    const stop = Math.min(this.#fullBlocks, this.#done + BLOCKS_PER_STEP);
    for (; this.#done < stop; this.#done += 1) {
      this.#load(this.#done * BLOCK_BYTES, BLOCK_BYTES);
      this.#accumulate(STRIPES_PER_BLOCK, blockSecret);
      this.#scramble();
    }
    return stop === this.#fullBlocks;
  }

  /** The rest after the last full block, the last 64 bytes once more, and the merge. */
  finish(): Halves {
    const { length } = this.#bytes;
    const start = this.#fullBlocks * BLOCK_BYTES;
    const stripes = Math.floor((length - 1 - start) / STRIPE_BYTES);
    this.#load(start, stripes * STRIPE_BYTES);
    this.#accumulate(stripes, blockSecret);
    this.#load(length - STRIPE_BYTES, STRIPE_BYTES);
    this.#accumulate(1, lastStripeSecret);
    const size = BigInt(length);
    return {
      low: this.#merge(MERGE_LOW_START, u64(size * PRIME64_1)),
      high: this.#merge(MERGE_HIGH_START, u64(~(size * PRIME64_2))),
    };
  }

  #load(start: number, bytes: number): void {
    this.#bytes.copy(this.#block, 0, start, start + bytes);
    if (BIG_ENDIAN) this.#block.swap32();
  }

  /** Two neighbouring lanes at a time through all stripes: their halves then stay in registers. */
  #accumulate(stripes: number, secret: Int32Array): void {
    const words = this.#words;
    for (let lane = 0; lane < LANES; lane += 2) {
      let lowA = this.#low[lane]!;
      let highA = this.#high[lane]!;
      let lowB = this.#low[lane + 1]!;
      let highB = this.#high[lane + 1]!;
      let at = lane * 2;
      let key = lane * 2;
      for (let n = 0; n < stripes; n += 1) {
        const a0 = words[at]!;
        const a1 = words[at + 1]!;
        const b0 = words[at + 2]!;
        const b1 = words[at + 3]!;
        const keyedA0 = a0 ^ secret[key]!;
        const keyedA1 = a1 ^ secret[key + 1]!;
        const keyedB0 = b0 ^ secret[key + 2]!;
        const keyedB1 = b1 ^ secret[key + 3]!;
        // A lane takes its own product and its neighbour's data; low words are summed as doubles.
        const productA = Math.imul(keyedA0, keyedA1);
        const sumA = (lowA >>> 0) + (productA >>> 0) + (b0 >>> 0);
        highA += productHigh(keyedA0, keyedA1, productA) + b1;
        highA = (highA + ((sumA * TWO_TO_MINUS_32) | 0)) | 0;
        lowA = sumA | 0;
        const productB = Math.imul(keyedB0, keyedB1);
        const sumB = (lowB >>> 0) + (productB >>> 0) + (a0 >>> 0);
        highB += productHigh(keyedB0, keyedB1, productB) + a1;
        highB = (highB + ((sumB * TWO_TO_MINUS_32) | 0)) | 0;
        lowB = sumB | 0;
        at += STRIPE_WORDS;
        key += SECRET_STEP_WORDS;
      }
      this.#low[lane] = lowA;
      this.#high[lane] = highA;
      this.#low[lane + 1] = lowB;
      this.#high[lane + 1] = highB;
    }
  }

  #scramble(): void {
    for (let lane = 0; lane < LANES; lane += 1) {
      const high = this.#high[lane]!;
      const low = this.#low[lane]! ^ (high >>> 15) ^ scrambleSecret[2 * lane]!;
      const keyedHigh = high ^ scrambleSecret[2 * lane + 1]!;
      const product = Math.imul(low, PRIME32_1_WORD);
      this.#low[lane] = product;
      this.#high[lane] =
        Math.imul(keyedHigh, PRIME32_1_WORD) + productHigh(low, PRIME32_1_WORD, product);
    }
  }

  #merge(secretStart: number, start: bigint): bigint {
    const lane = (i: number): bigint =>
      (BigInt(this.#high[i]! >>> 0) << 32n) | BigInt(this.#low[i]! >>> 0);
    let sum = start;
    for (let i = 0; i < LANES; i += 2) {
      const key = secretStart + 8 * i;
      const first = lane(i) ^ SECRET.readBigUInt64LE(key);
      sum += foldedProduct(first, lane(i + 1) ^ SECRET.readBigUInt64LE(key + 8));
    }
    return avalanche(u64(sum));
  }
}

/** Big-endian, high half first. */
function canonical({ low, high }: Halves): Buffer {
  const out = Buffer.alloc(16);
  out.writeBigUInt64BE(high, 0);
  out.writeBigUInt64BE(low, 8);
  return out;
}

const bufferOf = (bytes: Uint8Array): Buffer =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);

/**
 * XXH3-128 of `bytes` in canonical form, 16 bytes.
 * @example xxh3(Buffer.alloc(0)).toString('hex') // '99aa06d3014798d86001c324468d497f'
 */
export function xxh3(bytes: Uint8Array): Buffer {
  const input = bufferOf(bytes);
  if (input.length <= SHORT_MAX_BYTES) return canonical(hashShort(input));
  const hash = new LongHash(input);
  while (!hash.step());
  return canonical(hash.finish());
}

/** As {@link xxh3}, in slices of a few milliseconds with turns of the event loop between them. */
export async function xxh3Async(bytes: Uint8Array): Promise<Buffer> {
  const input = bufferOf(bytes);
  if (input.length <= SHORT_MAX_BYTES) return canonical(hashShort(input));
  const hash = new LongHash(input);
  while (!hash.step()) await nextTurn();
  return canonical(hash.finish());
}
