/** Payload codecs of calls: bytes as they are, JSON as UTF-8, or a user's own under a name. */
import { DwcpError, invalidArg } from '../errors.ts';
import { PayloadCodec, headerBounds } from './wire-request.ts';

/** Names of the codecs that are built in. */
export type CodecName = 'bytes' | 'json';

/**
 * A codec of the user's own, e.g. MessagePack. Both sides must use one of the same name: a request that names
 * another is refused before the handler runs.
 * @example const v8Codec: Codec = { name: 'v8', encode: serialize, decode: deserialize };
 */
export interface Codec {
  /** 1 to 64 bytes; put a version in it if the format may change. */
  readonly name: string;
  /** Bytes of a value. What it throws fails the call with ERR_DWCP_INVALID_ARG. */
  encode(value: unknown): Uint8Array;
  /** The value of bytes, which are its own. What it throws fails the call with ERR_DWCP_CODEC. */
  decode(bytes: Buffer): unknown;
}

/** A checked codec, as the rest of the room uses it. */
export interface ResolvedCodec {
  readonly id: PayloadCodec;
  /** Name of a custom codec. */
  readonly name: string | undefined;
  /** Bytes of a value; `undefined` is empty. @throws ERR_DWCP_INVALID_ARG */
  readonly encode: (value: unknown) => Uint8Array;
  /** The value of received bytes. @throws ERR_DWCP_CODEC */
  readonly decode: (bytes: Buffer) => unknown;
}

const nothing = new Uint8Array(0);

const bytesCodec: ResolvedCodec = {
  id: PayloadCodec.bytes,
  name: undefined,
  encode: (value) => {
    if (value instanceof Uint8Array) return value;
    return value === undefined ? nothing : invalidArg('payload', 'a Uint8Array', value);
  },
  decode: (bytes) => bytes,
};

const jsonCodec: ResolvedCodec = {
  id: PayloadCodec.json,
  name: undefined,
  encode: encodeJson,
  decode: (bytes) => {
    if (bytes.length === 0) return undefined;
    try {
      return JSON.parse(bytes.toString('utf8'));
    } catch (cause) {
      throw new DwcpError('ERR_DWCP_CODEC', 'payload is not JSON', { cause });
    }
  },
};

function encodeJson(value: unknown): Uint8Array {
  if (value === undefined) return nothing;
  try {
    const text = JSON.stringify(value);
    if (text !== undefined) return Buffer.from(text);
  } catch (cause) {
    throw new DwcpError('ERR_DWCP_INVALID_ARG', 'payload is not JSON', { cause });
  }
  return invalidArg('payload', 'a JSON value', value);
}

function customCodec(codec: Codec): ResolvedCodec {
  const { name } = codec;
  return {
    id: PayloadCodec.custom,
    name,
    encode: (value) => {
      let bytes: unknown;
      try {
        bytes = codec.encode(value);
      } catch (cause) {
        throw new DwcpError('ERR_DWCP_INVALID_ARG', `codec ${name} does not take it`, { cause });
      }
      return bytes instanceof Uint8Array
        ? bytes
        : invalidArg(`codec ${name}`, 'one that encodes to a Uint8Array', bytes);
    },
    decode: (bytes) => {
      try {
        return codec.decode(bytes);
      } catch (cause) {
        throw new DwcpError('ERR_DWCP_CODEC', `payload is not ${name}`, { cause });
      }
    },
  };
}

/** The codec an option names; bytes by default. @throws ERR_DWCP_INVALID_ARG */
export function resolveCodec(path: string, codec: unknown): ResolvedCodec {
  if (codec === undefined || codec === 'bytes') return bytesCodec;
  if (codec === 'json') return jsonCodec;
  if (!isCodec(codec)) {
    return invalidArg(path, "'bytes', 'json' or { name, encode, decode }", codec);
  }
  const nameBytes = Buffer.from(codec.name);
  const fits = nameBytes.length >= 1 && nameBytes.length <= headerBounds.codecNameBytes;
  if (!fits || nameBytes.toString() !== codec.name) {
    return invalidArg(`${path}.name`, '1 to 64 bytes of well-formed text', codec.name);
  }
  return customCodec(codec);
}

function isCodec(value: unknown): value is Codec {
  if (typeof value !== 'object' || value === null) return false;
  const { name, encode, decode } = value as Partial<Codec>;
  return typeof name === 'string' && typeof encode === 'function' && typeof decode === 'function';
}
