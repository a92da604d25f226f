/**
 * Finds what a new value shares with its base: a rolling hash over the new value, looked up in the base's
 * {@link ChunkIndex}; hits are verified and extended both ways. After a match the scan continues behind it,
 * so unchanged data costs a memcmp. Greedy, but a match is taken only when it saves more than the
 * operation that names it costs.
 */
import { HASH_FACTOR } from './chunk-index.ts';
import type { ChunkIndex } from './chunk-index.ts';
import { commonBackward, commonForward } from './chunk-match.ts';

/** Copies in order: literal bytes before it, base offset, length; three numbers per operation. */
export type ChunkOps = number[];

/** A base offset this close to where the last copy ended is cheap to name, bytes. */
const NEAR_BYTES = 4096;
/** Candidates looked at per position. */
const MAX_CANDIDATES = 8;
/** Bytes hashed, or their equal in other work, between two chances to yield: a few milliseconds. */
const WORK_PER_STEP = 256 * 1024;
const WORK_PER_CANDIDATE = 16;
/** An edit of up to this many bytes is looked for without hashing. */
const SMALL_EDIT_BYTES = 16;
/** Bytes rolled over before the stride is thought over again. */
const SPAN_BYTES = 8 * 1024;
/** Unmatched bytes after which only every 3rd, then every 7th position is looked up; odd, so that each
 * stride still meets every alignment of the blocks. */
const SPARSE_AFTER_BYTES = 32 * 1024;
const SPARSER_AFTER_BYTES = 512 * 1024;

/** One scan of `next`; call {@link step} until it returns true, then read {@link ops}. */
export class ChunkScanner {
  readonly ops: ChunkOps = [];
  readonly #index: ChunkIndex;
  readonly #base: Buffer;
  readonly #next: Buffer;
  readonly #lanes = new Int32Array(4);
  readonly #leaving: number;
  readonly #minNear: number;
  readonly #minFar: number;
  readonly #maxLiteralBytes: number;
  /** End of what is covered by operations, in `next`. */
  #done = 0;
  /** Where the last copy ended, in the base. */
  #expected = 0;
  #at = 0;
  #work = 0;
  #literalBytes = 0;

