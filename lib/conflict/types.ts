/**
 * The words of conflict resolution: dots, clocks, versions, sibling sets, audit records. Pure data.
 */

/** A replica: 64 random bits as 16 hex digits, minted with the store. */
export type ReplicaId = string;

/** One write, named for ever: the n-th of a replica in a namespace; n counts from 1. */
export interface Dot {
  readonly replica: ReplicaId;
  readonly seq: number;
}

/** Hybrid logical clock stamp (Kulkarni et al., 2014): wall ms and a counter. */
export interface Hlc {
  readonly wallMs: number;
  readonly counter: number;
}

/** An inclusive run of sequence numbers. */
export type SeqRange = readonly [first: number, last: number];

/**
 * A set of dots: per replica, ascending ranges that neither overlap nor touch. Empty lists are
 * absent.
 */
export type DotRanges = ReadonlyMap<ReplicaId, readonly SeqRange[]>;

/**
 * What a writer had seen of ONE key. Ranges and not a maximum, because a replica may hold two
 * concurrent writes of its own: having seen its fifth does not mean having seen its third.
 */
export type CausalContext = DotRanges;

/** One version of a key. Its content never changes. */
export interface Version {
  readonly dot: Dot;
  readonly hlc: Hlc;
  /** What the writer had seen of this key; always excludes `dot` itself. */
  readonly context: CausalContext;
  /** A tombstone. */
  readonly deleted: boolean;
  /** Region of the writer, for people. */
  readonly region: string;
}

/** How the visible value follows from the sibling set. */
export type PolicyName = 'lww' | 'siblings';

/** What happened to a version that was merged into a sibling set. */
export type MergeOutcome =
  /** It was here, or something here had already seen it. */
  | 'known'
  /** It replaced all it had seen and nothing else remains. */
  | 'dominates'
  /** It stands beside others. */
  | 'concurrent';

/** One concurrent pair that a policy decided, kept so that nothing is discarded in silence. */
export interface AuditRecord {
  readonly namespace: string;
  readonly key: string;
  readonly policy: PolicyName;
  readonly winner: Version;
  readonly loser: Version;
  /** Wall time of the decision here, ms since the epoch. */
  readonly atMs: number;
}
