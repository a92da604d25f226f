/** Payload codecs of calls: bytes as they are, or JSON as UTF-8. */
import { DwcpError, invalidArg } from '../errors.ts';
import { PayloadCodec } from './wire.ts';

/** Names of the codecs in options. */
export type CodecName = keyof typeof PayloadCodec;

/** The wire id of a codec name. @throws ERR_DWCP_INVALID_ARG */
export function codecId(name: unknown): PayloadCodec {
  if (name === undefined || name === 'bytes') return PayloadCodec.bytes;
  if (name === 'json') return PayloadCodec.json;
  return invalidArg('options.codec', "'bytes' or 'json'", name);
}

/** Bytes of a value; `undefined` is empty. @throws ERR_DWCP_INVALID_ARG */
export function encodePayload(codec: PayloadCodec, value: unknown): Uint8Array {
  if (value === undefined) return new Uint8Array(0);
  if (codec === PayloadCodec.bytes) {
    return value instanceof Uint8Array ? value : invalidArg('payload', 'a Uint8Array', value);
  }
  try {
    const text = JSON.stringify(value);
    if (text !== undefined) return Buffer.from(text);
  } catch (cause) {
    throw new DwcpError('ERR_DWCP_INVALID_ARG', 'payload is not JSON', { cause });
  }
  return invalidArg('payload', 'a JSON value', value);
}

/** The value of received bytes. @throws ERR_DWCP_CODEC when they are not JSON. */
export function decodePayload(codec: PayloadCodec, bytes: Buffer): unknown {
  if (codec === PayloadCodec.bytes) return bytes;
  if (bytes.length === 0) return undefined;
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new DwcpError('ERR_DWCP_CODEC', 'payload is not JSON', { cause });
  }
}
