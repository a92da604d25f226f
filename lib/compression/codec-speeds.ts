/**
 * Which level for which link: the one with the greatest throughput from end to end, max over levels of
 * min(own speed, goodput x ratio, reader's speed), within a bound on time. Speeds and ratios start from
 * measured tables and follow what this process and this key really do. Bytes and ms throughout.
 */
import type { CodecAbilities } from '../native/contract.ts';

/** What is made: a whole value or a delta. */
export type Form = 'whole' | 'delta';

/** Level that sends the content as it is. */
export const RAW_LEVEL = -100;

interface Step {
  readonly level: number;
  /** Content bytes per ms. */
  readonly speed: number;
  /** Gain over none, in shares of level 3's. */
  readonly gain: number;
}

/** zstd on state JSON, level by level, 8 MB pieces. */
const ZSTD: readonly Step[] = [
  { level: RAW_LEVEL, speed: 5_000_000, gain: 0 },
  { level: -5, speed: 198_000, gain: 0.43 },
  { level: 1, speed: 150_000, gain: 0.8 },
  { level: 3, speed: 102_000, gain: 1 },
  { level: 6, speed: 60_000, gain: 1.12 },
  { level: 9, speed: 34_000, gain: 1.17 },
  { level: 12, speed: 15_000, gain: 1.2 },
  { level: 19, speed: 2_500, gain: 1.35 },
];
/** Brotli, where there is no zstd. */
const BROTLI: readonly Step[] = [
  { level: RAW_LEVEL, speed: 5_000_000, gain: 0 },
  { level: 1, speed: 45_000, gain: 0.83 },
  { level: 3, speed: 19_000, gain: 1 },
  { level: 6, speed: 12_500, gain: 1.06 },
  { level: 12, speed: 550, gain: 1.2 },
];
/** The efforts of the engine's delta: fast, balanced, max. */
const ENGINE: readonly Step[] = [
  { level: 1, speed: 1_500_000, gain: 0.75 },
  { level: 3, speed: 800_000, gain: 1 },
  { level: 12, speed: 60_000, gain: 1.35 },
];
/** The chunk delta's, where there is no engine. */
const CHUNK: readonly Step[] = [
  { level: 1, speed: 90_000, gain: 0.96 },
  { level: 3, speed: 80_000, gain: 1 },
  { level: 12, speed: 30_000, gain: 1.05 },
];
/** What a reader decodes per ms. */
const READ_SPEED: Readonly<Record<Form, number>> = { whole: 800_000, delta: 1_500_000 };
/** Ratio expected of a key that was not encoded yet. */
const USUAL_RATIO: Readonly<Record<Form, number>> = { whole: 4, delta: 50 };
/** Smaller content measures overhead, not speed, bytes. */
const LEAST_BYTES = 64 * 1024;
const FOLLOW = 0.25;
/** A slower level must promise this much more. */
const CLEARLY = 1.02;

/** What a level is chosen for. */
export interface LevelRequest {
  readonly form: Form;
  readonly contentBytes: number;
  /** Goodput of the link; undefined when it is not known. */
  readonly bytesPerMs: number | undefined;
  /** Ratio this key had at level 3, when known. */
  readonly ratio: number | undefined;
  /** Longest time to encode above the usual level, ms. */
  readonly maxMs: number;
  /** Level when the link is not known, and however long it takes. */
  readonly usual: number;
}

/** What one encode took and gave. */
export interface Measured {
  readonly form: Form;
  readonly level: number;
  readonly contentBytes: number;
  readonly frameBytes: number;
  readonly ms: number;
}

/** Speeds of this process. */
export class CodecSpeeds {
  readonly #steps: Readonly<Record<Form, readonly Step[]>>;
  readonly #measured = new Map<string, number>();
  /** How this machine compares with the table. */
  readonly #pace: Record<Form, number> = { whole: 1, delta: 1 };

  constructor({ zstd, deltaEncode }: Pick<CodecAbilities, 'zstd' | 'deltaEncode'>) {
    this.#steps = { whole: zstd ? ZSTD : BROTLI, delta: deltaEncode ? ENGINE : CHUNK };
  }

  /** Speed of a level, bytes per ms. */
  speed(form: Form, level: number): number {
    return (
      this.#measured.get(`${form}${level}`) ?? this.#stepOf(form, level).speed * this.#pace[form]
    );
  }

  /** Takes what an encode took. */
  observe({ form, level, contentBytes, ms }: Measured): void {
    if (contentBytes < LEAST_BYTES || level === RAW_LEVEL) return;
    const speed = contentBytes / Math.max(ms, 0.001);
    const before = this.speed(form, level);
    this.#measured.set(`${form}${level}`, before + FOLLOW * (speed - before));
    const pace = speed / this.#stepOf(form, level).speed;
    this.#pace[form] += FOLLOW * (pace - this.#pace[form]);
  }

  /** The level to use. */
  choose({ form, contentBytes, bytesPerMs, ratio, maxMs, usual }: LevelRequest): number {
    if (bytesPerMs === undefined) return usual;
    const gain = Math.max(0, (ratio ?? USUAL_RATIO[form]) - 1);
    let best = this.#steps[form][0]!.level;
    let bestRate = 0;
    for (const step of this.#steps[form]) {
      const speed = this.speed(form, step.level);
      if (step.level > usual && contentBytes / speed > maxMs) continue;
      const sent = bytesPerMs * (1 + gain * step.gain);
      const rate = Math.min(speed, sent, READ_SPEED[form]);
      if (rate <= bestRate * (bestRate > 0 ? CLEARLY : 1)) continue;
      best = step.level;
      bestRate = rate;
    }
    return best;
  }

  /** The ratio at level 3 that goes with what a level gave. */
  ratioAtUsual({ form, level, contentBytes, frameBytes }: Measured): number {
    const ratio = contentBytes / Math.max(1, frameBytes);
    const { gain } = this.#stepOf(form, level);
    return gain === 0 ? ratio : 1 + (ratio - 1) / gain;
  }

  #stepOf(form: Form, level: number): Step {
    const steps = this.#steps[form];
    return steps.findLast((step) => step.level <= level) ?? steps[0]!;
  }
}
