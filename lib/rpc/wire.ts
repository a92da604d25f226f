/**
 * The messages of the rpc channel, versions 1 and 2. One stream per call: a request, then one reply; or the
 * message that opens a stream, its acceptance, items both ways, and the end. One more stream per direction
 * of a link carries announcements of served services. The encoding is canonical: one message has one byte
 * form, and anything else (trailing bytes, unsorted names, reserved flags, bad UTF-8) is a typed error.
 * Lengths are checked before anything is allocated. All integers big endian. `v` is the version; a reply
 * has the version of its request, and 6 to 9 exist in version 2 only.
 *
 *   request   u8 v | u8 1 | see wire-request.ts | payload
 *   ok        u8 v | u8 2 | payload
 *   error     u8 v | u8 3 | u8 n, code | u16 n, message | v2: u16 n, detail as JSON, or n = 0
 *   refused   u8 v | u8 4 | u8 reason
 *   announce  u8 1 | u8 5 | u16 count | count x (u8 n, service), strictly ascending
 *   open      u8 2 | u8 6 | see wire-request.ts | payload, empty unless the kind is server
 *   items     u8 2 | u8 7 | see item-batch.ts
 *   done      u8 2 | u8 8 | payload, empty unless the kind is client
 *   accepted  u8 2 | u8 9
 */
import { DwcpError } from '../errors.ts';
import { BatchReader } from './item-batch.ts';
import { Reader } from './reader.ts';
import { readHeader, StreamKind, type RequestHeader, type RpcVersion } from './wire-request.ts';

const MessageType = {
  request: 1,
  ok: 2,
  error: 3,
  refused: 4,
  announce: 5,
  open: 6,
  items: 7,
  done: 8,
  accepted: 9,
} as const;

/** Why a peer refused a request without executing it. */
export const Refusal = {
  noService: 1,
  draining: 2,
  overLimit: 3,
  unauthorized: 4,
  tooLarge: 5,
  codec: 6,
  /** The method is of another kind (unary, streaming); version 2 only. */
  kind: 7,
} as const;
export type Refusal = (typeof Refusal)[keyof typeof Refusal];

const refusals: ReadonlyMap<number, Refusal> = new Map(
  Object.values(Refusal).map((reason) => [reason, reason]),
);
const kinds: ReadonlyMap<number, StreamKind> = new Map(
  Object.values(StreamKind).map((kind) => [kind, kind]),
);

/** Bounds of an error's fields, bytes. */
export const errorBounds = {
  codeBytes: 64,
  textBytes: 4_096,
  detailBytes: 16_384,
} as const;

/** Any message of the channel. */
export type Message =
  | {
      readonly type: 'request';
      readonly version: RpcVersion;
      readonly header: RequestHeader;
      readonly payload: Buffer;
    }
  | { readonly type: 'ok'; readonly payload: Buffer }
  | {
      readonly type: 'error';
      readonly code: string;
      readonly text: string;
      readonly detail: string;
    }
  | { readonly type: 'refused'; readonly reason: Refusal }
  | { readonly type: 'announce'; readonly services: readonly string[] }
  | {
      readonly type: 'open';
      readonly kind: StreamKind;
      readonly header: RequestHeader;
      readonly payload: Buffer;
    }
  | { readonly type: 'items'; readonly items: BatchReader }
  | { readonly type: 'done'; readonly payload: Buffer }
  | { readonly type: 'accepted' };

/** Limits of decoding. */
export interface WireLimits {
  readonly maxPayloadBytes: number;
  readonly maxServices: number;
}

const okHeaders = { 1: Buffer.from([1, MessageType.ok]), 2: Buffer.from([2, MessageType.ok]) };

/** The two bytes before the payload of a good reply. */
export function okHeader(version: RpcVersion): Buffer {
  return okHeaders[version];
}

/** The two bytes before what a stream ends with. */
export const doneHeader: Buffer = Buffer.from([2, MessageType.done]);

/** The stream was admitted: its handler runs. */
export const acceptedMessage: Buffer = Buffer.from([2, MessageType.accepted]);

/**
 * A reply that carries the handler's error; code and text are cut to their bounds. `detail` is JSON text
 * or empty; version 1 has no room for it.
 */
