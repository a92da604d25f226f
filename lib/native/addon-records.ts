/**
 * Records over the addon. Single calls go to a function that knows its dictionary: bytes in, a number out,
 * and nothing is made on the way.
 */
import { AddonDictionary, dictionaryHandle } from './addon-dictionary.ts';
import type { DictionaryHandle } from './addon-dictionary.ts';
import { asDwcpError } from './addon-error.ts';
import type { RecordBatch, RecordBinding, ZstdDictionary } from './contract.ts';

/** Encodes `content` into `target` from `at` on; the settings are {@link settingsOf}. */
export type EncodeRecord = (
  content: Uint8Array,
  target: Uint8Array,
  settings: number,
  at: number,
) => number;

/** Decodes `frame` into `target`. */
export type DecodeRecord = (frame: Uint8Array, target: Uint8Array, maxOutput: number) => number;

type Lengths = Uint32Array;
type Target = Uint8Array;
type Many = readonly [arena: Uint8Array, lengths: Lengths, target: Target, sizes: Lengths];

/** The record functions of the addon. */
export interface RecordExports {
  readonly recordEncode: EncodeRecord;
  readonly recordDecode: DecodeRecord;
  recordEncodeAsync(
    content: Uint8Array,
    target: Target,
    settings: number,
    dictionary: DictionaryHandle | undefined,
  ): Promise<number>;
  batchEncode(...request: EncodeBatch): number;
  batchEncodeAsync(...request: EncodeBatch): Promise<number>;
  batchDecode(...request: DecodeBatch): number;
  batchDecodeAsync(...request: DecodeBatch): Promise<number>;
  batchContentBytes(arena: Uint8Array, lengths: Lengths, maxOutput: number): number;
}

type EncodeBatch = readonly [...Many, settings: number, DictionaryHandle | undefined];
type DecodeBatch = readonly [...Many, maxOutput: number, readonly DictionaryHandle[]];

const MIN_LEVEL = -50;
const CHECKED = 128;

/** Level and checksum as one number; the addon refuses what is out of range. */
function settingsOf(level: number, checked: boolean): number {
  return level - MIN_LEVEL + (checked ? CHECKED : 0);
}

/** {@link RecordBinding} over a loaded addon. */
export class AddonRecords implements RecordBinding {
  readonly #addon: RecordExports;

  constructor(addon: RecordExports) {
    this.#addon = addon;
  }

  encode(
    content: Uint8Array,
    target: Uint8Array,
    level: number,
    checked: boolean,
    dictionary: ZstdDictionary | undefined,
    at = 0,
  ): number {
    const settings = settingsOf(level, checked);
    try {
      if (dictionary === undefined) return this.#addon.recordEncode(content, target, settings, at);
      if (dictionary instanceof AddonDictionary) {
        return dictionary.encode(content, target, settings, at);
      }
    } catch (error) {
      throw asDwcpError(error);
    }
    dictionaryHandle(dictionary);
    return 0;
  }

  async encodeAsync(
    content: Uint8Array,
    target: Uint8Array,
    level: number,
    checked: boolean,
    dictionary: ZstdDictionary | undefined,
  ): Promise<number> {
    const handle = dictionaryHandle(dictionary);
    try {
      const settings = settingsOf(level, checked);
      return await this.#addon.recordEncodeAsync(content, target, settings, handle);
    } catch (error) {
      throw asDwcpError(error);
    }
  }

  decode(
    frame: Uint8Array,
    target: Uint8Array,
    maxOutputBytes: number,
    dictionary: ZstdDictionary | undefined,
  ): number {
    try {
      if (dictionary === undefined) return this.#addon.recordDecode(frame, target, maxOutputBytes);
      if (dictionary instanceof AddonDictionary) {
        return dictionary.decode(frame, target, maxOutputBytes);
      }
    } catch (error) {
      throw asDwcpError(error);
    }
    dictionaryHandle(dictionary);
    return 0;
  }

  encodeBatch(
    batch: RecordBatch,
    level: number,
    checked: boolean,
    dictionary: ZstdDictionary | undefined,
  ): number {
    const handle = dictionaryHandle(dictionary);
    try {
      return this.#addon.batchEncode(...spread(batch), settingsOf(level, checked), handle);
    } catch (error) {
      throw asDwcpError(error);
    }
  }

  async encodeBatchAsync(
    batch: RecordBatch,
    level: number,
    checked: boolean,
    dictionary: ZstdDictionary | undefined,
  ): Promise<number> {
    const handle = dictionaryHandle(dictionary);
    const settings = settingsOf(level, checked);
    try {
      return await this.#addon.batchEncodeAsync(...spread(batch), settings, handle);
    } catch (error) {
      throw asDwcpError(error);
    }
  }

  decodeBatch(
    batch: RecordBatch,
    maxOutputBytes: number,
    dictionaries: readonly ZstdDictionary[],
  ): number {
    const handles = dictionaries.map(handleOf);
    try {
      return this.#addon.batchDecode(...spread(batch), maxOutputBytes, handles);
    } catch (error) {
      throw asDwcpError(error);
    }
  }

  async decodeBatchAsync(
    batch: RecordBatch,
    maxOutputBytes: number,
    dictionaries: readonly ZstdDictionary[],
  ): Promise<number> {
    const handles = dictionaries.map(handleOf);
    try {
      return await this.#addon.batchDecodeAsync(...spread(batch), maxOutputBytes, handles);
    } catch (error) {
      throw asDwcpError(error);
    }
  }

  batchContentBytes(arena: Uint8Array, lengths: Uint32Array, maxOutputBytes: number): number {
    try {
      return this.#addon.batchContentBytes(arena, lengths, maxOutputBytes);
    } catch (error) {
      throw asDwcpError(error);
    }
  }
}

const handleOf = (dictionary: ZstdDictionary): DictionaryHandle => dictionaryHandle(dictionary)!;

function spread({ arena, lengths, target, targetLengths }: RecordBatch): Many {
  return [arena, lengths, target, targetLengths];
}
