/**
 * The canonical bytes of versions and sibling sets, as stored and as sent. Equal state has equal
 * bytes on every tier; a decoder accepts nothing but what the encoder writes, within limits, or
 * throws.
 *
 *   set      = version-byte 1, count, count * version        greatest first, none has seen another
 *   version  = flags, replica[8], seq, wallMs, counter, region, others, others * entry
 *   entry    = replica[8], ranges, ranges * (skip, length - 1)     ids ascending
 *
 * Flag 1: tombstone. Flag 2: the writer had seen all its own earlier writes (1 .. seq - 1), which
 * is the common case and then costs no entry. All integers are varints.
 */
import { DwcpError, invalidArg } from '../errors.ts';
import { containsDot } from './dot-ranges.ts';
import { compareVersions, isHlc, maxCounter, maxWallMs } from './hlc.ts';
import { ByteReader, ByteWriter, corrupt, isEncodableText, isReplicaId } from './wire.ts';
import type { SiblingSet } from './siblings.ts';
import type { Dot, DotRanges, ReplicaId, SeqRange, Version } from './types.ts';

/** Bounds of the decoders. */
export interface ConflictCodecLimits {
  /** Versions in one set. */
  readonly maxVersions: number;
  /** Replicas in one context or version vector. */
  readonly maxReplicas: number;
  /** Ranges of one replica. */
  readonly maxRanges: number;
  /** UTF-8 bytes of a region name. */
  readonly maxRegionBytes: number;
}

/** Default bounds. */
export const conflictCodecLimits: ConflictCodecLimits = {
  maxVersions: 1024,
  maxReplicas: 4096,
  maxRanges: 65_536,
  maxRegionBytes: 64,
};

const formatVersion = 1;
const flagDeleted = 1;
const flagOwnSeen = 2;
const maxSeq = Number.MAX_SAFE_INTEGER;
const minVersionBytes = 14;

/**
 * Bytes of one version, owned by the caller.
 * @throws ERR_DWCP_INVALID_ARG for fields out of range
 * @example const bytes = encodeVersion(version);
 */
export function encodeVersion(version: Version): Uint8Array {
  const writer = new ByteWriter().u8(formatVersion);
  writeVersion(writer, version);
  return writer.finish();
}

/**
 * The version in `bytes`, which are read only during the call.
 * @throws ERR_DWCP_FRAME_VERSION for another format, ERR_DWCP_LIMIT past a bound,
 * ERR_DWCP_FRAME_CORRUPT for anything the encoder would not write.
 * @example const { dot, hlc } = decodeVersion(bytes);
 */
export function decodeVersion(
  bytes: Uint8Array,
  limits: ConflictCodecLimits = conflictCodecLimits,
): Version {
  const reader = openReader(bytes, 'version');
  const version = readVersion(reader, limits);
  reader.end();
  return version;
}

/**
 * Bytes of a sibling set, owned by the caller.
 * @throws ERR_DWCP_LIMIT above `maxVersions`, ERR_DWCP_INVALID_ARG for fields out of range
 * @example const bytes = encodeSiblings(set);
 */
export function encodeSiblings(
  set: SiblingSet,
  limits: ConflictCodecLimits = conflictCodecLimits,
): Uint8Array {
  if (set.length > limits.maxVersions) {
    throw new DwcpError('ERR_DWCP_LIMIT', `${set.length} versions of one key`, {
      detail: { limit: 'maxVersions', max: limits.maxVersions },
    });
  }
  const writer = new ByteWriter().u8(formatVersion).varint(set.length);
  for (const version of set) writeVersion(writer, version);
  return writer.finish();
}

/**
 * The sibling set in `bytes`, which are read only during the call.
 * @throws as {@link decodeVersion}
 * @example const set = decodeSiblings(bytes);
 */
export function decodeSiblings(
  bytes: Uint8Array,
  limits: ConflictCodecLimits = conflictCodecLimits,
): SiblingSet {
  const reader = openReader(bytes, 'sibling set');
  const count = reader.count(limits.maxVersions, minVersionBytes, 'maxVersions');
  const set: Version[] = [];
  for (let i = 0; i < count; i += 1) {
    const version = readVersion(reader, limits);
    const previous = set.at(-1);
    if (previous !== undefined && compareVersions(previous, version) <= 0) {
      corrupt('sibling set', 'versions are not in order');
    }
    for (const other of set) {
      const { replica, seq } = other.dot;
      if (replica === version.dot.replica && seq === version.dot.seq) {
        corrupt('sibling set', 'a dot is named twice');
      }
      if (containsDot(other.context, version.dot) || containsDot(version.context, other.dot)) {
        corrupt('sibling set', 'a version has seen another');
      }
    }
    set.push(version);
  }
  reader.end();
  return set;
}

/**
 * Bytes of a set of dots, owned by the caller: a context token, or a version vector.
 * @throws ERR_DWCP_INVALID_ARG for dots out of range
 * @example const token = encodeDots(contextOf(set));
 */
export function encodeDots(dots: DotRanges): Uint8Array {
  const writer = new ByteWriter().u8(formatVersion);
  writeDots(writer, [...dots]);
  return writer.finish();
}

