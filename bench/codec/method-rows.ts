/**
 * Row 12: the fixed rule against each method alone, over every pair of the suite. A method is in the speed class of
 * the choice when it takes at most twice its time.
 */
import { Codec, diff } from '../../lib/compression/index.ts';
import type { Baseline } from '../../lib/compression/index.ts';
import { median } from '../measure.ts';
import type { Measurement } from '../suite.ts';
import { bytesCase } from './cases.ts';

const BAR = 1.05;
const SAME_CLASS = 2;
const ROUNDS = 3;
const methods = [Codec.delta, Codec.prefix, Codec.chunk] as const;

interface Made {
  readonly bytes: number;
  readonly ms: number;
}

async function once(make: () => Promise<Buffer>): Promise<Made> {
  const start = performance.now();
  const bytes = (await make()).length;
  return { bytes, ms: performance.now() - start };
}

/** The median of some calls; a call that is far outside `classMs` is not repeated. */
async function made(make: () => Promise<Buffer>, classMs = Infinity): Promise<Made> {
  const rounds = [await once(make)];
  if (rounds[0]!.ms > classMs * 10) return rounds[0]!;
  for (let i = 1; i <= ROUNDS; i++) rounds[i] = await once(make);
  return { bytes: rounds[0]!.bytes, ms: median(rounds.slice(1).map(({ ms }) => ms)) };
}

/** Sums what the rule chose and what would have been best. */
export class MethodRows {
  #chosen = 0;
  #best = 0;
  #worst = { name: '', chosen: 0, best: 1 };

  /** Tries every method on a pair; returns chosen / best. */
  async add(name: string, baseline: Baseline, next: Buffer): Promise<number> {
    const chosen = await made(() => diff(baseline, next));
    let best = chosen.bytes;
    for (const codec of methods) {
      const other = await made(() => diff(baseline, next, { codec }), chosen.ms);
      if (other.ms <= chosen.ms * SAME_CLASS) best = Math.min(best, other.bytes);
    }
    this.#chosen += chosen.bytes;
    this.#best += best;
    if (chosen.bytes / best > this.#worst.chosen / this.#worst.best) {
      this.#worst = { name, chosen: chosen.bytes, best };
    }
    return chosen.bytes / best;
  }

  /** The sum over all pairs, and the pair where the rule does worst. */
  *cases(): Generator<Measurement> {
    if (this.#best === 0) return;
    yield bytesCase('12 the rule / the best method, all pairs', BAR, this.#chosen, this.#best);
    const { name, chosen, best } = this.#worst;
    yield bytesCase(`12 the rule / the best method, worst pair (${name})`, BAR, chosen, best);
  }
}
