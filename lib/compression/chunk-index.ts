/**
 * The match index of a delta base: every aligned block of the base, by a hash that {@link ChunkScanner}
 * can roll over any byte offset. The hash is a polynomial over 32-bit words (four interleaved lanes when
 * rolled), so building reads four bytes per multiplication. Hits are always verified, so a collision or
 * a machine of the other byte order costs matches, never correctness.
 */

/** Odd multiplier of the polynomial. */
export const HASH_FACTOR = 0x2c1b3c6d;
const SPREAD = 0x9e3779b1 | 0;
/** Blocks hashed between two chances to yield: about a millisecond. */
const BLOCKS_PER_STEP = 32_768;

/** Block size for a base: small blocks find more, large ones take less memory. */
function blockBytesFor(baseBytes: number): number {
  if (baseBytes <= 512 * 1024) return 16;
  return baseBytes <= 24 * 1024 * 1024 ? 32 : 64;
}

/** Aligned blocks of one base by hash. Build with {@link step} until it returns true. */
export class ChunkIndex {
  readonly blockBytes: number;
  /** Entry of the first block, or 0; by slot. */
  readonly heads: Int32Array;
  /** Entry of the next block in the same slot, or 0; by block number. */
  readonly chain: Int32Array;
  /**
   * The bits of an entry that hold the block's 1-based number. The others hold the same bits of its hash,
   * which rules out nearly all false candidates without touching the base.
   */
  readonly numberMask: number;
  readonly #words: Int32Array;
  readonly #shift: number;
  #block: number;
  #previousHash = 0;

  constructor(base: Buffer) {
    this.blockBytes = blockBytesFor(base.length);
    const blocks = Math.floor(base.length / this.blockBytes);
    const bits = Math.max(4, Math.ceil(Math.log2(blocks * 2 + 1)));
    this.#shift = 32 - bits;
    this.heads = new Int32Array(2 ** bits);
    this.chain = new Int32Array(blocks + 1);
    this.numberMask = 2 ** (32 - Math.clz32(blocks)) - 1;
    this.#words = wordsOf(base);
    this.#block = blocks;
  }

  /** Memory of the index, bytes. */
  get memoryBytes(): number {
    return this.heads.byteLength + this.chain.byteLength;
  }

  /** Where a block with this hash would be. */
  slot(hash: number): number {
    return Math.imul(hash ^ (hash >>> 15), SPREAD) >>> this.#shift;
  }

  /** Indexes some more blocks, back to front; true when all are in. */
  step(): boolean {
    const { heads, chain, numberMask } = this;
    const words = this.#words;
    const wordsPerBlock = this.blockBytes >> 2;
    const stop = Math.max(0, this.#block - BLOCKS_PER_STEP);
    let previous = this.#previousHash;
    for (let block = this.#block; block > stop; block--) {
      const end = block * wordsPerBlock;
      let hash = 0;
      for (let i = end - wordsPerBlock; i < end; i++) {
        hash = (Math.imul(hash, HASH_FACTOR) + words[i]!) | 0;
      }
      const slot = this.slot(hash);
      const head = heads[slot]!;
      // A run of equal blocks is entered once, by its first block, or it would fill the chain.
      const repeats = hash === previous && (head & numberMask) === block + 1;
      chain[block] = repeats ? chain[block + 1]! : head;
      heads[slot] = (hash & ~numberMask) | block;
      previous = hash;
    }
    this.#previousHash = previous;
    this.#block = stop;
    return stop === 0;
  }
}

/** The 32-bit words of `bytes`; a copy only when its memory is not aligned. */
function wordsOf(bytes: Buffer): Int32Array {
  const count = bytes.length >> 2;
  if (bytes.byteOffset % 4 === 0) return new Int32Array(bytes.buffer, bytes.byteOffset, count);
  const copy = new Int32Array(count);
  new Uint8Array(copy.buffer).set(bytes.subarray(0, count * 4));
  return copy;
}