/**
 * The set of dots in `bytes`, which are read only during the call.
 * @throws as {@link decodeVersion}
 * @example const context = decodeDots(token);
 */
export function decodeDots(
  bytes: Uint8Array,
  limits: ConflictCodecLimits = conflictCodecLimits,
): Map<ReplicaId, SeqRange[]> {
  const reader = openReader(bytes, 'dots');
  const dots = readDots(reader, limits, 'dots');
  reader.end();
  return dots;
}

function openReader(bytes: Uint8Array, what: string): ByteReader {
  const reader = new ByteReader(bytes, what);
  const format = reader.u8();
  if (format === formatVersion) return reader;
  throw new DwcpError(
    'ERR_DWCP_FRAME_VERSION',
    `${what} has format ${format}, not ${formatVersion}`,
  );
}

function writeVersion(writer: ByteWriter, version: Version): void {
  const { dot, hlc, context, deleted, region } = version;
  if (!isReplicaId(dot.replica)) invalidArg('dot.replica', '16 hex digits', dot.replica);
  if (!Number.isSafeInteger(dot.seq) || dot.seq < 1) invalidArg('dot.seq', '>= 1', dot.seq);
  if (!isHlc(hlc)) invalidArg('hlc', 'a stamp in range', hlc);
  if (!isEncodableText(region, conflictCodecLimits.maxRegionBytes)) {
    invalidArg('region', 'at most 64 bytes of well-formed text', region);
  }
  const own = ownSeen(dot, context.get(dot.replica));
  writer.u8((deleted ? flagDeleted : 0) | (own ? flagOwnSeen : 0));
  writer.replica(dot.replica).varint(dot.seq).varint(hlc.wallMs).varint(hlc.counter).text(region);
  writeDots(writer, own ? [...context].filter(([id]) => id !== dot.replica) : [...context]);
}

function readVersion(reader: ByteReader, limits: ConflictCodecLimits): Version {
  const what = 'version';
  const flags = reader.u8();
  if (flags > (flagDeleted | flagOwnSeen)) corrupt(what, 'reserved flags are set');
  const dot = { replica: reader.replica(), seq: reader.varint(maxSeq, 'seq') };
  if (dot.seq < 1) corrupt(what, 'seq is 0');
  const hlc = {
    wallMs: reader.varint(maxWallMs, 'wallMs'),
    counter: reader.varint(maxCounter, 'counter'),
  };
  const region = reader.text(limits.maxRegionBytes, 'maxRegionBytes');
  const context = readDots(reader, limits, what);
  const own = context.get(dot.replica);
  const last = own?.at(-1)?.[1] ?? 0;
  if ((flags & flagOwnSeen) !== 0) {
    if (own !== undefined) corrupt(what, 'own writes are listed twice');
    if (dot.seq > 1) context.set(dot.replica, [[1, dot.seq - 1]]);
  } else if (last >= dot.seq || ownSeen(dot, own)) {
    corrupt(what, 'own writes are not in canonical form');
  }
  return { dot, hlc, context, deleted: (flags & flagDeleted) !== 0, region };
}

/** True when the context holds exactly 1 .. seq - 1 of the writer's own dots. */
function ownSeen(dot: Dot, own: readonly SeqRange[] | undefined): boolean {
  if (own === undefined) return dot.seq === 1;
  return own.length === 1 && own[0]![0] === 1 && own[0]![1] === dot.seq - 1;
}

function writeDots(writer: ByteWriter, entries: [ReplicaId, readonly SeqRange[]][]): void {
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  writer.varint(entries.length);
  for (const [replica, ranges] of entries) {
    if (!isReplicaId(replica)) invalidArg('replica', '16 hex digits', replica);
    writer.replica(replica).varint(ranges.length);
    let next = 1;
    for (const [first, last] of ranges) {
      writer.varint(first - next).varint(last - first);
      next = last + 2;
    }
  }
}

function readDots(
  reader: ByteReader,
  limits: ConflictCodecLimits,
  what: string,
): Map<ReplicaId, SeqRange[]> {
  const dots = new Map<ReplicaId, SeqRange[]>();
  const count = reader.count(limits.maxReplicas, 11, 'maxReplicas');
  let previous = '';
  for (let i = 0; i < count; i += 1) {
    const replica = reader.replica();
    if (replica <= previous) corrupt(what, 'replicas are not in order');
    previous = replica;
    dots.set(replica, readRanges(reader, limits, what));
  }
  return dots;
}

function readRanges(reader: ByteReader, limits: ConflictCodecLimits, what: string): SeqRange[] {
  const count = reader.count(limits.maxRanges, 2, 'maxRanges');
  if (count === 0) corrupt(what, 'a replica has no ranges');
  const ranges: SeqRange[] = [];
  let next = 1;
  for (let i = 0; i < count; i += 1) {
    const first = next + reader.varint(maxSeq, 'range');
    const last = first + reader.varint(maxSeq, 'range');
    if (last > maxSeq) corrupt(what, 'a range ends above 2^53 - 1');
    ranges.push([first, last]);
    next = last + 2;
  }
  return ranges;
}
