/**
 * Deltas for people: `diff` makes a frame against a baseline, `patch` rebuilds the value and verifies
 * base and content by digest.
 */
import { invalidArg } from '../errors.ts';
import type { Baseline } from './baseline.ts';
import { codecsOf } from './codecs.ts';
import { decodeFrame } from './decode.ts';
import type { DecodeOptions } from './decode.ts';
import { encodeDelta } from './encode.ts';
import type { EncodeOptions } from './encode.ts';
import { isDelta } from './frame.ts';
import type { Codec } from './types.ts';

/** Options of {@link diff}. */
export interface DiffOptions extends EncodeOptions {
  /** Use this delta codec and no other; by default the best that both sides have. */
  readonly codec?: typeof Codec.prefix | typeof Codec.chunk | typeof Codec.delta | undefined;
  /** How hard to look: `max` trades time for bytes. Default `balanced`; `level` overrides it. */
  readonly effort?: Effort | undefined;
}

/** Speed against size. */
export type Effort = 'fast' | 'balanced' | 'max';

const LEVELS: Readonly<Record<Effort, number>> = { fast: 1, balanced: 3, max: 12 };

/**
 * Encodes `next` against `baseline`; a full frame when that is no larger. Both are borrowed until the
 * promise settles.
 * @example
 * const frame = await diff(Baseline.of(v1), v2);
 * const same = await patch(Baseline.of(v1), frame); // equals v2
 */
export async function diff(
  baseline: Baseline,
  next: Uint8Array,
  options: DiffOptions = {},
): Promise<Buffer> {
  const { codec, effort = 'balanced' } = options;
  const level =
    options.level ?? LEVELS[effort] ?? invalidArg('options.effort', 'an Effort', effort);
  const readable = options.codecs ?? codecsOf(options.native).decode;
  const codecs =
    codec === undefined ? readable : readable.filter((id) => id === codec || !isDelta(id));
  return (await encodeDelta(baseline, next, { ...options, level, codecs })).frame;
}

/**
 * Rebuilds the value a frame carries; the result is the caller's own memory. Full frames are read
 * too. Inputs are borrowed until it settles.
 * @throws ERR_DWCP_BASE_MISMATCH when the frame names another base, ERR_DWCP_FRAME_CHECKSUM on
 * wrong content, and whatever `decompressAsync` throws
 * @example const next = await patch(Baseline.of(previous), delta);
 */
export async function patch(
  baseline: Baseline,
  frame: Uint8Array,
  options: DecodeOptions = {},
): Promise<Buffer> {
  return (await decodeFrame(frame, options, baseline)).bytes;
}
