/**
 * What two replicators say on a state stream. A message is a version byte and records; a record is a
 * type, a length and a body, so that several small ones share a message. Namespace ids are the
 * sender's own, given a name by its `sync`; `ack`, `nack` and `refused` use the ids of the peer they
 * answer. Values travel as codec frames, which carry their own digest and the digest of their base.
 *
 *   message = 1 record*            record = type length body
 *   begin   = 0                    a session starts anew; forget what the last one on this link said
 *   sync    = ns name fingerprint vector          what I have, and how I merge
 *   update  = ns key putWallMs version form [base] frame      form 0 tombstone, 1 whole, 2 delta
 *   ack     = ns count dot*        durable here    nack = ns dot reason
 *   covered = ns vector            all of these reached you, some through what replaced them
 *   refused = ns reason            this namespace is not synchronised with you
 */
import { ByteReader, varintSize, writeVarint } from '../compression/varint.ts';
import { decodeVersion, encodeVersion, VersionVector } from '../conflict/index.ts';
import type { Dot, Version } from '../conflict/index.ts';
import { DwcpError, isDwcpError } from '../errors.ts';
import { ByteWriter, readSized, readText } from './byte-writer.ts';

/** Version of the records this build writes and reads. */
export const STATE_WIRE_VERSION = 1;

/** Why an update was not taken. */
export const NackReason = {
  /** The base is not here, or is another value: send the whole value. */
  base: 1,
  /** The content did not verify. */
  damaged: 2,
  /** A limit of the receiver. */
  limit: 3,
  /** The stamp is too far ahead of the receiver's clock. */
  drift: 4,
  unauthorized: 5,
  /** The receiver's store failed. */
  storage: 6,
  /** The receiver has not declared the namespace, or with another policy. */
  policy: 7,
} as const;
export type NackReason = (typeof NackReason)[keyof typeof NackReason];

/** Why a namespace is not synchronised. */
export const RefusedReason = { policy: 1, read: 2, write: 3 } as const;
export type RefusedReason = (typeof RefusedReason)[keyof typeof RefusedReason];

export interface BeginRecord {
  readonly type: 'begin';
  readonly ns: 0;
}

export interface SyncRecord {
  readonly type: 'sync';
  readonly ns: number;
  readonly name: string;
  /** `policyFingerprint` of the keyspace. */
  readonly fingerprint: string;
  readonly vector: VersionVector;
}

export interface UpdateRecord {
  readonly type: 'update';
  readonly ns: number;
  readonly key: string;
  /** Wall time at the origin when `put` was called; 0 when it is not known. */
  readonly putWallMs: number;
  readonly version: Version;
  /** Undefined for a tombstone. */
  readonly frame: Buffer | undefined;
  /** The value `frame` is a delta against. */
  readonly base: Dot | undefined;
}

export interface AckRecord {
  readonly type: 'ack';
  readonly ns: number;
  readonly dots: readonly Dot[];
}

export interface NackRecord {
  readonly type: 'nack';
  readonly ns: number;
  readonly dot: Dot;
  readonly reason: NackReason;
}

export interface CoveredRecord {
  readonly type: 'covered';
  readonly ns: number;
  readonly vector: VersionVector;
}

export interface RefusedRecord {
  readonly type: 'refused';
  readonly ns: number;
  readonly reason: RefusedReason;
}

/** Any record. */
export type WireRecord =
  BeginRecord | SyncRecord | UpdateRecord | AckRecord | NackRecord | CoveredRecord | RefusedRecord;

const types = ['begin', 'sync', 'update', 'ack', 'nack', 'covered', 'refused'] as const;
const MAX_NAME_BYTES = 256;
const MAX_ACKS = 65_536;
/** Longest key any node may allow; what this node allows is checked when it is applied. */
const MAX_KEY_BYTES = 65_535;

/** The version byte every message starts with. */
export const messageHead: Buffer = Buffer.of(STATE_WIRE_VERSION);

/** Pieces of one record; the frame of an update is borrowed, not copied. */
export function encodeRecordParts(record: WireRecord): Buffer[] {
  const writer = new ByteWriter().varint(record.ns);
  writeBody(writer, record);
  const body = writer.finish();
  const frame = record.type === 'update' ? record.frame : undefined;
  const bodyBytes = body.length + (frame?.length ?? 0);
  const head = Buffer.allocUnsafe(1 + varintSize(bodyBytes));
  head[0] = types.indexOf(record.type);
  writeVarint(head, 1, bodyBytes);
  return frame ? [head, body, frame] : [head, body];
}

