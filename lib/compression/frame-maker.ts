/**
 * One frame by one plan: whole, against a dictionary, against a base, or against a signature. Incompressible
 * values are found by a probe and sent raw; whatever was planned, the smaller form is taken.
 */
import { DigestKind } from './types.ts';
import type { Digest } from './types.ts';
import type { CodecLimits } from '../limits.ts';
import type { NativeBinding } from '../native/contract.ts';
import type { Baseline } from './baseline.ts';
import { codecName } from './codecs.ts';
import { RAW_LEVEL } from './codec-speeds.ts';
import { compress } from './compress.ts';
import type { Dictionary } from './dictionary.ts';
import { encodeDelta, encodeFull } from './encode.ts';
import type { EncodeOptions, Encoded } from './encode.ts';
import { codecOf, readFrameInfo } from './frame.ts';
import { encodeFromSignature } from './signature.ts';
import { bindingOf } from './tier.ts';
import { Codec } from './types.ts';

/** How a value was sent. */
export type Method = keyof typeof Codec | 'dictionary' | 'signature';

/** What to make. */
export interface FramePlan {
  readonly next: Baseline;
  /** Digest of `next`, of the kind the reader verifies. */
  readonly digest: Digest;
  readonly codecs: readonly Codec[];
  readonly level: number;
  readonly base?: Baseline | undefined;
  readonly signature?: Buffer | undefined;
  readonly dictionary?: Dictionary | undefined;
  readonly limits: CodecLimits;
  readonly native: NativeBinding | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What came of it. */
export interface MadeFrame {
  readonly frame: Buffer;
  readonly method: Method;
  readonly level: number;
  /** The base a reader needs. */
  readonly base: Digest | undefined;
}

/** Up to this size a dictionary says more about a value than the value itself, bytes. */
const DICTIONARY_BELOW_BYTES = 16 * 1024;
/** From this size on it is worth asking whether a value compresses at all, bytes. */
const PROBE_FROM_BYTES = 16 * 1024;
const PROBE_BYTES = 64 * 1024;
const PROBE_PLACES = 4;
const PROBE_LEVEL = -5;
/** A value of which the probe saves less than this is sent raw. */
const LEAST_GAIN = 0.03;

/** Makes the frame; what it is given is borrowed until it settles. */
export async function makeFrame(plan: FramePlan): Promise<MadeFrame> {
  const { base, signature, digest, native } = plan;
  const options = { ...plan, digestKind: digest.kind };
  if (base) {
    const delta = of(await encodeDelta(base, plan.next.bytes, options), plan);
    return smaller(delta, withDictionary(plan));
  }
  if (signature) {
    const { frame, codec } = await encodeFromSignature(signature, plan.next.bytes, options);
    const { base: named } = readFrameInfo(frame, native);
    return {
      frame,
      method: named ? 'signature' : codecName(codec),
      level: plan.level,
      base: named,
    };
  }
  return withDictionary(plan) ?? of(await whole(plan, options), plan);
}

async function whole(plan: FramePlan, options: EncodeOptions): Promise<Encoded> {
  const raw = plan.level === RAW_LEVEL || isIncompressible(plan);
  return encodeFull(plan.next.bytes, raw ? { ...options, codecs: [Codec.raw], level: 3 } : options);
}

function of({ frame, codec }: Encoded, { level, native }: FramePlan): MadeFrame {
  const { base } = readFrameInfo(frame, native);
  return { frame, method: codecName(codec), level, base };
}

function smaller(made: MadeFrame, other: MadeFrame | undefined): MadeFrame {
  return other && other.frame.length < made.frame.length ? other : made;
}

/** The frame with a dictionary, where there is one and the value is small. */
function withDictionary(plan: FramePlan): MadeFrame | undefined {
  const { dictionary, next, codecs, level, native, digest } = plan;
  if (!dictionary || next.sizeBytes > DICTIONARY_BELOW_BYTES || next.sizeBytes === 0)
    return undefined;
  if (!codecs.includes(Codec.zstd) || !bindingOf(native).abilities.zstd) return undefined;
  const strength = Math.max(1, level);
  const checksum = digest.kind === DigestKind.xxh3 ? DigestKind.xxh3 : DigestKind.sha256;
  const frame = compress(next.bytes, { dictionary, level: strength, checksum, native });
  const method = codecOf(frame) === Codec.zstd ? 'dictionary' : 'raw';
  return { frame, method, level: strength, base: undefined };
}

/** Some of the value from several places, compressed as fast as can be. */
function isIncompressible({ next, native }: FramePlan): boolean {
  const { bytes } = next;
  const binding = bindingOf(native);
  if (bytes.length < PROBE_FROM_BYTES || !binding.abilities.zstd) return false;
  const size = Math.min(PROBE_BYTES, bytes.length) / PROBE_PLACES;
  const stride = Math.floor((bytes.length - size) / (PROBE_PLACES - 1));
  let packed = 0;
  for (let i = 0; i < PROBE_PLACES; i++) {
    const sample = bytes.subarray(i * stride, i * stride + size);
    packed += binding.zstdCompress(sample, { level: PROBE_LEVEL }).length;
  }
  return packed > (1 - LEAST_GAIN) * size * PROBE_PLACES;
}
