/**
 * The messages of the rpc channel, version 1. One stream per call: a request, then one reply. One more
 * stream per direction of a link carries announcements of served services. The encoding is canonical:
 * one message has one byte form, and anything else (trailing bytes, unsorted names, reserved flags, bad
 * UTF-8) is a typed error. Lengths are checked before anything is allocated. All integers big endian.
 *
 *   request   u8 1 | u8 1 | u8 flags | u8 codec | u32 deadlineMs | u8 n, service | [u16 n, key] | payload
 *   ok        u8 1 | u8 2 | payload
 *   error     u8 1 | u8 3 | u8 n, code | u16 n, message
 *   refused   u8 1 | u8 4 | u8 reason
 *   announce  u8 1 | u8 5 | u16 count | count x (u8 n, service), strictly ascending
 */
import { DwcpError } from '../errors.ts';
import { Reader } from './reader.ts';

const wireVersion = 1;
const MessageType = { request: 1, ok: 2, error: 3, refused: 4, announce: 5 } as const;
const Flag = { idempotent: 0x01, oneWay: 0x02, key: 0x04 } as const;
const knownFlags = Flag.idempotent | Flag.oneWay | Flag.key;

/** How a payload is to be read. */
export const PayloadCodec = { bytes: 0, json: 1 } as const;
export type PayloadCodec = (typeof PayloadCodec)[keyof typeof PayloadCodec];

/** Why a peer refused a request without executing it. */
export const Refusal = {
  noService: 1,
  draining: 2,
  overLimit: 3,
  unauthorized: 4,
  tooLarge: 5,
  codec: 6,
} as const;
export type Refusal = (typeof Refusal)[keyof typeof Refusal];

const refusals: ReadonlyMap<number, Refusal> = new Map(
  Object.values(Refusal).map((reason) => [reason, reason]),
);

/** Bounds of the header fields, bytes. */
export const wireBounds = {
  serviceBytes: 255,
  keyBytes: 1_024,
  codeBytes: 64,
  errorTextBytes: 4_096,
  deadlineMs: 0x7fff_ffff,
} as const;

/** A call as it crosses the wire. */
export interface RequestHeader {
  readonly service: string;
  readonly codec: PayloadCodec;
  readonly idempotent: boolean;
  readonly oneWay: boolean;
  /** Time left for the call when it was sent, ms. */
  readonly deadlineMs: number;
  readonly key: string | undefined;
}

/** Any message of the channel. */
export type Message =
  | { readonly type: 'request'; readonly header: RequestHeader; readonly payload: Buffer }
  | { readonly type: 'ok'; readonly payload: Buffer }
  | { readonly type: 'error'; readonly code: string; readonly text: string }
  | { readonly type: 'refused'; readonly reason: Refusal }
  | { readonly type: 'announce'; readonly services: readonly string[] };

/** Limits of decoding. */
export interface WireLimits {
  readonly maxPayloadBytes: number;
  readonly maxServices: number;
}

/** The header of a request; the payload follows it as it is. */
export function encodeRequestHeader(header: RequestHeader): Buffer {
  const service = Buffer.from(header.service);
  const key = header.key === undefined ? undefined : Buffer.from(header.key);
  const out = Buffer.allocUnsafe(9 + service.length + (key ? 2 + key.length : 0));
  out[0] = wireVersion;
  out[1] = MessageType.request;
  out[2] =
    (header.idempotent ? Flag.idempotent : 0) |
    (header.oneWay ? Flag.oneWay : 0) |
    (key ? Flag.key : 0);
  out[3] = header.codec;
  out.writeUInt32BE(header.deadlineMs, 4);
  out[8] = service.length;
  service.copy(out, 9);
  if (key) {
    out.writeUInt16BE(key.length, 9 + service.length);
    key.copy(out, 11 + service.length);
  }
  return out;
}

/** The two bytes before the payload of a good reply. */
export const okHeader: Buffer = Buffer.from([wireVersion, MessageType.ok]);

/** A reply that carries the handler's error; code and text are cut to their bounds. */
export function encodeError(code: string, text: string): Buffer {
  const codeBytes = cutUtf8(code, wireBounds.codeBytes);
  const textBytes = cutUtf8(text, wireBounds.errorTextBytes);
  const out = Buffer.allocUnsafe(5 + codeBytes.length + textBytes.length);
  out[0] = wireVersion;
  out[1] = MessageType.error;
  out[2] = codeBytes.length;
  codeBytes.copy(out, 3);
  out.writeUInt16BE(textBytes.length, 3 + codeBytes.length);
  textBytes.copy(out, 5 + codeBytes.length);
  return out;
}

/** A reply that says the request was not executed. */
export function encodeRefused(reason: Refusal): Buffer {
  return Buffer.from([wireVersion, MessageType.refused, reason]);
}

