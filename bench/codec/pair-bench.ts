/**
 * One pair, ready to be measured: base indexed, the frame checked, and the figures of the peers computed when a
 * row first asks for them.
 */
import { Baseline, DigestKind, diff, patch } from '../../lib/compression/index.ts';
import { native } from '../../lib/native/load.ts';
import { interleaved } from '../measure.ts';
import type { Comparison } from '../measure.ts';
import type { Pair } from './pairs.ts';
import { xdelta } from './xdelta.ts';
import type { XdeltaRun } from './xdelta.ts';

/** Reading limits above the largest pair. */
export const LIMITS: { readonly maxOutputBytes: number } = { maxOutputBytes: 256 * 1024 * 1024 };

/** See the file. */
export class PairBench {
  readonly pair: Pair;
  readonly baseline: Baseline;
  /** What `diff` makes by default. */
  readonly frame: Buffer;
  /** zstd level 3 with the base as prefix and long-distance matching. */
  readonly prefixed: Buffer;
  #timed: Comparison | undefined;
  #xdelta: XdeltaRun | undefined;

  private constructor(pair: Pair, baseline: Baseline, frame: Buffer) {
    this.pair = pair;
    this.baseline = baseline;
    this.frame = frame;
    this.prefixed = native.codec.zstdCompress(pair.next, { level: 3, prefix: pair.base });
  }

  static async of(pair: Pair): Promise<PairBench> {
    const baseline = Baseline.of(pair.base);
    await baseline.deltaIndexAsync(native.codec);
    await baseline.digestAsync(DigestKind.xxh3);
    const frame = await diff(baseline, pair.next);
    const back = await patch(baseline, frame, { limits: LIMITS });
    if (!back.equals(pair.next)) throw new Error(`${pair.name}: the delta is not the value`);
    return new PairBench(pair, baseline, frame);
  }

  /** Time of `diff` against that of the prefix delta, both on the thread pool. */
  async timed(): Promise<Comparison> {
    const { base, next } = this.pair;
    return (this.#timed ??= await interleaved(
      () => diff(this.baseline, next),
      () => native.codec.zstdCompressAsync(next, { level: 3, prefix: base }),
    ));
  }

  /** Size and time of xdelta3 -9. */
  xdelta(): XdeltaRun {
    return (this.#xdelta ??= xdelta(this.pair.base, this.pair.next));
  }
}
