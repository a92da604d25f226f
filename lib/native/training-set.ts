/**
 * Samples for training, packed one after the other: what crosses the seam in one call. More than the budget
 * is thinned evenly over all samples, so that time and memory of training are bounded whatever comes in.
 */

/** zstd learns from no more of a record: one block, bytes. */
const MAX_SAMPLE_BYTES = 131_072;

/** Packed samples. */
export interface TrainingSet {
  readonly bytes: Buffer;
  readonly lengths: Uint32Array;
}

/** A copy of at most `budgetBytes` and one sample of `samples`, in their order. */
export function packSamples(samples: readonly Uint8Array[], budgetBytes: number): TrainingSet {
  const cut = samples.map((sample) => sample.subarray(0, MAX_SAMPLE_BYTES));
  const total = cut.reduce((sum, sample) => sum + sample.length, 0);
  const chosen = total <= budgetBytes ? cut : thinned(cut, budgetBytes / total);
  return {
    bytes: Buffer.concat(chosen),
    lengths: Uint32Array.from(chosen, (sample) => sample.length),
  };
}

/** About `share` of the bytes, evenly spread. */
function thinned(samples: readonly Uint8Array[], share: number): Uint8Array[] {
  const chosen: Uint8Array[] = [];
  let seen = 0;
  let taken = 0;
  for (const sample of samples) {
    seen += sample.length;
    if (taken + sample.length > seen * share) continue;
    taken += sample.length;
    chosen.push(sample);
  }
  return chosen;
}