  /** `maxLiteralBytes`: give up once more than this stays unmatched. */
  constructor(index: ChunkIndex, base: Buffer, next: Buffer, maxLiteralBytes: number = Infinity) {
    this.#index = index;
    this.#base = base;
    this.#next = next;
    this.#maxLiteralBytes = maxLiteralBytes;
    const { blockBytes } = index;
    let leaving = 1;
    for (let i = 0; i < blockBytes >> 2; i++) leaving = Math.imul(leaving, HASH_FACTOR);
    this.#leaving = leaving;
    this.#minNear = blockBytes + (blockBytes >> 1);
    this.#minFar = blockBytes * 3;
    const head = commonForward(base, 0, next, 0);
    if (head >= this.#minNear) this.#take(0, 0, head);
  }

  /** True when too much stayed unmatched and the scan ended before its time. */
  get gaveUp(): boolean {
    return this.#literalBytes + this.#at - this.#done > this.#maxLiteralBytes;
  }

  /** Scans some more; true when all of `next` has been seen, or enough to give up. */
  step(): boolean {
    const last = this.#next.length - this.#index.blockBytes - 4;
    this.#work = WORK_PER_STEP;
    while (this.#at <= last && this.#work > 0) {
      if (this.#at !== this.#done || !this.#resume()) this.#seek(last);
    }
    if (this.#at > last) this.#at = this.#next.length;
    return this.#at > last || this.gaveUp;
  }

  /**
   * Looks for the old alignment just behind a small edit (some bytes replaced, added or dropped), which
   * is the usual case and needs no hashing; says whether it found it.
   */
  #resume(): boolean {
    const base = this.#base;
    const next = this.#next;
    const from = this.#expected;
    const at = this.#done;
    for (let k = 1; k <= SMALL_EDIT_BYTES; k++) {
      if (this.#resumesAt(base, from + k, next, at + k)) return true;
      if (this.#resumesAt(base, from, next, at + k)) return true;
      if (this.#resumesAt(base, from + k, next, at)) return true;
    }
    return false;
  }

  #resumesAt(base: Buffer, from: number, next: Buffer, at: number): boolean {
    if (base[from] !== next[at] || base[from + 1] !== next[at + 1]) return false;
    if (base[from + 2] !== next[at + 2] || at >= next.length || from >= base.length) return false;
    const length = commonForward(base, from, next, at);
    if (length < this.#minNear) return false;
    this.#take(at, from, length);
    return true;
  }

  /** Rolls from `#at` to the next match or the end of a span. */
  #seek(last: number): void {
    const { heads, blockBytes } = this.#index;
    const index = this.#index;
    const next = this.#next;
    const leaving = this.#leaving;
    const start = this.#at;
    const stop = Math.min(last, start + SPAN_BYTES);
    this.#fillLanes(start);
    const lanes = this.#lanes;
    let h0 = lanes[0]!;
    let h1 = lanes[1]!;
    let h2 = lanes[2]!;
    let h3 = lanes[3]!;
    let out = next.readInt32LE(start);
    let entering = next.readInt32LE(start + blockBytes);
    const stride = this.#stride(start);
    let lookAt = start;
    for (let at = start; at <= stop; at++) {
      if (at === lookAt) {
        lookAt += stride;
        const head = heads[index.slot(h0)]!;
        if (head !== 0 && this.#tryMatch(at, h0, head)) {
          this.#work -= at - start;
          return;
        }
      }
      const rolled = (Math.imul(h0, HASH_FACTOR) + entering - Math.imul(out, leaving)) | 0;
      h0 = h1;
      h1 = h2;
      h2 = h3;
      h3 = rolled;
      out = (out >>> 8) | (next[at + 4]! << 24);
      entering = (entering >>> 8) | (next[at + blockBytes + 4]! << 24);
    }
    this.#work -= stop + 1 - start;
    this.#at = stop + 1;
  }

  /** Hashes of the blocks at `at` … `at + 3`; those past the end are not looked up. */
  #fillLanes(at: number): void {
    const words = this.#index.blockBytes >> 2;
    for (let lane = 0; lane < 4; lane++) {
      let hash = 0;
      for (let i = 0; i < words; i++) {
        hash = (Math.imul(hash, HASH_FACTOR) + this.#next.readInt32LE(at + lane + i * 4)) | 0;
      }
      this.#lanes[lane] = hash;
    }
  }

  #stride(at: number): number {
    const unmatched = at - this.#done;
    if (unmatched < SPARSE_AFTER_BYTES) return 1;
    return unmatched < SPARSER_AFTER_BYTES ? 3 : 7;
  }

  /** Verifies the candidates for `at`; takes the best one that pays, and says whether it did. */
  #tryMatch(at: number, hash: number, head: number): boolean {
    const { blockBytes, chain, numberMask } = this.#index;
    const base = this.#base;
    const next = this.#next;
    const sparse = at - this.#done >= SPARSE_AFTER_BYTES;
    let left = sparse ? 2 : MAX_CANDIDATES;
    let entry = head;
    let bestGain = 0;
    let bestFrom = 0;
    let bestAt = 0;
    let bestLength = 0;
    for (; entry !== 0 && left > 0; entry = chain[entry & numberMask]!, left--) {
      if (((entry ^ hash) & ~numberMask) !== 0) continue;
      this.#work -= WORK_PER_CANDIDATE;
      const from = ((entry & numberMask) - 1) * blockBytes;
      const forward = commonForward(base, from, next, at);
      if (forward < blockBytes) continue;
      const back = commonBackward(base, from, next, at, Math.min(from, at - this.#done));
      const near = Math.abs(from - back - this.#expected) <= NEAR_BYTES;
      const gain = forward + back - (near ? this.#minNear : this.#minFar);
      if (gain < 0 || gain + 1 <= bestGain) continue;
      bestGain = gain + 1;
      bestFrom = from - back;
      bestAt = at - back;
      bestLength = forward + back;
    }
    if (bestGain === 0) return false;
    this.#take(bestAt, bestFrom, bestLength);
    return true;
  }

  #take(at: number, from: number, length: number): void {
    this.ops.push(at - this.#done, from, length);
    this.#literalBytes += at - this.#done;
    this.#done = at + length;
    this.#expected = from + length;
    this.#at = this.#done;
    this.#work -= WORK_PER_CANDIDATE * 8;
  }
}
