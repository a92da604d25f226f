/** Replicated state: keyspaces over a durable store, kept fresh on every peer. */
export { createReplicator } from './replicator.ts';
export type { KeyspaceOptions, Replicator, ReplicatorOptions } from './replicator.ts';
export { Keyspace } from './keyspace.ts';
export type {
  Audited,
  Change,
  Entry,
  ReadOf,
  Sibling,
  ValueIn,
  ValueOut,
  WriteOptions,
  WriteResult,
} from './keyspace.ts';
export type {
  NamespaceStats,
  PeerStats,
  ReplicationStats,
  UpdateCounters,
} from './replication-stats.ts';
export { canonicalJson } from './value-codec.ts';
export type { JsonValue, ValueCodecName } from './value-codec.ts';
