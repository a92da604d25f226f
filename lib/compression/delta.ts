/**
 * Deltas for people: `diff` makes a frame against a baseline, `patch` rebuilds the value and verifies
 * base and content by digest.
 */
import type { Baseline } from './baseline.ts';
import { decodeFrame } from './decode.ts';
import type { DecodeOptions } from './decode.ts';
import { encodeDelta } from './encode.ts';
import type { EncodeOptions } from './encode.ts';

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
  options: EncodeOptions = {},
): Promise<Buffer> {
  return (await encodeDelta(baseline, next, options)).frame;
}

/**
 * Rebuilds the value a frame carries; the result is the caller's own memory. Full frames are read too.
 * @throws ERR_DWCP_BASE_MISMATCH when the frame names another base, ERR_DWCP_FRAME_CHECKSUM on wrong
 * content, and whatever `decompressAsync` throws
 */
export async function patch(
  baseline: Baseline,
  frame: Uint8Array,
  options: DecodeOptions = {},
): Promise<Buffer> {
  return (await decodeFrame(frame, options, baseline)).bytes;
}
