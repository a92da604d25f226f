/** Counters and histograms of replication: per peer, and per namespace over all peers. */
import { Histogram } from '../telemetry/histogram.ts';
import type { HistogramSnapshot } from '../telemetry/histogram.ts';

/** Updates sent or received one way. Wire bytes are of update records, link headers not included. */
export interface UpdateCounters {
  /** Whole values: the first of a key, or one whose base was missing. */
  fullCount: number;
  fullWireBytes: number;
  fullRawBytes: number;
  /** Deltas against a value the receiver held. */
  deltaCount: number;
  deltaWireBytes: number;
  deltaRawBytes: number;
  tombstones: number;
}

/** Counters of one direction, at zero. */
export function noUpdates(): UpdateCounters {
  return {
    fullCount: 0,
    fullWireBytes: 0,
    fullRawBytes: 0,
    deltaCount: 0,
    deltaWireBytes: 0,
    deltaRawBytes: 0,
    tombstones: 0,
  };
}

/** Counts one update. */
export function countUpdate(
  counters: UpdateCounters,
  form: 'full' | 'delta' | 'tombstone',
  wireBytes: number,
  rawBytes: number,
): void {
  if (form === 'tombstone') {
    counters.tombstones++;
    return;
  }
  counters[`${form}Count`]++;
  counters[`${form}WireBytes`] += wireBytes;
  counters[`${form}RawBytes`] += rawBytes;
}

/** What went well and wrong between this node and one peer, over all its links. */
export interface PeerCounters {
  readonly nodeId: string;
  readonly region: string;
  readonly sent: UpdateCounters;
  readonly received: UpdateCounters;
  acked: number;
  /** Updates the peer could not take. */
  nacksReceived: number;
  /** Updates of the peer this node could not take, and of those the ones that did not verify. */
  nacksSent: number;
  damaged: number;
  /** Namespaces refused by either side on the current link. */
  refused: number;
  /** From `put` called here to the peer's durable ack, ms. */
  readonly putToAckMs: Histogram;
  /** From `put` called at this peer to durable and announced here, by the two wall clocks, ms. */
  readonly putToFreshMs: Histogram;
}

/** Counters of a peer, at zero. */
export function newPeerCounters(nodeId: string, region: string): PeerCounters {
  return {
    nodeId,
    region,
    sent: noUpdates(),
    received: noUpdates(),
    acked: 0,
    nacksReceived: 0,
    nacksSent: 0,
    damaged: 0,
    refused: 0,
    putToAckMs: new Histogram(),
    putToFreshMs: new Histogram(),
  };
}

/** {@link PeerCounters} at one moment. */
export interface PeerStats extends Omit<PeerCounters, 'putToAckMs' | 'putToFreshMs'> {
  readonly putToAckMs: HistogramSnapshot;
  readonly putToFreshMs: HistogramSnapshot;
  /** Undefined while no link is up. */
  readonly session:
    { waitingKeys: number; inFlight: number; inFlightBytes: number; synced: boolean } | undefined;
}

/** What one namespace holds and did. */
export interface NamespaceStats {
  readonly policy: string;
  readonly codec: string;
  readonly conflicts: number;
  readonly auditRecords: number;
  /** Sum over replicas of the highest write whose effect is here. */
  readonly writesSeen: number;
  readonly sent: UpdateCounters;
  readonly received: UpdateCounters;
}

/** What `Replicator.stats()` gives. */
export interface ReplicationStats {
  readonly replicaId: string;
  readonly peers: readonly PeerStats[];
  readonly namespaces: Readonly<Record<string, NamespaceStats>>;
  readonly baseCache: { sizeBytes: number; maxBytes: number; entries: number; evictions: number };
  readonly frameCache: { sizeBytes: number; maxBytes: number; encoded: number; reused: number };
  readonly commits: { batches: number; writes: number };
  readonly rebases: { waiting: number; done: number; failed: number };
  readonly decodingBytes: number;
}
