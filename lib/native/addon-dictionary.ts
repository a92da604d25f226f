/** A dictionary of the addon: its native object, and the checks before it is handed over again. */
import { invalidArg } from '../errors.ts';
import type { DecodeRecord, EncodeRecord } from './addon-records.ts';
import type { ZstdDictionary } from './contract.ts';

/** The addon's object that owns a dictionary, with the record functions that use it. */
export interface DictionaryHandle {
  readonly encode: EncodeRecord;
  readonly decode: DecodeRecord;
}

/** The dictionary functions of the addon. */
export interface DictionaryExports {
  zstdDictionary(bytes: Uint8Array, id: number): DictionaryHandle;
  zstdDictionarySize(dictionary: DictionaryHandle): number;
  zstdDictionaryRelease(dictionary: DictionaryHandle): void;
}

/** {@link ZstdDictionary} over the addon's object. */
export class AddonDictionary implements ZstdDictionary {
  readonly id: number;
  readonly handle: DictionaryHandle;
  readonly encode: EncodeRecord;
  readonly decode: DecodeRecord;
  readonly #addon: DictionaryExports;

  constructor(addon: DictionaryExports, bytes: Uint8Array, id: number) {
    this.#addon = addon;
    this.id = id;
    this.handle = addon.zstdDictionary(bytes, id);
    this.encode = this.handle.encode;
    this.decode = this.handle.decode;
  }

  get sizeBytes(): number {
    return this.#addon.zstdDictionarySize(this.handle);
  }

  release(): void {
    this.#addon.zstdDictionaryRelease(this.handle);
  }
}

/** The native object of a dictionary, none for none. */
export function dictionaryHandle(
  dictionary: ZstdDictionary | undefined,
): DictionaryHandle | undefined {
  if (dictionary === undefined || dictionary instanceof AddonDictionary) return dictionary?.handle;
  return invalidArg('dictionary', 'a ZstdDictionary of this addon', dictionary);
}
