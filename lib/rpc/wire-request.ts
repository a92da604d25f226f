/**
 * The head of a request, in both versions of the rpc messages, and of the message that opens a stream:
 *   v1       u8 1 | u8 1 | u8 flags | u8 codec | u32 deadlineMs | u8 n, service | [u16 n, key]
 *   v2       u8 2 | u8 1 | …the same… | [u8 n, codec name] | [u16 n, metadata]
 *   open     u8 2 | u8 6 | u8 kind | …as v2 from the flags on…
 * then the payload. A deadline of 0 stands for none, on streams only.
 */
import { DwcpError } from '../errors.ts';
import { metadataBounds, readMetadata, type Metadata } from './metadata.ts';
import { Reader } from './reader.ts';

const Flag = { idempotent: 0x01, oneWay: 0x02, key: 0x04, metadata: 0x08 } as const;
const flagsOf = { 1: 0x07, 2: 0x0f } as const;

/** Versions of the rpc messages. A peer reads version 2 when its Hello says wire version 2 or more. */
export type RpcVersion = 1 | 2;

/** How a payload is to be read. */
export const PayloadCodec = { bytes: 0, json: 1, custom: 2 } as const;
export type PayloadCodec = (typeof PayloadCodec)[keyof typeof PayloadCodec];

/** What kind of stream a message opens. */
export const StreamKind = { server: 1, client: 2, duplex: 3 } as const;
export type StreamKind = (typeof StreamKind)[keyof typeof StreamKind];

/** Bounds of the header fields, bytes. */
export const headerBounds = {
  serviceBytes: 255,
  keyBytes: 1_024,
  codecNameBytes: 64,
  deadlineMs: 0x7fff_ffff,
} as const;

/** A call as it crosses the wire. */
export interface RequestHeader {
  readonly service: string;
  readonly codec: PayloadCodec;
  /** Name of a custom codec. */
  readonly codecName: string | undefined;
  readonly idempotent: boolean;
  readonly oneWay: boolean;
  /** Time left for the call when it was sent, ms; 0 for a stream without deadline. */
  readonly deadlineMs: number;
  readonly key: string | undefined;
  readonly metadata: Metadata | undefined;
}

/** The fields of a header in the form they are sent in; `metadata` is encoded already. */
export interface HeaderFields extends Omit<RequestHeader, 'metadata'> {
  readonly metadata: Buffer | undefined;
}

/** True when a peer that reads version 1 only cannot take it. */
export function needsVersion2({ codec, metadata }: HeaderFields): boolean {
  return codec === PayloadCodec.custom || metadata !== undefined;
}

/** The head of a request; the payload follows it as it is. */
export function encodeRequestHeader(header: HeaderFields, version: RpcVersion): Buffer {
  return encodeHead(header, [version, 1], version);
}

/** The head of the message that opens a stream. */
export function encodeOpen(kind: StreamKind, header: HeaderFields): Buffer {
  return encodeHead(header, [2, 6, kind], 2);
}

function encodeHead(header: HeaderFields, lead: readonly number[], version: RpcVersion): Buffer {
  const { service, key, codecName, metadata } = header;
  const serviceBytes = Buffer.byteLength(service);
  const keyBytes = key === undefined ? 0 : Buffer.byteLength(key);
  const nameBytes = codecName === undefined ? 0 : Buffer.byteLength(codecName);
  const extraBytes =
    (key === undefined ? 0 : 2 + keyBytes) +
    (codecName === undefined ? 0 : 1 + nameBytes) +
    (metadata === undefined ? 0 : 2 + metadata.length);
  const out = Buffer.allocUnsafe(lead.length + 7 + serviceBytes + extraBytes);
  let at = 0;
  for (const byte of lead) out[at++] = byte;
  out[at++] =
    (header.idempotent ? Flag.idempotent : 0) |
    (header.oneWay ? Flag.oneWay : 0) |
    (key === undefined ? 0 : Flag.key) |
    (metadata === undefined ? 0 : Flag.metadata);
  out[at++] = header.codec;
  at = out.writeUInt32BE(header.deadlineMs, at);
  out[at++] = serviceBytes;
  at += out.write(service, at);
  if (key !== undefined) {
    at = out.writeUInt16BE(keyBytes, at);
    at += out.write(key, at);
  }
  if (version === 1) return out;
  if (codecName !== undefined) {
    out[at++] = nameBytes;
    at += out.write(codecName, at);
  }
  if (metadata !== undefined) metadata.copy(out, out.writeUInt16BE(metadata.length, at));
  return out;
}

/**
 * Reads a head up to the payload.
 * @throws ERR_DWCP_FRAME_FLAGS, ERR_DWCP_FRAME_CODEC, ERR_DWCP_FRAME_CORRUPT
 */
export function readHeader(reader: Reader, version: RpcVersion, stream: boolean): RequestHeader {
  const flags = reader.u8();
  if ((flags & ~flagsOf[version]) !== 0 || (stream && (flags & Flag.oneWay) !== 0)) {
    throw new DwcpError(
      'ERR_DWCP_FRAME_FLAGS',
      `rpc request has reserved flags 0x${flags.toString(16)}`,
    );
  }
  const codec = reader.u8();
  if (codec > (version === 1 ? PayloadCodec.json : PayloadCodec.custom)) {
    throw new DwcpError('ERR_DWCP_FRAME_CODEC', `rpc request has unknown payload codec ${codec}`);
  }
  const deadlineMs = reader.u32();
  const noDeadline = deadlineMs === 0 && !stream;
  if (noDeadline || deadlineMs > headerBounds.deadlineMs) reader.corrupt('deadline');
  const service = reader.text(reader.u8(), 'service');
  if (service.length === 0) reader.corrupt('service');
  const key = (flags & Flag.key) === 0 ? undefined : readKey(reader);
  const codecName = codec === PayloadCodec.custom ? readCodecName(reader) : undefined;
  return {
    service,
    codec: codec as PayloadCodec,
    codecName,
    deadlineMs,
    idempotent: (flags & Flag.idempotent) !== 0,
    oneWay: (flags & Flag.oneWay) !== 0,
    key,
    metadata: (flags & Flag.metadata) === 0 ? undefined : readMetadataBlock(reader),
  };
}

function readKey(reader: Reader): string {
  const keyBytes = reader.u16();
  if (keyBytes > headerBounds.keyBytes) reader.corrupt('key');
  return reader.text(keyBytes, 'key');
}

function readCodecName(reader: Reader): string {
  const nameBytes = reader.u8();
  if (nameBytes === 0 || nameBytes > headerBounds.codecNameBytes) reader.corrupt('codec name');
  return reader.text(nameBytes, 'codec name');
}

function readMetadataBlock(reader: Reader): Metadata {
  const sizeBytes = reader.u16();
  if (sizeBytes > metadataBounds.totalBytes) reader.corrupt('metadata size');
  const block = new Reader(reader.slice(sizeBytes));
  const metadata = readMetadata(block);
  block.done();
  return metadata;
}
