/**
 * The versions of one key as a dotted version vector set (Preguiça et al., 2010; Almeida et al.,
 * 2014): the maximal versions under "had seen". Invariants: no member has seen another; greatest
 * version first (`compareVersions`), so equal state is equal bytes; contexts are transitive, i.e.
 * whoever has seen a version has seen all it had seen. Merging is commutative, associative and
 * idempotent in any order of delivery, also when the versions of one key arrive with gaps. Nothing
 * acknowledged leaves the set unless a version that had seen it is in it.
 */
import { DwcpError, invalidArg } from '../errors.ts';
import { defaultLimits } from '../limits.ts';
import { containsDot, DotRangesBuilder, equalDots } from './dot-ranges.ts';
import { compareHlc, compareVersions, isHlc } from './hlc.ts';
import { isReplicaId } from './wire.ts';
import type { CausalContext, Dot, Hlc, MergeOutcome, Version } from './types.ts';

/** The concurrent versions of one key, greatest first; empty when the key was never written. */
export type SiblingSet = readonly Version[];

/** The set of a key that was never written. */
export const noSiblings: SiblingSet = [];

/** A write about to become a version. */
export interface Write {
  readonly dot: Dot;
  readonly hlc: Hlc;
  /** What the writer had seen: `contextOf` the set it read. Default: everything in the set. */
  readonly context?: CausalContext | undefined;
  readonly deleted?: boolean | undefined;
  readonly region: string;
  /** Most concurrent versions a write may leave. Default 32. */
  readonly maxSiblings?: number | undefined;
}

/** The set after a write. */
export interface WriteResult {
  readonly set: SiblingSet;
  readonly version: Version;
  /** Versions the write replaced. */
  readonly dropped: readonly Version[];
}

/** The set after a merge. */
export interface MergeResult {
  readonly set: SiblingSet;
  readonly outcome: MergeOutcome;
  /** Versions the incoming one replaced. */
  readonly dropped: readonly Version[];
}

/**
 * Everything the holder of this set has seen of the key: the context for a write based on it.
 * @example write(set, { dot, hlc, region: 'eu', context: contextOf(set) })
 */
export function contextOf(set: SiblingSet): CausalContext {
  const seen = new DotRangesBuilder();
  for (const { dot, context } of set) {
    seen.addDots(context).addRange(dot.replica, dot.seq, dot.seq);
  }
  return seen.dots;
}

/**
 * True when the writer of `later` had seen `earlier`.
 * @example hadSeen(b, a) || hadSeen(a, b) // false: they are concurrent
 */
export function hadSeen(later: Version, earlier: Version): boolean {
  return containsDot(later.context, earlier.dot);
}

/**
 * Makes a version of a local write and applies it. A write whose context leaves more than
 * `maxSiblings` versions standing is refused, and nothing changes: read, merge and write again with
 * the fresh context.
 * @throws ERR_DWCP_INVALID_ARG when the dot is not the newest of its replica, the context claims
 *   the write itself, or `hlc` is not later than the versions replaced.
 * @throws ERR_DWCP_LIMIT when too many siblings would stand.
 * @example
 * const { set, version } = write(noSiblings, { dot: { replica, seq: 1 }, hlc, region: 'eu' });
 */
export function write(set: SiblingSet, input: Write): WriteResult {
  const {
    dot,
    hlc,
    region,
    deleted = false,
    maxSiblings = defaultLimits.state.maxSiblings,
  } = input;
  if (!isReplicaId(dot.replica)) invalidArg('dot.replica', '16 hex digits', dot.replica);
  if (!Number.isSafeInteger(dot.seq) || dot.seq < 1) invalidArg('dot.seq', '>= 1', dot.seq);
  if (!isHlc(hlc)) invalidArg('hlc', 'a stamp in range', hlc);
  const version: Version = {
    dot,
    hlc,
    context: contextFor(set, dot, input.context),
    deleted,
    region,
  };
  const { dropped, rest } = split(set, version);
  if (dropped.some((old) => compareHlc(old.hlc, hlc) >= 0)) {
    invalidArg('hlc', 'later than every version the write replaces', hlc.wallMs);
  }
  if (rest.length >= maxSiblings) {
    throw new DwcpError('ERR_DWCP_LIMIT', `the key has ${rest.length} unseen concurrent versions`, {
      detail: { limit: 'maxSiblings', max: maxSiblings },
    });
  }
  return { set: insert(rest, version), version, dropped };
}

