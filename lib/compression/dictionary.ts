/**
 * Dictionaries: what small records have in common, known to both sides. A frame carries the id of the one
 * it was made with, and readers keep several, for peers that still write with an older one. Each holds its
 * own copy of the bytes, here and in native memory, until it is collected.
 */
import { throwIfAborted, untilAborted } from '../abort.ts';
import { DwcpError, invalidArg } from '../errors.ts';
import type { CodecBinding, ZstdDictionary } from '../native/contract.ts';
import { inputBuffer } from './payload.ts';
import { bindingOf } from './tier.ts';
import { checkSamples, trainingOptions, usefulDictionary } from './training.ts';
import type { TrainAsyncOptions, TrainOptions } from './training.ts';

/** First bytes of a trained dictionary, little-endian (RFC 8878, section 5). */
const TRAINED_MAGIC = 0xec30a437;
const ID_AT = 4;
/** zstd keeps ids below and from 2^31 on for registered dictionaries. */
const FIRST_FREE_ID = 32_768;
const FREE_IDS = 2 ** 31 - FIRST_FREE_ID;

let handleOf: (dictionary: Dictionary, binding: CodecBinding) => ZstdDictionary;

/**
 * A zstd dictionary, ready for any number of calls.
 * @example
 * const dictionary = Dictionary.from(await readFile('orders.dict'));
 * const frame = compress(record, { dictionary });
 * decompress(frame, { dictionary }).equals(record); // true
 */
export class Dictionary {
  /** What frames made with it carry: the id in a trained dictionary, else a hash of the content. Never 0. */
  readonly id: number;
  /** Size of the dictionary itself, bytes. */
  readonly sizeBytes: number;
  readonly #bytes: Buffer;
  readonly #handles = new Map<CodecBinding, ZstdDictionary>();
  #latest: { readonly binding: CodecBinding; readonly handle: ZstdDictionary } | undefined;

  static {
    handleOf = (dictionary, binding) => dictionary.#handleOn(binding);
  }

  private constructor(bytes: Buffer) {
    const loaded = bindingOf(undefined);
    this.#bytes = bytes;
    this.sizeBytes = bytes.length;
    this.id = idOf(loaded, bytes);
    this.#handleOn(loaded);
  }

  /**
   * A dictionary of a copy of `bytes`: one that zstd trained, or content that records resemble, from 8
   * bytes to 16 MiB.
   * @throws ERR_DWCP_INVALID_ARG, ERR_DWCP_DICTIONARY_INVALID for bytes that are no usable dictionary
   * @example Dictionary.from(Buffer.from('{"type":"order","currency":"EUR","lines":[]}')).id
   */
  static from(bytes: Uint8Array): Dictionary {
    return new Dictionary(Buffer.from(inputBuffer('bytes', bytes)));
  }

  /**
   * A dictionary trained on `samples`: records of the kind it is for, best thousands of them, a hundred times
   * its size together. They are copied. The same samples give the same dictionary. Takes up to seconds.
   * @throws ERR_DWCP_INVALID_ARG, ERR_DWCP_DICTIONARY_SAMPLES when there are too few, or they have too
   * little in common; `detail` says what is missing
   * @example const dictionary = Dictionary.train(records, { sizeBytes: 32 * 1024 });
   */
  static train(samples: readonly Uint8Array[], options: TrainOptions = {}): Dictionary {
    checkSamples(samples);
    const training = bindingOf(undefined).dictionaryTrain(samples, trainingOptions(options));
    return new Dictionary(usefulDictionary(training));
  }

  /**
   * As {@link train}, off the event loop.
   * @throws ERR_DWCP_ABORTED, and what {@link train} throws
   * @example const dictionary = await Dictionary.trainAsync(records, { signal });
   */
  static async trainAsync(
    samples: readonly Uint8Array[],
    options: TrainAsyncOptions = {},
  ): Promise<Dictionary> {
    throwIfAborted(options.signal);
    checkSamples(samples);
    const task = bindingOf(undefined).dictionaryTrainAsync(samples, trainingOptions(options));
    return new Dictionary(usefulDictionary(await untilAborted(task, options.signal)));
  }

  /**
   * A copy of its bytes, to keep or to send; `Dictionary.from` takes them.
   * @example await writeFile('orders.dict', dictionary.copy());
   */
  copy(): Buffer {
    return Buffer.from(this.#bytes);
  }

  #handleOn(binding: CodecBinding): ZstdDictionary {
    if (binding === this.#latest?.binding) return this.#latest.handle;
    let handle = this.#handles.get(binding);
    if (handle === undefined) {
      handle = binding.zstdDictionary(this.#bytes, this.id);
      this.#handles.set(binding, handle);
    }
    this.#latest = { binding, handle };
    return handle;
  }
}

/** A dictionary as a binding takes it, digested at its first use there. */
export function dictionaryOn(binding: CodecBinding, dictionary: Dictionary): ZstdDictionary {
  if (!(dictionary instanceof Dictionary)) {
    invalidArg('options.dictionary', 'a Dictionary', dictionary);
  }
  return handleOf(dictionary, binding);
}

/** Dictionaries a reader has. */
export interface DictionaryChoice {
  /** The dictionary frames were made with. */
  readonly dictionary?: Dictionary | undefined;
  /** More of them, such as older versions; the id in the frame chooses. */
  readonly dictionaries?: readonly Dictionary[] | undefined;
}

/**
 * The dictionary a frame names.
 * @throws ERR_DWCP_DICTIONARY_MISMATCH when it is not among `choice`
 */
export function chosenDictionary(id: number, choice: DictionaryChoice): Dictionary {
  if (choice.dictionary?.id === id) return choice.dictionary;
  const found = choice.dictionaries?.find((candidate) => candidate.id === id);
  if (found) return found;
  throw new DwcpError(
    'ERR_DWCP_DICTIONARY_MISMATCH',
    `the frame was made with dictionary ${id}, which was not given`,
    { detail: { dictionaryId: id } },
  );
}

function idOf(binding: CodecBinding, bytes: Buffer): number {
  if (bytes.length >= ID_AT && bytes.readUInt32LE(0) === TRAINED_MAGIC) {
    const id = bytes.length >= ID_AT + 4 ? bytes.readUInt32LE(ID_AT) : 0;
    if (id !== 0) return id;
    throw new DwcpError('ERR_DWCP_DICTIONARY_INVALID', 'The trained dictionary has no id.');
  }
  return FIRST_FREE_ID + (binding.xxh3(bytes).readUInt32LE(0) % FREE_IDS);
}
