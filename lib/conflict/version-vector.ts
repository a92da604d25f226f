/**
 * Interval version vector: which dots of a namespace (or partition) are here. A run from 1 per
 * replica plus islands beyond it, since updates overtake each other on different links. The caller
 * adds a dot only once its effect is durable, and stores the vector in the same batch.
 */
import { invalidArg } from '../errors.ts';
import { conflictCodecLimits, decodeDots, encodeDots } from './codec.ts';
import type { ConflictCodecLimits } from './codec.ts';
import {
  containsDot,
  coversDots,
  equalDots,
  insertRange,
  noDots,
  subtractRanges,
} from './dot-ranges.ts';
import { isReplicaId } from './wire.ts';
import type { Dot, DotRanges, ReplicaId, SeqRange } from './types.ts';

/** A run of dots of one replica. */
export interface DotRun {
  readonly replica: ReplicaId;
  readonly first: number;
  readonly last: number;
}

/**
 * A growing set of dots.
 * @example
 * const mine = new VersionVector();
 * mine.add({ replica: 'a1b2c3d4e5f60718', seq: 1 });
 * const peer = VersionVector.decode(bytes);
 * for (const { replica, first, last } of mine.missing(peer)) ask(replica, first, last);
 */
export class VersionVector {
  readonly #ranges: Map<ReplicaId, SeqRange[]>;

  /** A vector holding the given dots; they are copied. */
  constructor(dots: DotRanges = noDots) {
    this.#ranges = new Map();
    for (const [replica, ranges] of dots) this.#ranges.set(replica, [...ranges]);
  }

  /**
   * Reads what `encode` wrote. The bytes are not kept.
   * @throws ERR_DWCP_FRAME_VERSION, ERR_DWCP_FRAME_CORRUPT, ERR_DWCP_LIMIT.
   */
  static decode(
    bytes: Uint8Array,
    limits: ConflictCodecLimits = conflictCodecLimits,
  ): VersionVector {
    return new VersionVector(decodeDots(bytes, limits));
  }

  /** Canonical bytes, owned by the caller; equal vectors have equal bytes. */
  encode(): Uint8Array {
    return encodeDots(this.#ranges);
  }

  /** The dots as data; a live view. */
  get dots(): DotRanges {
    return this.#ranges;
  }

  /** Adds a dot; false when it was there. @throws ERR_DWCP_INVALID_ARG. */
  add(dot: Dot): boolean {
    return this.addRun({ replica: dot.replica, first: dot.seq, last: dot.seq });
  }

  /** Adds a run of dots; false when all were there. @throws ERR_DWCP_INVALID_ARG. */
  addRun({ replica, first, last }: DotRun): boolean {
    if (!isReplicaId(replica)) invalidArg('replica', '16 hex digits', replica);
    if (!Number.isSafeInteger(first) || first < 1) invalidArg('first', 'an integer >= 1', first);
    if (!Number.isSafeInteger(last) || last < first)
      invalidArg('last', 'an integer >= first', last);
    const ranges = this.#ranges.get(replica);
    if (ranges !== undefined) return insertRange(ranges, first, last);
    this.#ranges.set(replica, [[first, last]]);
    return true;
  }

  /** True when the dot is here. */
  contains(dot: Dot): boolean {
    return containsDot(this.#ranges, dot);
  }

  /** Adds all of `other`. */
  merge(other: VersionVector): this {
    for (const [replica, ranges] of other.dots) {
      for (const [first, last] of ranges) this.addRun({ replica, first, last });
    }
    return this;
  }

  /** True when everything in `other` is here. */
  covers(other: VersionVector): boolean {
    return coversDots(this.#ranges, other.dots);
  }

  /** True when both hold the same dots. */
  equals(other: VersionVector): boolean {
    return equalDots(this.#ranges, other.dots);
  }

  /** What `other` has and this has not, ascending by replica and sequence. */
  missing(other: VersionVector): DotRun[] {
    const runs: DotRun[] = [];
    for (const replica of [...other.dots.keys()].toSorted()) {
      const theirs = other.dots.get(replica) ?? [];
      const gaps = subtractRanges(theirs, this.#ranges.get(replica) ?? []);
      for (const [first, last] of gaps) runs.push({ replica, first, last });
    }
    return runs;
  }

  /** End of the unbroken run from 1 of a replica; 0 when its first dot is not here. */
  base(replica: ReplicaId): number {
    const first = this.#ranges.get(replica)?.[0];
    return first?.[0] === 1 ? first[1] : 0;
  }

  /** Highest sequence number of a replica here; 0 when none is. */
  max(replica: ReplicaId): number {
    return this.#ranges.get(replica)?.at(-1)?.[1] ?? 0;
  }

  /** An independent copy. */
  clone(): VersionVector {
    return new VersionVector(this.#ranges);
  }
}
