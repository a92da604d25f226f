/** Training on the addon: samples are packed and cross in one call. */
import { readTrainingOptions } from './arguments.ts';
import type { DictionaryTraining, TrainingOptions } from './contract.ts';
import { packSamples } from './training-set.ts';

/** What training looks at; it takes a few seconds then, bytes. */
const BUDGET_BYTES = 16 * 1024 * 1024;

/** Packed samples, their lengths, the size of the dictionary, the level. */
export type TrainRequest = readonly [
  bytes: Uint8Array,
  lengths: Uint8Array,
  sizeBytes: number,
  level: number,
];

/** The training functions of the addon. */
export interface TrainingExports {
  dictionaryTrain(...request: TrainRequest): DictionaryTraining;
  dictionaryTrainAsync(...request: TrainRequest): Promise<DictionaryTraining>;
}

/** What crosses to the addon for a training. */
export function trainRequest(
  samples: readonly Uint8Array[],
  options: TrainingOptions,
): TrainRequest {
  const { sizeBytes, level } = readTrainingOptions(samples, options);
  const { bytes, lengths } = packSamples(samples, BUDGET_BYTES);
  return [bytes, new Uint8Array(lengths.buffer), sizeBytes, level];
}
