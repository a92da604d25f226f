/**
 * What the demo says to its child processes and hears from them, over node's IPC channel. Times are
 * milliseconds of the machine's monotonic clock, which all processes share, so they can be compared.
 */
import type { Dot } from '../../conflict/types.ts';
import type { PeerStatus } from '../../node/index.ts';
import type { Address } from '../../transport/frame-pipe.ts';

/** What a child is told when it starts. */
export interface MemberConfig {
  readonly nodeId: string;
  readonly region: string;
  readonly listen: Address;
  readonly seeds: readonly Address[];
  readonly storagePath: string;
  /** Nodes this one must neither hear nor reach, from the start. */
  readonly cutFrom: readonly CutEnd[];
}

/** A node behind a cut, by name for live links and by address for dials. */
export interface CutEnd {
  readonly nodeId: string;
  readonly address: Address | undefined;
}

/** Keyspaces of the demo. */
export const keyspaces = {
  assets: { policy: 'lww', codec: 'bytes' },
  prices: { policy: 'lww', codec: 'json' },
  carts: { policy: 'siblings', codec: 'json' },
} as const;
export type KeyspaceName = keyof typeof keyspaces;

/** One visible value of a key. */
export interface SeenValue {
  readonly value: unknown;
  readonly region: string;
}

/** What a node shows for a key: the values a reader sees and the losers its audit kept. */
export interface SeenKey {
  readonly visible: readonly SeenValue[];
  readonly audited: readonly SeenValue[];
}

/** Requests and their answers. */
export interface Requests {
  start: { readonly args: MemberConfig; readonly answer: { readonly address: Address } };
  /** Puts a file's bytes; answers when put() was called and when it resolved. */
  putFile: {
    readonly args: { readonly key: string; readonly path: string };
    readonly answer: {
      readonly calledMs: number;
      readonly durableMs: number;
      readonly dot: string;
    };
  };
  put: {
    readonly args: {
      readonly keyspace: KeyspaceName;
      readonly key: string;
      readonly value: unknown;
    };
    readonly answer: { readonly durableMs: number };
  };
  look: {
    readonly args: { readonly keyspace: KeyspaceName; readonly key: string };
    readonly answer: SeenKey;
  };
  /** SHA-256 of a stored value, hex; undefined when it is not there. */
  digest: { readonly args: { readonly key: string }; readonly answer: string | undefined };
  /** Values of many keys at once. */
  readMany: {
    readonly args: { readonly keyspace: KeyspaceName; readonly keys: readonly string[] };
    readonly answer: readonly unknown[];
  };
  /** CPU time this process has used, ms. */
  cpu: { readonly args: undefined; readonly answer: number };
  /** What the node sees of its peers; small, because it is asked often. */
  peers: { readonly args: undefined; readonly answer: readonly PeerStatus[] };
  /** Cuts (or joins again) both directions to some nodes, from this side. */
  cut: { readonly args: { readonly from: readonly CutEnd[] }; readonly answer: undefined };
  startCalls: { readonly args: { readonly perSecond: number }; readonly answer: undefined };
  /** Stops the load and waits for the calls under way. */
  stopCalls: { readonly args: undefined; readonly answer: undefined };
}
export type RequestName = keyof Requests;

/** Parent to child. */
export interface RequestMessage {
  readonly id: number;
  readonly op: RequestName;
  readonly args: unknown;
}

/** One finished call of the load: when it was due, how long it took from then, and who served it. */
export interface CallRecord {
  readonly dueMs: number;
  readonly tookMs: number;
  readonly by: string | undefined;
  readonly error: string | undefined;
}

/** Child to parent: answers, and news nobody asked for. */
export type MemberMessage =
  | { readonly type: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly type: 'refusal'; readonly id: number; readonly reason: string }
  | {
      readonly type: 'fresh';
      readonly key: string;
      readonly atMs: number;
      /** Name of the version. */
      readonly dot: string;
    }
  | { readonly type: 'calls'; readonly records: readonly CallRecord[] };

/** A version's name as text. */
export function dotText(dot: Dot): string {
  return `${dot.replica}:${dot.seq}`;
}

/** The machine's monotonic clock, ms. */
export function machineMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
