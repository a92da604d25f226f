/**
 * The record of one key: its sibling set, and where the bytes of each version are. Small values lie in
 * the record. Large ones lie on the key's one chain: a full value in a blob, then delta frames, each
 * against the value before it. A version on the chain is named by its depth; the chain may hold
 * values that no version uses any more, as steps to those that do.
 *
 *   record = format 1, siblings (sized), place per version, chain, CRC-32C of all before
 *   place  = 0 | 1 bytes (sized) | 2 depth
 *   chain  = 0 | 1 blob name, links, link = replica[8] seq contentBytes storedBytes
 */
import { ByteReader } from '../compression/varint.ts';
import { decodeSiblings, encodeSiblings, noSiblings } from '../conflict/index.ts';
import type { Dot, SiblingSet, Version } from '../conflict/index.ts';
import { DwcpError } from '../errors.ts';
import { ByteWriter, readSized, readText } from './byte-writer.ts';

/** Where the bytes of one version are. */
export type Place =
  /** A tombstone has none. */
  | { readonly kind: 'none' }
  | { readonly kind: 'inline'; readonly bytes: Buffer }
  | { readonly kind: 'chain'; readonly depth: number };

/** One value on a chain. */
export interface ChainLink {
  readonly dot: Dot;
  /** Size of the value, bytes. */
  readonly contentBytes: number;
  /** Size of its frame as stored, bytes. */
  readonly storedBytes: number;
}

/** A full value and the deltas after it. */
export interface Chain {
  readonly blob: string;
  /** `links[0]` is in the blob. */
  readonly links: readonly ChainLink[];
}

/** All that is stored of one key. */
export interface KeyRecord {
  readonly siblings: SiblingSet;
  /** One per sibling, same order. */
  readonly places: readonly Place[];
  readonly chain: Chain | undefined;
}

/** The record of a key that was never written. */
export const noRecord: KeyRecord = { siblings: noSiblings, places: [], chain: undefined };

const FORMAT = 1;
const MAX_LINKS = 4096;
const MAX_NAME_BYTES = 256;
const PLACES = ['none', 'inline', 'chain'] as const;

/** True when both name the same write. */
export function sameDot(a: Dot, b: Dot): boolean {
  return a.seq === b.seq && a.replica === b.replica;
}

/** A dot as text, for maps. */
export function dotName(dot: Dot): string {
  return `${dot.replica}:${dot.seq}`;
}

/** Where `version` is. */
export function placeOf(record: KeyRecord, version: Version): Place | undefined {
  return record.places[record.siblings.findIndex(({ dot }) => sameDot(dot, version.dot))];
}

/** Depth of the value written by `dot` on the chain; -1 when it is not there. */
export function depthOf(chain: Chain | undefined, dot: Dot): number {
  return chain?.links.findLastIndex((link) => sameDot(link.dot, dot)) ?? -1;
}

/** Bytes of a record. `crc32c` seals it. */
export function encodeRecord(record: KeyRecord, crc32c: (bytes: Uint8Array) => number): Buffer {
  const siblings = encodeSiblings(record.siblings);
  const writer = new ByteWriter(siblings.length + inlineBytes(record) + 64);
  writer.byte(FORMAT).sized(siblings);
  for (const place of record.places) {
    writer.byte(PLACES.indexOf(place.kind));
    if (place.kind === 'inline') writer.sized(place.bytes);
    if (place.kind === 'chain') writer.varint(place.depth);
  }
  const { chain } = record;
  writer.byte(chain ? 1 : 0);
  if (chain) {
    writer.text(chain.blob).varint(chain.links.length);
    for (const { dot, contentBytes, storedBytes } of chain.links) {
      writer.raw(Buffer.from(dot.replica, 'hex')).varint(dot.seq);
      writer.varint(contentBytes).varint(storedBytes);
    }
  }
  const seal = Buffer.allocUnsafe(4);
  seal.writeUInt32LE(crc32c(writer.finish()), 0);
  return writer.raw(seal).finish();
}

function inlineBytes({ places }: KeyRecord): number {
  return places.reduce(
    (sum, each) => sum + (each.kind === 'inline' ? each.bytes.length + 8 : 0),
    0,
  );
}

/** Reads a record. @throws ERR_DWCP_STORAGE_CORRUPT naming `key` */
export function decodeRecord(
  bytes: Buffer,
  key: string,
  crc32c: (bytes: Uint8Array) => number,
): KeyRecord {
  try {
    const body = bytes.subarray(0, Math.max(0, bytes.length - 4));
    if (bytes.length < 4 || crc32c(body) !== bytes.readUInt32LE(body.length)) {
      throw new DwcpError('ERR_DWCP_FRAME_CHECKSUM', 'the record does not match its checksum');
    }
    return readRecord(body);
  } catch (cause) {
    throw corruptKey(key, 'its record cannot be read', cause);
  }
}

function readRecord(body: Buffer): KeyRecord {
  const reader = new ByteReader(body);
  const format = reader.byte();
  if (format !== FORMAT) throw new DwcpError('ERR_DWCP_FRAME_VERSION', `record format ${format}`);
  const siblings = decodeSiblings(readSized(reader, body.length, 'siblings'));
  const places = siblings.map((): Place => {
    const kind = PLACES[reader.byte()];
    if (kind === 'none') return { kind };
    if (kind === 'inline') return { kind, bytes: readSized(reader, body.length, 'value') };
    if (kind === 'chain') return { kind, depth: reader.varint() };
    throw new DwcpError('ERR_DWCP_FRAME_CORRUPT', 'unknown place');
  });
  return { siblings, places, chain: reader.byte() === 1 ? readChain(reader) : undefined };
}

function readChain(reader: ByteReader): Chain {
  const blob = readText(reader, MAX_NAME_BYTES, 'blob name');
  const count = reader.varint();
  if (count < 1 || count > MAX_LINKS) throw new DwcpError('ERR_DWCP_FRAME_CORRUPT', 'chain length');
  const links: ChainLink[] = [];
  for (let i = 0; i < count; i++) {
    const dot = { replica: reader.take(8).toString('hex'), seq: reader.varint() };
    links.push({ dot, contentBytes: reader.varint(), storedBytes: reader.varint() });
  }
  return { blob, links };
}

/** The error of a key whose stored bytes do not verify. */
export function corruptKey(key: string, why: string, cause?: unknown): DwcpError {
  return new DwcpError('ERR_DWCP_STORAGE_CORRUPT', `key ${JSON.stringify(key)}: ${why}`, {
    ...(cause === undefined ? {} : { cause }),
    detail: { key },
  });
}
