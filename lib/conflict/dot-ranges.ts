/**
 * Sets of dots as ascending ranges per replica: the one representation behind version vectors and
 * per-key contexts. Range lists neither overlap nor touch, so equal sets have equal lists.
 */
import type { Dot, DotRanges, ReplicaId, SeqRange } from './types.ts';

/** The set without any dot. */
export const noDots: DotRanges = new Map();

const noRanges: readonly SeqRange[] = [];

/** Index of the first range that ends at `seq` or later. */
function lowerIndex(ranges: readonly SeqRange[], seq: number): number {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ranges[middle]![1] < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** True when `seq` lies in one of the ranges. */
function containsSeq(ranges: readonly SeqRange[], seq: number): boolean {
  const at = ranges[lowerIndex(ranges, seq)];
  return at !== undefined && at[0] <= seq;
}

/**
 * True when the set holds the dot.
 * @example containsDot(contextOf(set), version.dot)
 */
export function containsDot(dots: DotRanges, dot: Dot): boolean {
  return containsSeq(dots.get(dot.replica) ?? noRanges, dot.seq);
}

/** Adds `first..last` in place, joining ranges it touches; false when all of it was there. */
export function insertRange(ranges: SeqRange[], first: number, last: number): boolean {
  const from = lowerIndex(ranges, first - 1);
  const here = ranges[from];
  if (here !== undefined && here[0] <= first && last <= here[1]) return false;
  let until = from;
  let [joinedFirst, joinedLast] = [first, last];
  while (until < ranges.length && ranges[until]![0] <= last + 1) {
    joinedFirst = Math.min(joinedFirst, ranges[until]![0]);
    joinedLast = Math.max(joinedLast, ranges[until]![1]);
    until += 1;
  }
  ranges.splice(from, until - from, [joinedFirst, joinedLast]);
  return true;
}

/** True when every dot of `inner` is in `outer`. */
function coversRanges(outer: readonly SeqRange[], inner: readonly SeqRange[]): boolean {
  return inner.every(([first, last]) => {
    const at = outer[lowerIndex(outer, first)];
    return at !== undefined && at[0] <= first && last <= at[1];
  });
}

/** What is in `from` and not in `without`. */
export function subtractRanges(
  from: readonly SeqRange[],
  without: readonly SeqRange[],
): SeqRange[] {
  const rest: SeqRange[] = [];
  for (const [first, last] of from) {
    let next = first;
    for (let i = lowerIndex(without, first); i < without.length && next <= last; i += 1) {
      const [holeFirst, holeLast] = without[i]!;
      if (holeFirst > last) break;
      if (holeFirst > next) rest.push([next, holeFirst - 1]);
      next = Math.max(next, holeLast + 1);
    }
    if (next <= last) rest.push([next, last]);
  }
  return rest;
}

/** True when every dot of `inner` is in `outer`. */
export function coversDots(outer: DotRanges, inner: DotRanges): boolean {
  for (const [replica, ranges] of inner) {
    if (!coversRanges(outer.get(replica) ?? noRanges, ranges)) return false;
  }
  return true;
}

/** True when both hold the same dots. */
export function equalDots(a: DotRanges, b: DotRanges): boolean {
  return a.size === b.size && coversDots(a, b) && coversDots(b, a);
}

/**
 * A set of dots under construction; `dots` may be read at any time and must not be kept while
 * adding.
 */
export class DotRangesBuilder {
  readonly #ranges = new Map<ReplicaId, SeqRange[]>();

  get dots(): DotRanges {
    return this.#ranges;
  }

  /** Adds `first..last` of a replica; an empty range (`last < first`) adds nothing. */
  addRange(replica: ReplicaId, first: number, last: number): boolean {
    if (last < first) return false;
    const ranges = this.#ranges.get(replica);
    if (ranges !== undefined) return insertRange(ranges, first, last);
    this.#ranges.set(replica, [[first, last]]);
    return true;
  }

  addDots(dots: DotRanges): this {
    for (const [replica, ranges] of dots) {
      for (const [first, last] of ranges) this.addRange(replica, first, last);
    }
    return this;
  }
}
