/**
 * Training dictionaries: what a training set must have, and whether what came of it is worth having. A set
 * that is too small or too uniform is an error that says what is missing, never a dictionary of no use.
 */
import { DwcpError, invalidArg } from '../errors.ts';
import type { DictionaryTraining, TrainingOptions } from '../native/contract.ts';
import { DEFAULT_LEVEL } from './types.ts';
import { inputBuffer } from './payload.ts';

/** Options of `Dictionary.train`. */
export interface TrainOptions {
  /** Largest size of the dictionary, 1 KiB to 1 MiB. Default 64 KiB. */
  readonly sizeBytes?: number | undefined;
  /** zstd level that records will be compressed at, -50 to 19. Default 3. */
  readonly level?: number | undefined;
}

/** Options of `Dictionary.trainAsync`. */
export interface TrainAsyncOptions extends TrainOptions {
  readonly signal?: AbortSignal | undefined;
}

const DEFAULT_SIZE_BYTES = 64 * 1024;
/** Fewer different samples say nothing about the next one. */
const MIN_SAMPLES = 16;
/** Fewer bytes are better sent as they are. */
const MIN_TOTAL_BYTES = 2048;
/** Samples looked at, at most; more are refused. */
const MAX_SAMPLES = 1 << 22;
/** What a dictionary must at least save on records held out from training, as a share. */
const MIN_GAIN = 0.05;

/** Options with defaults. @throws ERR_DWCP_INVALID_ARG */
export function trainingOptions({
  sizeBytes = DEFAULT_SIZE_BYTES,
  level = DEFAULT_LEVEL,
}: TrainOptions): TrainingOptions {
  return { sizeBytes, level };
}

/**
 * Checks a training set.
 * @throws ERR_DWCP_INVALID_ARG, ERR_DWCP_DICTIONARY_SAMPLES when there is too little of it
 */
export function checkSamples(samples: readonly Uint8Array[]): void {
  if (!Array.isArray(samples)) invalidArg('samples', 'an array of Uint8Array', samples);
  if (samples.length > MAX_SAMPLES) {
    invalidArg('samples', `at most ${MAX_SAMPLES} samples`, samples.length);
  }
  let bytes = 0;
  const distinct = new Set<string>();
  for (const [index, sample] of samples.entries()) {
    const buffer = inputBuffer(`samples[${index}]`, sample);
    bytes += buffer.length;
    if (distinct.size < MIN_SAMPLES && buffer.length > 0) distinct.add(buffer.toString('latin1'));
  }
  const detail = {
    samples: samples.length,
    distinctSamples: distinct.size,
    bytes,
    missingSamples: Math.max(0, MIN_SAMPLES - distinct.size),
    missingBytes: Math.max(0, MIN_TOTAL_BYTES - bytes),
  };
  if (samples.length >= MIN_SAMPLES && distinct.size === 1) {
    throw tooPoor('all samples are the same; give ones that differ as records do', detail);
  }
  if (detail.missingSamples > 0) {
    const repeated = distinct.size < samples.length ? `, ${distinct.size} of them different` : '';
    const have = `${samples.length} samples${repeated}`;
    throw tooPoor(`there are ${have}; at least ${detail.missingSamples} more are needed`, detail);
  }
  if (detail.missingBytes > 0) {
    const have = `the samples have ${bytes} bytes together`;
    throw tooPoor(`${have}; at least ${detail.missingBytes} more are needed`, detail);
  }
}

/**
 * The dictionary of a training.
 * @throws ERR_DWCP_DICTIONARY_SAMPLES when it saves next to nothing on records it was not trained on
 */
export function usefulDictionary({
  dictionary,
  heldOutBytes,
  heldOutPlainBytes,
}: DictionaryTraining): Buffer {
  const gain = heldOutPlainBytes === 0 ? 0 : 1 - heldOutBytes / heldOutPlainBytes;
  if (dictionary !== undefined && gain >= MIN_GAIN) return dictionary;
  const saved = `a dictionary saves ${(gain * 100).toFixed(1)} % on samples held out from training`;
  throw tooPoor(
    `${saved}, less than ${MIN_GAIN * 100} %: they are compressed already, noise, or not alike`,
    { heldOutBytes, heldOutPlainBytes, gain },
  );
}

const tooPoor = (what: string, detail: Readonly<Record<string, unknown>>): DwcpError =>
  new DwcpError('ERR_DWCP_DICTIONARY_SAMPLES', `No dictionary from this training set: ${what}.`, {
    detail,
  });
