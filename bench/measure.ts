/**
 * Interleaved timing: A, B, B, A, A, B, … in one process, so that both meet the same weather. The ratio is the
 * median of the rounds' own ratios, which a slow minute in the middle does not bend.
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Something to time; awaited when it returns a promise. */
export type Timed = () => unknown;

/** The outcome of {@link interleaved}. */
export interface Comparison {
  /** Median of time(a) / time(b). */
  readonly ratio: number;
  /** Median time of one call, ms. */
  readonly aMs: number;
  readonly bMs: number;
}

/**
 * Many rounds: a neighbour on the machine spoils some of them, not the median. As many as fit into the time, odd, so
 * that one is in the middle.
 */
const ROUNDS_MS = 1000;
const MOST_ROUNDS = 101;
const LEAST_ROUNDS = 9;
/** From here on a call is slow: two calls warm it, ms. */
const SLOW_MS = 50;
/** A sample of short calls repeats them until it is this long, ms. */
const SAMPLE_MS = 1.5;

/** Collects garbage: what one sample leaves behind would otherwise be paid for by some later one. */
export const collect: () => void = (() => {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
})();

/**
 * Times `a` against `b`; both run a few times before anything counts. `before` runs ahead of every sample and is not
 * timed.
 */
export async function interleaved(
  a: Timed,
  b: Timed,
  before: () => void = () => {},
): Promise<Comparison> {
  const [aOnce, bOnce] = [await warm(a), await warm(b)];
  const [aTimes, bTimes]: [number[], number[]] = [[], []];
  const sampleOf = (call: Timed, times: number[], repeats: number) => async (): Promise<void> => {
    before();
    times.push(await time(call, repeats));
  };
  const [aRepeats, bRepeats] = [repeatsOf(aOnce), repeatsOf(bOnce)];
  const sampleA = sampleOf(a, aTimes, aRepeats);
  const sampleB = sampleOf(b, bTimes, bRepeats);
  const rounds = roundsOf(aOnce * aRepeats + bOnce * bRepeats);
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? [sampleA, sampleB] : [sampleB, sampleA];
    for (const sample of order) await sample();
  }
  const ratios = aTimes.map((ms, round) => ms / bTimes[round]!);
  return { ratio: median(ratios), aMs: median(aTimes), bMs: median(bTimes) };
}

/** Rounds for a round of `roundMs`. */
function roundsOf(roundMs: number): number {
  const fitting = Math.floor(ROUNDS_MS / roundMs / 2) * 2 + 1;
  return Math.min(MOST_ROUNDS, Math.max(LEAST_ROUNDS, fitting));
}

function repeatsOf(onceMs: number): number {
  return Math.max(1, Math.ceil(SAMPLE_MS / onceMs));
}

/** The middle of `values`. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((x, y) => x - y);
  return sorted[Math.floor(sorted.length / 2)]!;
}

/** Runs until the compiler had its chance, and returns the time of one call, ms. */
async function warm(call: Timed): Promise<number> {
  await time(call, 1);
  const first = await time(call, 1);
  if (first >= SLOW_MS) return first;
  const repeat = Math.min(2000, Math.max(2, Math.ceil(40 / first)));
  return time(call, repeat);
}

async function time(call: Timed, repeat: number): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < repeat; i++) {
    const result = call();
    if (result instanceof Promise) await result;
  }
  return (performance.now() - start) / repeat;
}
