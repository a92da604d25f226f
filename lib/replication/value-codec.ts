/**
 * How a keyspace turns values into bytes. `bytes` keeps them as they are; `json` is canonical (object
 * keys sorted by UTF-16 code unit, no whitespace, numbers as ECMAScript prints them, in the manner of
 * RFC 8785), so that equal state gives equal bytes on every node.
 */
import { DwcpError, invalidArg } from '../errors.ts';

/** Names of the value codecs. */
export type ValueCodecName = 'bytes' | 'json';

/** Whatever JSON can carry. */
export type JsonValue =
  null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** Encodes and decodes the values of one keyspace. */
export interface ValueCodec<I, O extends I = I> {
  readonly name: ValueCodecName;
  /** A copy: the caller may change `value` afterwards. @throws ERR_DWCP_INVALID_ARG */
  encode(value: I): Buffer;
  /** Result belongs to the caller. @throws ERR_DWCP_STORAGE_CORRUPT */
  decode(bytes: Buffer): O;
}

/** Deepest nesting of a JSON value. */
export const MAX_JSON_DEPTH = 64;

/** Values are bytes: `Uint8Array` in, `Buffer` out. */
export const bytesCodec: ValueCodec<Uint8Array, Buffer> = {
  name: 'bytes',
  encode(value) {
    if (!(value instanceof Uint8Array)) invalidArg('value', 'a Uint8Array', value);
    return Buffer.from(value);
  },
  decode: (bytes) => Buffer.from(bytes),
};

/** Values are JSON, written canonically. */
export const jsonCodec: ValueCodec<JsonValue> = {
  name: 'json',
  encode(value) {
    return Buffer.from(canonicalJson(value), 'utf8');
  },
  decode(bytes) {
    try {
      return JSON.parse(bytes.toString('utf8')) as JsonValue;
    } catch (cause) {
      throw new DwcpError('ERR_DWCP_STORAGE_CORRUPT', 'the value is not JSON', { cause });
    }
  },
};

/**
 * Canonical JSON text of `value`.
 * @throws ERR_DWCP_INVALID_ARG for undefined, functions, symbols, bigints, NaN, infinities, class
 * instances, cycles and nesting deeper than {@link MAX_JSON_DEPTH}
 */
export function canonicalJson(value: unknown): string {
  return write(value, 'value', 0);
}

function write(value: unknown, path: string, depth: number): string {
  if (depth > MAX_JSON_DEPTH) invalidArg(path, `nested at most ${MAX_JSON_DEPTH} deep`, 'deeper');
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return JSON.stringify(value);
    case 'number':
      if (!Number.isFinite(value)) invalidArg(path, 'a finite number', value);
      return JSON.stringify(value);
    case 'object':
      if (value === null) return 'null';
      return Array.isArray(value)
        ? writeArray(value, path, depth)
        : writeObject(value, path, depth);
    default:
      return invalidArg(path, 'JSON', typeof value === 'undefined' ? 'undefined' : typeof value);
  }
}

function writeArray(value: readonly unknown[], path: string, depth: number): string {
  const parts: string[] = [];
  for (let i = 0; i < value.length; i++) parts.push(write(value[i], `${path}[${i}]`, depth + 1));
  return `[${parts.join(',')}]`;
}

function writeObject(value: object, path: string, depth: number): string {
  const prototype = Object.getPrototypeOf(value) as unknown;
  if (prototype !== Object.prototype && prototype !== null) {
    invalidArg(path, 'a plain object', value);
  }
  const parts: string[] = [];
  for (const key of Object.keys(value).toSorted()) {
    const member = (value as Readonly<Record<string, unknown>>)[key];
    parts.push(`${JSON.stringify(key)}:${write(member, `${path}.${key}`, depth + 1)}`);
  }
  return `{${parts.join(',')}}`;
}
