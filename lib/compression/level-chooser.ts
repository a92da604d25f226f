/** The level of each frame of an encoder: by the link, by what this process takes, by what the key gave before. */
import type { CodecAbilities } from '../native/contract.ts';
import { CodecSpeeds } from './codec-speeds.ts';
import type { Form, Measured } from './codec-speeds.ts';
import { DEFAULT_LEVEL } from './types.ts';
import { ValueCache } from './value-cache.ts';

/** What an encoder was told. */
export interface LevelOptions {
  /** Level while the speed of a link is not known. */
  readonly level?: number | undefined;
  /** Longest time a value may take to encode, as far as can be foretold, ms. */
  readonly maxEncodeMs?: number | undefined;
}

const MAX_ENCODE_MS = 1_000;
/** Keys whose ratio is remembered. */
const MAX_KEYS = 16_384;

/** Speeds, and ratios by key. */
export class LevelChooser {
  readonly #speeds: CodecSpeeds;
  readonly #ratios = new ValueCache<number>(MAX_KEYS);
  readonly #usual: number;
  readonly #maxMs: number;

  constructor(
    abilities: CodecAbilities,
    { level = DEFAULT_LEVEL, maxEncodeMs = MAX_ENCODE_MS }: LevelOptions,
  ) {
    this.#speeds = new CodecSpeeds(abilities);
    this.#usual = level;
    this.#maxMs = maxEncodeMs;
  }

  /** The level for `contentBytes` of `key` over a link of `bytesPerMs`. */
  choose(key: string, form: Form, contentBytes: number, bytesPerMs: number | undefined): number {
    return this.#speeds.choose({
      form,
      contentBytes,
      bytesPerMs,
      ratio: this.#ratios.get(`${form} ${key}`),
      maxMs: this.#maxMs,
      usual: this.#usual,
    });
  }

  /** Takes what an encode took and gave. */
  observe(key: string, measured: Measured): void {
    this.#speeds.observe(measured);
    this.#ratios.set(`${measured.form} ${key}`, this.#speeds.ratioAtUsual(measured), 1);
  }
}
