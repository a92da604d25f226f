/**
 * `dwcp/conflict`: versions, clocks and merging, usable without a node or a network. Pure: time and
 * bytes come in as arguments.
 */
export type {
  AuditRecord,
  CausalContext,
  Dot,
  DotRanges,
  Hlc,
  MergeOutcome,
  PolicyName,
  ReplicaId,
  SeqRange,
  Version,
} from './types.ts';
export { compareHlc, compareVersions, HybridClock } from './hlc.ts';
export type { HybridClockOptions } from './hlc.ts';
export { containsDot } from './dot-ranges.ts';
export { VersionVector } from './version-vector.ts';
export type { DotRun } from './version-vector.ts';
export { contextOf, hadSeen, merge, mergeSets, noSiblings, write } from './siblings.ts';
export type { MergeResult, SiblingSet, Write, WriteResult } from './siblings.ts';
export { audit, policyFingerprint, policyNames, visible } from './policy.ts';
export type { AuditInput, Visible } from './policy.ts';
export {
  conflictCodecLimits,
  decodeDots,
  decodeSiblings,
  decodeVersion,
  encodeDots,
  encodeSiblings,
  encodeVersion,
} from './codec.ts';
export type { ConflictCodecLimits } from './codec.ts';
