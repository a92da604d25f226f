/**
 * Dictionaries of the portable tier: a copy of the bytes, which `node:zlib` digests on every call, taken apart
 * once for the decoder in TypeScript.
 */
import { DwcpError, invalidArg } from '../errors.ts';
import { checkBytes, checkDictionaryId } from './arguments.ts';
import type { ZstdDictionary } from './contract.ts';
import { readDictionary } from './zstd-dictionary.ts';
import type { DictionaryStart } from './zstd-dictionary.ts';

/** What is shorter than this zstd silently ignores, bytes. */
const MIN_BYTES = 8;
const MAX_BYTES = 16 * 1024 * 1024;

/** {@link ZstdDictionary} in JavaScript memory. */
export class PortableDictionary implements ZstdDictionary {
  readonly id: number;
  #bytes: Buffer | undefined;
  #start: DictionaryStart | undefined;

  constructor(bytes: Uint8Array, id: number) {
    checkBytes('bytes', bytes);
    checkDictionaryId(id);
    if (bytes.length < MIN_BYTES || bytes.length > MAX_BYTES) {
      const range = `from ${MIN_BYTES} to ${MAX_BYTES} bytes`;
      throw new DwcpError('ERR_DWCP_DICTIONARY_INVALID', `A dictionary has ${range}.`);
    }
    this.id = id;
    this.#bytes = Buffer.from(bytes);
    this.#start = readDictionary(this.#bytes);
  }

  get sizeBytes(): number {
    return this.#bytes?.length ?? 0;
  }

  /** Its bytes; must not be changed. */
  get bytes(): Buffer {
    return this.#bytes ?? released();
  }

  /** What frames made with it start with. */
  get start(): DictionaryStart {
    return this.#start ?? released();
  }

  release(): void {
    this.#bytes = undefined;
    this.#start = undefined;
  }
}

function released(): never {
  throw new DwcpError('ERR_DWCP_CLOSED', 'The dictionary was released.');
}

/** A dictionary as this tier has it, none for none. */
export function portableDictionary(
  dictionary: ZstdDictionary | undefined,
): PortableDictionary | undefined {
  if (dictionary === undefined || dictionary instanceof PortableDictionary) return dictionary;
  return invalidArg('dictionary', 'a ZstdDictionary of this tier', dictionary);
}
