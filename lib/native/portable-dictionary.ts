/**
 * Dictionaries of the portable tier: a copy of the bytes, which `node:zlib` or the decoder in TypeScript
 * digests on every call.
 */
import { DwcpError, invalidArg } from '../errors.ts';
import { checkBytes, checkDictionaryId } from './arguments.ts';
import type { ZstdDictionary } from './contract.ts';

/** First bytes of a trained dictionary, as a little-endian word. */
const TRAINED_MAGIC = 0xec30a437;
/** What is shorter than this zstd silently ignores, bytes. */
const MIN_BYTES = 8;
const MAX_BYTES = 16 * 1024 * 1024;

/** {@link ZstdDictionary} in JavaScript memory. */
export class PortableDictionary implements ZstdDictionary {
  readonly id: number;
  #bytes: Buffer | undefined;

  constructor(bytes: Uint8Array, id: number) {
    checkBytes('bytes', bytes);
    checkDictionaryId(id);
    if (bytes.length < MIN_BYTES || bytes.length > MAX_BYTES) {
      const range = `from ${MIN_BYTES} to ${MAX_BYTES} bytes`;
      throw new DwcpError('ERR_DWCP_DICTIONARY_INVALID', `A dictionary has ${range}.`);
    }
    this.id = id;
    this.#bytes = Buffer.from(bytes);
  }

  get sizeBytes(): number {
    return this.#bytes?.length ?? 0;
  }

  /** Its bytes; must not be changed. */
  get bytes(): Buffer {
    if (this.#bytes) return this.#bytes;
    throw new DwcpError('ERR_DWCP_CLOSED', 'The dictionary was released.');
  }

  release(): void {
    this.#bytes = undefined;
  }
}

/** The bytes of a dictionary, none for none. */
export function dictionaryBytes(dictionary: ZstdDictionary | undefined): Buffer | undefined {
  if (dictionary === undefined) return undefined;
  if (!(dictionary instanceof PortableDictionary)) {
    invalidArg('dictionary', 'a ZstdDictionary of this tier', dictionary);
  }
  return dictionary.bytes;
}

/** True for bytes that begin like a dictionary trained by zstd. */
export function looksTrained(bytes: Uint8Array): boolean {
  if (bytes.length < 8) return false;
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) === TRAINED_MAGIC;
}
