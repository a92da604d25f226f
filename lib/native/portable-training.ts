/**
 * Training without the addon: FastCover as in `native/core/codec/cover.cc`, smaller. What comes out is raw
 * content, without entropy tables. Candidates are judged with deflate, which every Node has and which takes
 * a dictionary of 32 KiB, on records held out from training. Deterministic.
 */
import { deflateRawSync } from 'node:zlib';
import type { DictionaryTraining, TrainingOptions } from './contract.ts';
import { packSamples } from './training-set.ts';
import type { TrainingSet } from './training-set.ts';
import { looksTrained } from './zstd-dictionary.ts';

/** What training looks at; about a second then, bytes. */
const BUDGET_BYTES = 2 * 1024 * 1024;
/** Every how many records one is held out, and most that are judged by. */
const HELD_OUT_EVERY = 4;
const MAX_JUDGED = 256;
const SEGMENT_BYTES = [128, 512, 1536];
const DMER_BYTES = 8;
const HASH_BITS = 18;
const HASHES = 1 << HASH_BITS;
/** What deflate sees of a dictionary, bytes. */
const DEFLATE_DICTIONARY_BYTES = 32_768 - 262;
const MAX_IDLE_PARTS = 10;
const MIN_PART_SEGMENTS = 10;
/** What is shorter than this zstd silently ignores, bytes. */
const MIN_CONTENT_BYTES = 8;

interface Segment {
  begin: number;
  end: number;
  score: number;
}

/** What records share: see `native/core/codec/cover.h`. */
class Cover {
  readonly #slots: Uint32Array;
  readonly #bytes: Buffer;
  readonly #shared = new Uint32Array(HASHES);
  readonly #inWindow = new Uint16Array(HASHES);

  constructor({ bytes, lengths }: TrainingSet) {
    this.#bytes = bytes;
    this.#slots = slotsOf(bytes);
    const seen = new Uint32Array(HASHES);
    let at = 0;
    for (const [index, length] of lengths.entries()) {
      for (let i = at; i + DMER_BYTES <= at + length; i += 1) {
        const slot = this.#slots[i]!;
        if (seen[slot] === index + 1) continue;
        if (seen[slot] !== 0) this.#shared[slot]! += 1;
        seen[slot] = index + 1;
      }
      at += length;
    }
  }

  /** Up to `sizeBytes` of content, the part chosen first at its end. */
  select(segmentBytes: number, sizeBytes: number): Buffer {
    const left = this.#shared.slice();
    const dmers = this.#slots.length;
    const wanted = Math.max(1, Math.floor(sizeBytes / segmentBytes));
    const smallest = segmentBytes * MIN_PART_SEGMENTS;
    const part = Math.min(dmers, Math.max(Math.floor(dmers / wanted), smallest));
    const parts = part === 0 ? 0 : Math.floor(dmers / part);
    const chosen: Buffer[] = [];
    let room = sizeBytes;
    let idle = 0;
    for (let i = 0; parts > 0 && room > 0 && idle < MAX_IDLE_PARTS; i = (i + 1) % parts) {
      const window = segmentBytes - DMER_BYTES + 1;
      const segment = this.#best(left, i * part, (i + 1) * part, window);
      idle = segment.score === 0 ? idle + 1 : 0;
      if (segment.score === 0) continue;
      this.#take(left, segment);
      const end = Math.min(segment.end + DMER_BYTES - 1, segment.begin + room);
      chosen.push(this.#bytes.subarray(segment.begin, end));
      room -= end - segment.begin;
    }
    return Buffer.concat(chosen.toReversed());
  }

  #best(left: Uint32Array, begin: number, end: number, dmers: number): Segment {
    const [slots, inWindow] = [this.#slots, this.#inWindow];
    const best: Segment = { begin, end: begin, score: 0 };
    let from = begin;
    let score = 0;
    for (let to = begin; to < end; to += 1) {
      const entering = slots[to]!;
      if (inWindow[entering] === 0) score += left[entering]!;
      inWindow[entering]! += 1;
      if (to + 1 - from > dmers) {
        const leaving = slots[from]!;
        inWindow[leaving]! -= 1;
        if (inWindow[leaving] === 0) score -= left[leaving]!;
        from += 1;
      }
      if (score > best.score) Object.assign(best, { begin: from, end: to + 1, score });
    }
    for (let i = from; i < end; i += 1) inWindow[slots[i]!] = 0;
    return best;
  }

  /** Cuts what helps nobody off both ends, and counts the rest as covered. */
  #take(left: Uint32Array, segment: Segment): void {
    while (left[this.#slots[segment.begin]!] === 0) segment.begin += 1;
    while (left[this.#slots[segment.end - 1]!] === 0) segment.end -= 1;
    for (let i = segment.begin; i < segment.end; i += 1) left[this.#slots[i]!] = 0;
  }
}

/** The table slot of the eight bytes at each position. */
function slotsOf(bytes: Buffer): Uint32Array {
  const slots = new Uint32Array(Math.max(0, bytes.length - DMER_BYTES + 1));
  for (let i = 0; i < slots.length; i += 1) {
    const low = Math.imul(bytes.readInt32LE(i), 0x9e3779b1);
    const high = Math.imul(bytes.readInt32LE(i + 4), 0x85ebca77);
    slots[i] = Math.imul(low ^ (high + (low >>> 15)), 0xc2b2ae3d) >>> (32 - HASH_BITS);
  }
  return slots;
}

function recordsOf({ bytes, lengths }: TrainingSet): Buffer[] {
  let at = 0;
  return Array.from(lengths, (length) => bytes.subarray(at, (at += length)));
}

function deflatedBytes(records: readonly Buffer[], content: Buffer | undefined): number {
  const dictionary = content?.subarray(-DEFLATE_DICTIONARY_BYTES);
  const options = dictionary === undefined ? {} : { dictionary };
  return records.reduce((sum, record) => sum + deflateRawSync(record, options).length, 0);
}

/** Content that begins like a trained dictionary would be taken for one. */
const asRaw = (content: Buffer): Buffer => (looksTrained(content) ? content.subarray(1) : content);

/** Trains in steps, one candidate each; options are checked. */
export function* trainPortable(
  samples: readonly Uint8Array[],
  { sizeBytes }: TrainingOptions,
): Generator<void, DictionaryTraining, void> {
  const all = packSamples(samples, BUDGET_BYTES);
  const records = recordsOf(all);
  const isHeldOut = (index: number): boolean => index % HELD_OUT_EVERY === HELD_OUT_EVERY - 1;
  const judged = records.filter((_, index) => isHeldOut(index)).slice(0, MAX_JUDGED);
  const known = packSamples(
    records.filter((_, index) => !isHeldOut(index)),
    BUDGET_BYTES,
  );
  const heldOutPlainBytes = deflatedBytes(judged, undefined);
  yield;
  let [heldOutBytes, bestSegment] = [heldOutPlainBytes, 0];
  const cover = new Cover(known);
  for (const segmentBytes of SEGMENT_BYTES) {
    const content = cover.select(segmentBytes, sizeBytes);
    const size = content.length === 0 ? Infinity : deflatedBytes(judged, content);
    if (size < heldOutBytes) [heldOutBytes, bestSegment] = [size, segmentBytes];
    yield;
  }
  const content = bestSegment === 0 ? undefined : new Cover(all).select(bestSegment, sizeBytes);
  const useful = content !== undefined && content.length > MIN_CONTENT_BYTES;
  return { dictionary: useful ? asRaw(content) : undefined, heldOutBytes, heldOutPlainBytes };
}