/**
 * Applies a version written anywhere. Never refuses for the number of siblings: what another
 * replica acknowledged is kept (each replica bounds its own writes; the codec bounds the set as a
 * whole). Returns a new set; `set` is not changed.
 * @throws ERR_DWCP_PROTOCOL when the set holds other content under the same dot: a replica id was
 * used twice. The set is unchanged.
 * @example const { set, outcome, dropped } = merge(siblings, received);
 */
export function merge(set: SiblingSet, version: Version): MergeResult {
  for (const member of set) {
    if (sameDot(member.dot, version.dot)) {
      if (!sameVersion(member, version)) throw dotReused(version);
      return { set, outcome: 'known', dropped: [] };
    }
    if (hadSeen(member, version)) return { set, outcome: 'known', dropped: [] };
  }
  const { dropped, rest } = split(set, version);
  const outcome = rest.length === 0 ? 'dominates' : 'concurrent';
  return { set: insert(rest, version), outcome, dropped };
}

/**
 * Both sets merged; the order does not matter.
 * @throws as {@link merge}
 * @example const healed = mergeSets(here, there);
 */
export function mergeSets(a: SiblingSet, b: SiblingSet): SiblingSet {
  return b.reduce((set, version) => merge(set, version).set, a);
}

/**
 * The chosen context plus the gap since the replica's last own write of this key. All dots in that
 * gap belong to other keys, so claiming them is true, keeps contexts in one range, and stays
 * transitive.
 */
function contextFor(set: SiblingSet, dot: Dot, chosen: CausalContext | undefined): CausalContext {
  const seen = contextOf(set);
  const newestOwn = seen.get(dot.replica)?.at(-1)?.[1] ?? 0;
  const newestClaimed = chosen?.get(dot.replica)?.at(-1)?.[1] ?? 0;
  if (dot.seq <= newestOwn)
    invalidArg('dot.seq', `above ${newestOwn}, the last of its replica`, dot.seq);
  if (dot.seq <= newestClaimed) invalidArg('context', 'older than the write itself', newestClaimed);
  const context = new DotRangesBuilder().addDots(chosen ?? seen);
  context.addRange(dot.replica, newestOwn + 1, dot.seq - 1);
  return context.dots;
}

function split(set: SiblingSet, version: Version): { dropped: Version[]; rest: Version[] } {
  const dropped: Version[] = [];
  const rest: Version[] = [];
  for (const member of set) (hadSeen(version, member) ? dropped : rest).push(member);
  return { dropped, rest };
}

function insert(rest: readonly Version[], version: Version): SiblingSet {
  const at = rest.findIndex((member) => compareVersions(member, version) < 0);
  return rest.toSpliced(at < 0 ? rest.length : at, 0, version);
}

function sameDot(a: Dot, b: Dot): boolean {
  return a.seq === b.seq && a.replica === b.replica;
}

function sameVersion(a: Version, b: Version): boolean {
  return (
    compareHlc(a.hlc, b.hlc) === 0 &&
    a.deleted === b.deleted &&
    a.region === b.region &&
    equalDots(a.context, b.context)
  );
}

function dotReused({ dot }: Version): DwcpError {
  return new DwcpError(
    'ERR_DWCP_PROTOCOL',
    `two different versions are named ${dot.replica}:${dot.seq}; a replica id was used twice`,
    { detail: { replica: dot.replica, seq: dot.seq } },
  );
}
