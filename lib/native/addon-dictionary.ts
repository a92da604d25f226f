/** A dictionary of the addon: its native object, and the checks before it is handed over again. */
import { invalidArg } from '../errors.ts';
import type { ZstdDictionary } from './contract.ts';

/** The addon's object that owns a dictionary; opaque. */
export type DictionaryHandle = object;

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
  readonly #addon: DictionaryExports;

  constructor(addon: DictionaryExports, bytes: Uint8Array, id: number) {
    this.#addon = addon;
    this.id = id;
    this.handle = addon.zstdDictionary(bytes, id);
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
