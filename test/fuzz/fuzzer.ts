/**
 * A coverage-guided fuzzer in one process: mutates inputs of a corpus, keeps those that reach a block nothing reached
 * before, and stops at the first input that shows a defect. All choices come from one seed.
 */
import { seededRandom } from '../../lib/random.ts';
import { BlockCoverage } from './coverage.ts';
import { Mutator } from './mutator.ts';
import type { FuzzTarget } from './decoded.ts';

const batchSize = 512;
/** An input that takes this long is a defect of its own, ms. */
const slowMs = 1_000;

/** When to stop, and what to begin with. */
export interface FuzzOptions {
  readonly seed: number;
  /** Asked between batches. */
  readonly goOn: (runs: number) => boolean;
  /** Inputs kept by earlier runs. */
  readonly corpus?: readonly Buffer[];
  /** Told of every input kept. */
  readonly onKept?: (input: Buffer) => void;
}

/** What came of it. */
export interface FuzzReport {
  readonly runs: number;
  readonly reached: number;
  readonly corpus: number;
  readonly failure: { readonly input: Buffer; readonly error: unknown } | undefined;
}

/** How long one run takes, ms; what it throws is the defect. */
function timed(target: FuzzTarget, input: Buffer): number {
  const startMs = performance.now();
  target.run(input);
  return performance.now() - startMs;
}

/** Runs one input; what it throws is the defect. Slow is what is slow three times: once may be the machine. */
export function runOne(target: FuzzTarget, input: Buffer): void {
  let tookMs = timed(target, input);
  for (let i = 0; i < 2 && tookMs > slowMs; i += 1) tookMs = timed(target, input);
  if (tookMs > slowMs) throw new Error(`one input took ${Math.round(tookMs)} ms`);
}

/** See the file header. */
export function fuzz(target: FuzzTarget, options: FuzzOptions): FuzzReport {
  const mutator = new Mutator(seededRandom(options.seed), target.words);
  using coverage = new BlockCoverage(target.files);
  const corpus = [...target.seeds, ...(options.corpus ?? [])];
  let runs = 0;
  let failure: FuzzReport['failure'];
  const run = (input: Buffer): void => {
    if (failure) return;
    runs += 1;
    try {
      runOne(target, input);
    } catch (error) {
      failure = { input, error };
    }
  };
  for (const input of corpus) run(input);
  coverage.take(true);
  const any = (): Buffer => corpus[mutator.below(corpus.length)]!;
  const keep = (input: Buffer): void => {
    run(input);
    if (!coverage.take(true)) return;
    corpus.push(input);
    options.onKept?.(input);
  };
  /** Finds, by halves, the inputs of a batch that reach something new. */
  const look = (batch: readonly Buffer[]): void => {
    if (batch.length === 1) return keep(batch[0]!);
    const middle = batch.length >> 1;
    for (const half of [batch.slice(0, middle), batch.slice(middle)]) {
      for (const input of half) run(input);
      if (coverage.take(false)) look(half);
    }
  };
  while (!failure && options.goOn(runs)) {
    const batch = Array.from({ length: batchSize }, () => mutator.mutate(any(), any()));
    for (const input of batch) run(input);
    if (coverage.take(false)) look(batch);
  }
  return { runs, reached: coverage.size, corpus: corpus.length, failure };
}