export function encodeError(
  code: string,
  text: string,
  detail: string,
  version: RpcVersion,
): Buffer {
  const codeBytes = cutUtf8(code, errorBounds.codeBytes);
  const textBytes = cutUtf8(text, errorBounds.textBytes);
  const head = Buffer.allocUnsafe(5 + codeBytes.length);
  head[0] = version;
  head[1] = MessageType.error;
  head[2] = codeBytes.length;
  codeBytes.copy(head, 3);
  head.writeUInt16BE(textBytes.length, 3 + codeBytes.length);
  if (version === 1) return Buffer.concat([head, textBytes]);
  const detailBytes = Buffer.from(detail);
  const size = Buffer.allocUnsafe(2);
  size.writeUInt16BE(detailBytes.length);
  return Buffer.concat([head, textBytes, size, detailBytes]);
}

/** A reply that says the request was not executed. */
export function encodeRefused(reason: Refusal, version: RpcVersion): Buffer {
  const known = version === 1 && reason === Refusal.kind ? Refusal.codec : reason;
  return Buffer.from([version, MessageType.refused, known]);
}

/** The services this node serves; names are sorted here. */
export function encodeAnnounce(services: Iterable<string>): Buffer {
  const names = [...services]
    .map((name) => Buffer.from(name))
    .toSorted((a, b) => Buffer.compare(a, b));
  const parts: Buffer[] = [Buffer.from([1, MessageType.announce, 0, 0])];
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
  if (version !== 1 && version !== 2) {
    throw new DwcpError('ERR_DWCP_FRAME_VERSION', `rpc message has version ${version}`);
  }
  const type = reader.u8();
  if (type === MessageType.ok) return { type: 'ok', payload: readPayload(reader, limits) };
  if (type === MessageType.request) {
    const header = readHeader(reader, version, false);
    return { type: 'request', version, header, payload: readPayload(reader, limits) };
  }
  if (type === MessageType.error) return readError(reader, version);
  if (type === MessageType.refused) return readRefused(reader, version);
  if (type === MessageType.announce && version === 1) return readAnnounce(reader, limits);
  if (version === 2) {
    if (type === MessageType.items) {
      return { type: 'items', items: new BatchReader(bytes, limits.maxPayloadBytes) };
    }
    if (type === MessageType.open) return readOpen(reader, limits);
    if (type === MessageType.done) return { type: 'done', payload: readPayload(reader, limits) };
    if (type === MessageType.accepted) {
      reader.done();
      return { type: 'accepted' };
    }
  }
  throw new DwcpError(
    'ERR_DWCP_FRAME_KIND',
    `rpc message of version ${version} has unknown type ${type}`,
  );
}

function readOpen(reader: Reader, limits: WireLimits): Message {
  const kind = kinds.get(reader.u8()) ?? reader.corrupt('stream kind');
  const header = readHeader(reader, 2, true);
  const payload = readPayload(reader, limits);
  if (kind !== StreamKind.server && payload.length > 0) reader.corrupt('payload');
  return { type: 'open', kind, header, payload };
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

function readError(reader: Reader, version: RpcVersion): Message {
  const codeBytes = reader.u8();
  if (codeBytes > errorBounds.codeBytes) reader.corrupt('code');
  const code = reader.text(codeBytes, 'code');
  const textBytes = reader.u16();
  if (textBytes > errorBounds.textBytes) reader.corrupt('text');
  const text = reader.text(textBytes, 'text');
  const detail = version === 1 ? '' : readDetail(reader);
  reader.done();
  return { type: 'error', code, text, detail };
}

function readDetail(reader: Reader): string {
  const detailBytes = reader.u16();
  if (detailBytes > errorBounds.detailBytes) reader.corrupt('detail');
  const detail = reader.text(detailBytes, 'detail');
  try {
    if (detail !== '') JSON.parse(detail);
    return detail;
  } catch {
    return reader.corrupt('detail');
  }
}

function readRefused(reader: Reader, version: RpcVersion): Message {
  const reason = reader.u8();
  reader.done();
  if (version === 1 && reason === Refusal.kind) reader.corrupt('refusal reason');
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
