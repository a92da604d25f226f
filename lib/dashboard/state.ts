/**
 * What the page shows, as plain data. The server sends one `PageState` per change as a server-sent
 * event; whoever feeds the page (the demo, or a running node) fills in what it knows and leaves the
 * rest empty. Times are ms since `startedAtMs`; sizes are bytes.
 */

/** Life of a node as the page draws it. */
type PageNodeState = 'starting' | 'alive' | 'suspect' | 'frozen' | 'dead';

/** One node on the map. */
export interface PageNode {
  readonly id: string;
  readonly region: string;
  readonly state: PageNodeState;
  /** A word under the name: "writes", "calls", "this node". */
  readonly role?: string | undefined;
}

/** One link between two nodes. */
export interface PageLink {
  readonly a: string;
  readonly b: string;
  /** Measured round trip, ms. */
  readonly rttMs?: number | undefined;
  /** Bytes moved both ways since the start. */
  readonly bytes: number;
  /** False when the link is down. */
  readonly up: boolean;
  /** True when a partition holds the link. */
  readonly cut: boolean;
}

/** Bytes of one workload: what was written against what the wire carried. */
export interface PageBytes {
  readonly title: string;
  /** Plain note under the figures: what is counted. */
  readonly note: string;
  readonly rows: readonly PageBytesRow[];
  /** Wire bytes of each version in turn. */
  readonly steps?: readonly { readonly label: string; readonly bytes: number }[] | undefined;
  readonly headline?: { readonly value: string; readonly text: string } | undefined;
}

/** One bar. */
interface PageBytesRow {
  readonly label: string;
  readonly bytes: number;
  /** The bar that is ours. */
  readonly ours?: boolean | undefined;
}

/** Time-to-fresh of one region. */
export interface PageFreshness {
  readonly region: string;
  /** Configured or measured round trip from the writer, ms. */
  readonly rttMs?: number | undefined;
  /** Latest samples, ms; at most 128. Empty when only quantiles are known. */
  readonly samplesMs: readonly number[];
  readonly count: number;
  readonly p50Ms?: number | undefined;
  readonly p99Ms?: number | undefined;
}

/** One bucket of calls: end of the bucket, calls done, calls failed, p50 and worst, ms. */
export type PageCallBucket = readonly [
  tMs: number,
  calls: number,
  failed: number,
  p50Ms: number,
  maxMs: number,
];

/** A moment worth a line in the call chart. */
export interface PageMark {
  readonly tMs: number;
  readonly text: string;
  readonly kind: 'fault' | 'heal' | 'note';
}

/** Latency of calls over time. */
interface PageCalls {
  readonly buckets: readonly PageCallBucket[];
  readonly marks: readonly PageMark[];
  /** Latency the demo promises to stay under, ms. */
  readonly barMs?: number | undefined;
  readonly total: number;
  readonly failed: number;
}

/** One decided or open conflict. */
export interface PageConflict {
  readonly key: string;
  readonly policy: string;
  /** What a reader sees. */
  readonly visible: readonly PageConflictValue[];
  /** What lost, kept in the audit record. */
  readonly audited: readonly PageConflictValue[];
}

/** A value in a conflict and where it was written. */
interface PageConflictValue {
  readonly text: string;
  readonly region: string;
}

/** A line of the log. */
export interface PageEvent {
  readonly tMs: number;
  readonly kind: 'info' | 'good' | 'warn' | 'bad';
  readonly text: string;
}

/** One act of the demo. */
export interface PageAct {
  readonly id: string;
  readonly title: string;
  readonly state: 'waiting' | 'running' | 'passed' | 'failed' | 'not built';
  readonly headline: string;
}

/** What a button may ask for. */
export type PageAction = 'kill' | 'freeze' | 'partition' | 'heal';

/** The whole page. */
export interface PageState {
  readonly title: string;
  readonly tier: { readonly name: string; readonly reason: string };
  /** Now, ms since the start. */
  readonly nowMs: number;
  readonly nodes: readonly PageNode[];
  readonly links: readonly PageLink[];
  readonly bytes: PageBytes | undefined;
  readonly freshness: readonly PageFreshness[];
  readonly calls: PageCalls | undefined;
  readonly conflicts: readonly PageConflict[];
  readonly events: readonly PageEvent[];
  readonly acts: readonly PageAct[];
  /** What the buttons can do here; a reason when they cannot. */
  readonly controls: { readonly enabled: boolean; readonly reason: string };
}

/** Where the page gets its state and sends its buttons. */
export interface PageSource {
  state(): PageState;
  /** The full machine-readable status behind `/status.json`. */
  status(): unknown;
  /** Carries out a button; absent when this server has none. Rejects with a reason for the person. */
  act?(action: PageAction, target: string): Promise<string>;
}