function writeBody(writer: ByteWriter, record: WireRecord): void {
  switch (record.type) {
    case 'begin':
      return;
    case 'sync':
      writer.text(record.name).text(record.fingerprint).sized(record.vector.encode());
      return;
    case 'update':
      writer.text(record.key).varint(record.putWallMs).sized(encodeVersion(record.version));
      writer.byte(record.frame ? (record.base ? 2 : 1) : 0);
      if (record.base) writeDot(writer, record.base);
      return;
    case 'ack':
      writer.varint(record.dots.length);
      for (const dot of record.dots) writeDot(writer, dot);
      return;
    case 'nack':
      writeDot(writer, record.dot);
      writer.byte(record.reason);
      return;
    case 'covered':
      writer.sized(record.vector.encode());
      return;
    case 'refused':
      writer.byte(record.reason);
  }
}

function writeDot(writer: ByteWriter, dot: Dot): void {
  writer.raw(Buffer.from(dot.replica, 'hex')).varint(dot.seq);
}

/**
 * The records of a message. Frames are views of it.
 * @throws ERR_DWCP_PROTOCOL, with what was wrong as cause
 */
export function decodeMessage(message: Buffer): WireRecord[] {
  try {
    const reader = new ByteReader(message);
    const version = reader.byte();
    if (version !== STATE_WIRE_VERSION) {
      throw new DwcpError('ERR_DWCP_FRAME_VERSION', `state wire version ${version}`);
    }
    const records: WireRecord[] = [];
    while (reader.remaining > 0) {
      const type = types[reader.byte()];
      const body = readSized(reader, message.length, 'record');
      if (!type) throw new DwcpError('ERR_DWCP_FRAME_KIND', 'unknown state record');
      records.push(readBody(type, new ByteReader(body)));
    }
    return records;
  } catch (cause) {
    if (!isDwcpError(cause)) throw cause;
    throw new DwcpError('ERR_DWCP_PROTOCOL', `a state message: ${cause.message}`, { cause });
  }
}

function readBody(type: WireRecord['type'], reader: ByteReader): WireRecord {
  const ns = reader.varint();
  const record = readRecord(type, ns, reader);
  if (reader.remaining > 0) throw new DwcpError('ERR_DWCP_FRAME_CORRUPT', 'bytes left over');
  return record;
}

function readRecord(type: WireRecord['type'], ns: number, reader: ByteReader): WireRecord {
  switch (type) {
    case 'begin':
      return { type, ns: 0 };
    case 'sync': {
      const name = readText(reader, MAX_NAME_BYTES, 'name');
      const fingerprint = readText(reader, MAX_NAME_BYTES, 'fingerprint');
      return { type, ns, name, fingerprint, vector: readVector(reader) };
    }
    case 'update':
      return readUpdate(ns, reader);
    case 'ack': {
      const count = reader.varint();
      if (count > MAX_ACKS) throw new DwcpError('ERR_DWCP_LIMIT', `${count} dots in one ack`);
      const dots = Array.from({ length: count }, () => readDot(reader));
      return { type, ns, dots };
    }
    case 'nack':
      return { type, ns, dot: readDot(reader), reason: reader.byte() as NackReason };
    case 'covered':
      return { type, ns, vector: readVector(reader) };
    case 'refused':
      return { type, ns, reason: reader.byte() as RefusedReason };
  }
}

function readUpdate(ns: number, reader: ByteReader): UpdateRecord {
  const key = readText(reader, MAX_KEY_BYTES, 'key');
  if (key === '') throw new DwcpError('ERR_DWCP_FRAME_CORRUPT', 'an empty key');
  const putWallMs = reader.varint();
  const version = decodeVersion(readSized(reader, reader.remaining, 'version'));
  const form = reader.byte();
  if (form > 2 || (form === 0) !== version.deleted) {
    throw new DwcpError('ERR_DWCP_FRAME_CORRUPT', 'the form of an update');
  }
  const base = form === 2 ? readDot(reader) : undefined;
  const frame = form === 0 ? undefined : reader.take(reader.remaining);
  return { type: 'update', ns, key, putWallMs, version, frame, base };
}

function readVector(reader: ByteReader): VersionVector {
  return VersionVector.decode(readSized(reader, reader.remaining, 'vector'));
}

function readDot(reader: ByteReader): Dot {
  const replica = reader.take(8).toString('hex');
  const seq = reader.varint();
  if (seq < 1) throw new DwcpError('ERR_DWCP_FRAME_CORRUPT', 'seq is 0');
  return { replica, seq };
}
