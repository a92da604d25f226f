/**
 * Metadata of a call: a few short texts that cross the wire beside the payload, for tracing, tenancy and
 * the like. Names are lower-case tokens; on the wire they stand sorted, each once:
 *   u8 count | count x (u8 n, name, u16 n, value)
 */
import { invalidArg } from '../errors.ts';
import type { Reader } from './reader.ts';

/** Names and values of a call's metadata. */
export type Metadata = Readonly<Record<string, string>>;

/** Bounds of metadata; the sizes are bytes. */
export const metadataBounds = {
  entries: 64,
  nameBytes: 64,
  totalBytes: 8_192,
} as const;

const namePattern = /^[a-z0-9][a-z0-9_.-]{0,63}$/;

/** Metadata without entries: what a handler sees when none came. */
export const noMetadata: Metadata = Object.freeze(Object.create(null) as Record<string, string>);

/**
 * Checks a caller's metadata and encodes it; undefined when there is none.
 * @throws ERR_DWCP_INVALID_ARG
 */
export function encodeMetadata(path: string, metadata: unknown): Buffer | undefined {
  if (metadata === undefined) return undefined;
  if (typeof metadata !== 'object' || metadata === null) {
    return invalidArg(path, 'an object of texts', metadata);
  }
  const entries = Object.entries(metadata).filter(([, value]) => value !== undefined);
  if (entries.length === 0) return undefined;
  if (entries.length > metadataBounds.entries) {
    invalidArg(path, `at most ${metadataBounds.entries} entries`, entries.length);
  }
  const parts: Buffer[] = [Buffer.from([entries.length])];
  for (const [name, value] of entries.toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    parts.push(...encodeEntry(path, name, value));
  }
  const bytes = Buffer.concat(parts);
  if (bytes.length > metadataBounds.totalBytes) {
    invalidArg(path, `at most ${metadataBounds.totalBytes} bytes`, bytes.length);
  }
  return bytes;
}

function encodeEntry(path: string, name: string, value: unknown): Buffer[] {
  if (!namePattern.test(name)) {
    invalidArg(path, 'named in a-z, 0-9, - . _ (at most 64 characters)', name);
  }
  if (typeof value !== 'string') return invalidArg(`${path}.${name}`, 'a text', value);
  const text = Buffer.from(value);
  if (text.length > metadataBounds.totalBytes || text.toString() !== value) {
    invalidArg(`${path}.${name}`, `at most ${metadataBounds.totalBytes} bytes of text`, value);
  }
  const head = Buffer.allocUnsafe(3 + name.length);
  head[0] = name.length;
  head.write(name, 1, 'latin1');
  head.writeUInt16BE(text.length, 1 + name.length);
  return [head, text];
}

/** Reads what {@link encodeMetadata} wrote. @throws ERR_DWCP_FRAME_CORRUPT */
export function readMetadata(reader: Reader): Metadata {
  const count = reader.u8();
  if (count === 0 || count > metadataBounds.entries) reader.corrupt('metadata count');
  const metadata = Object.create(null) as Record<string, string>;
  let previous = '';
  for (let i = 0; i < count; i += 1) {
    const name = reader.text(reader.u8(), 'metadata name');
    if (!namePattern.test(name)) reader.corrupt('metadata name');
    if (name <= previous) reader.corrupt('metadata order');
    metadata[name] = reader.text(reader.u16(), 'metadata value');
    previous = name;
  }
  return Object.freeze(metadata);
}