/** The services this node serves; names are sorted here. */
export function encodeAnnounce(services: Iterable<string>): Buffer {
  const names = [...services]
    .map((name) => Buffer.from(name))
    .toSorted((a, b) => Buffer.compare(a, b));
  const parts: Buffer[] = [Buffer.from([wireVersion, MessageType.announce, 0, 0])];
  parts[0]!.writeUInt16BE(names.length, 2);
  for (const name of names) parts.push(Buffer.from([name.length]), name);
  return Buffer.concat(parts);
}

/**
 * Reads one message. A request's or reply's payload is a view of `bytes`.
 * @throws ERR_DWCP_FRAME_VERSION, ERR_DWCP_FRAME_KIND, ERR_DWCP_FRAME_FLAGS, ERR_DWCP_FRAME_CODEC,
 * ERR_DWCP_FRAME_CORRUPT, or ERR_DWCP_LIMIT for a payload or list above its limit.
 */
export function decodeMessage(bytes: Buffer, limits: WireLimits): Message {
  const reader = new Reader(bytes);
  const version = reader.u8();
  if (version !== wireVersion) {
    throw new DwcpError('ERR_DWCP_FRAME_VERSION', `rpc message has version ${version}`);
  }
  const type = reader.u8();
  if (type === MessageType.request) return readRequest(reader, limits);
  if (type === MessageType.ok) return { type: 'ok', payload: readPayload(reader, limits) };
  if (type === MessageType.error) return readError(reader);
  if (type === MessageType.refused) return readRefused(reader);
  if (type === MessageType.announce) return readAnnounce(reader, limits);
  throw new DwcpError('ERR_DWCP_FRAME_KIND', `rpc message has unknown type ${type}`);
}

function readRequest(reader: Reader, limits: WireLimits): Message {
  const flags = reader.u8();
  if ((flags & ~knownFlags) !== 0) {
    throw new DwcpError(
      'ERR_DWCP_FRAME_FLAGS',
      `rpc request has reserved flags 0x${flags.toString(16)}`,
    );
  }
  const codec = reader.u8();
  if (codec !== PayloadCodec.bytes && codec !== PayloadCodec.json) {
    throw new DwcpError('ERR_DWCP_FRAME_CODEC', `rpc request has unknown payload codec ${codec}`);
  }
  const deadlineMs = reader.u32();
  if (deadlineMs === 0 || deadlineMs > wireBounds.deadlineMs) reader.corrupt('deadline');
  const service = reader.text(reader.u8(), 'service');
  if (service.length === 0) reader.corrupt('service');
  const hasKey = (flags & Flag.key) !== 0;
  const keyBytes = hasKey ? reader.u16() : 0;
  if (keyBytes > wireBounds.keyBytes) reader.corrupt('key');
  const header: RequestHeader = {
    service,
    codec,
    deadlineMs,
    idempotent: (flags & Flag.idempotent) !== 0,
    oneWay: (flags & Flag.oneWay) !== 0,
    key: hasKey ? reader.text(keyBytes, 'key') : undefined,
  };
  return { type: 'request', header, payload: readPayload(reader, limits) };
}

function readPayload(reader: Reader, limits: WireLimits): Buffer {
  if (reader.left > limits.maxPayloadBytes) {
    throw new DwcpError(
      'ERR_DWCP_LIMIT',
      `rpc payload of ${reader.left} bytes passes maxPayloadBytes ${limits.maxPayloadBytes}`,
      { detail: { limit: 'maxPayloadBytes' } },
    );
  }
  return reader.rest();
}

function readError(reader: Reader): Message {
  const codeBytes = reader.u8();
  if (codeBytes > wireBounds.codeBytes) reader.corrupt('code');
  const code = reader.text(codeBytes, 'code');
  const textBytes = reader.u16();
  if (textBytes > wireBounds.errorTextBytes) reader.corrupt('text');
  const text = reader.text(textBytes, 'text');
  reader.done();
  return { type: 'error', code, text };
}

function readRefused(reader: Reader): Message {
  const reason = reader.u8();
  reader.done();
  return { type: 'refused', reason: refusals.get(reason) ?? reader.corrupt('refusal reason') };
}

function readAnnounce(reader: Reader, limits: WireLimits): Message {
  const count = reader.u16();
  if (count > limits.maxServices) {
    throw new DwcpError(
      'ERR_DWCP_LIMIT',
      `${count} announced services pass maxServices ${limits.maxServices}`,
      {
        detail: { limit: 'maxServices' },
      },
    );
  }
  const services: string[] = [];
  let previous: Buffer | undefined;
  for (let i = 0; i < count; i += 1) {
    const name = reader.slice(reader.u8());
    if (name.length === 0) reader.corrupt('service');
    if (previous && Buffer.compare(previous, name) >= 0) reader.corrupt('service order');
    services.push(reader.decode(name, 'service'));
    previous = name;
  }
  reader.done();
  return { type: 'announce', services };
}

/** UTF-8 of `text`, cut at a character boundary to at most `maxBytes`. */
function cutUtf8(text: string, maxBytes: number): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return bytes;
  let end = maxBytes;
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end);
}
