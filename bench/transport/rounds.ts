/** Contestants in turn: every round takes one sample of each, in an order that changes. */
import { median } from '../measure.ts';
import { type Contestant, type Load, type Sample, sample } from './sample.ts';
import type { Bar } from './workloads.ts';

/** Pairs behind every ratio. */
const ROUNDS = 5;

/** Samples by contestant, in the order of the rounds. */
export type Samples = ReadonlyMap<Contestant, readonly Sample[]>;

/** Samples all contestants, A B C, C B A, … */
export async function takeRounds(
  load: Load,
  contestants: readonly Contestant[],
  node: string,
): Promise<Samples> {
  const samples = new Map(contestants.map((each) => [each, [] as Sample[]]));
  for (let round = 0; round < ROUNDS; round++) {
    const order = round % 2 === 0 ? contestants : contestants.toReversed();
    for (const each of order) samples.get(each)!.push(await sample(load, each, node));
  }
  return samples;
}

/** The median of the rounds' own ratios, and the median figures behind it. */
export function compare(
  samples: Samples,
  { of, over, figure }: Bar,
): { ratio: number; detail: string } {
  const [a, b] = [of, over].map((each) => samples.get(each)!.map((one) => figure.of(one)));
  return {
    ratio: median(a!.map((value, round) => value / b![round]!)),
    detail: `${figure.show(median(a!))} against ${figure.show(median(b!))}`,
  };
}
