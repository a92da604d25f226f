/**
 * Choosing and making frames. Full values: `full-frame.ts`. Deltas: `delta-payload.ts`, used only when smaller
 * than the full form. Whatever is chosen, this tier can make it and the peer can read it.
 */
import type { CodecBinding, NativeBinding } from '../native/contract.ts';
import type { Baseline } from './baseline.ts';
import { deltaPayload } from './delta-payload.ts';
import { computeDigestAsync, digestKinds } from './digest.ts';
import { codecOf, writeFrame } from './frame.ts';
import { RAW_BELOW_BYTES, fullCodec, writeFullFrame } from './full-frame.ts';
import type { CodedPayload } from './full-frame.ts';
import { encodePayloadAsync, inputBuffer } from './payload.ts';
import { throwIfAborted } from './signal.ts';
import { countEncoded, countRejectedDelta } from './stats.ts';
import { bindingOf } from './tier.ts';
import { DEFAULT_LEVEL } from './types.ts';
import type { Codec, Digest, DigestKind } from './types.ts';

/** Options of {@link encodeFull} and {@link encodeDelta}. */
export interface EncodeOptions {
  /** Codecs the reader can decode; by default those of this tier. */
  readonly codecs?: readonly Codec[] | undefined;
  /** Digest kind the reader can verify; by default the best of this tier. */
  readonly digestKind?: DigestKind | undefined;
  /** zstd level; other codecs use what corresponds. Default 3. */
  readonly level?: number | undefined;
  /** Digest of the content, if known already; it is trusted. */
  readonly digest?: Digest | undefined;
  /** The tier to use; the loaded one if absent. */
  readonly native?: NativeBinding | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A frame and what is in it. */
export interface Encoded {
  readonly frame: Buffer;
  readonly codec: Codec;
  /** Digest of the content, of the kind asked for. */
  readonly digest: Digest;
}

/** The full form is made for comparison unless the delta is below this share of the value. */
const SURELY_SMALLER_SHARE = 1 / 100;
/** Or below this share of what samples of the value say of the full form. */
const SURELY_SMALLER_ESTIMATE = 1 / 2;
const SAMPLES = 8;
const SAMPLE_BYTES = 8 * 1024;
const SAMPLE_LEVEL = 1;
/** Values up to this size are compared always, bytes. */
const COMPARE_BELOW_BYTES = 64 * 1024;

/**
 * Encodes a whole value for a reader. `bytes` is borrowed until the promise settles.
 * @throws ERR_DWCP_INVALID_ARG, ERR_DWCP_ABORTED, ERR_DWCP_FRAME_CODEC (no such digest kind here)
 * @example
 * const { frame, digest } = await encodeFull(value, { codecs: peer.codecs });
 */
export async function encodeFull(bytes: Uint8Array, options: EncodeOptions = {}): Promise<Encoded> {
  const binding = bindingOf(options.native);
  const content = inputBuffer('bytes', bytes);
  throwIfAborted(options.signal);
  const [digest, full] = await Promise.all([
    digestOf(binding, content, options),
    fullPayload(binding, content, options),
  ]);
  throwIfAborted(options.signal);
  const frame = writeFullFrame(binding, content, full, digest);
  return finish({ frame, codec: codecOf(frame), digest }, content.length, undefined);
}

/**
 * Encodes `next` as a delta against `baseline`, or whole when that is no larger. Both are borrowed until
 * the promise settles.
 * @throws ERR_DWCP_INVALID_ARG, ERR_DWCP_ABORTED, ERR_DWCP_FRAME_CODEC (no such digest kind here)
 * @example
 * const { frame, codec } = await encodeDelta(Baseline.of(previous), next, { codecs: peer.codecs });
 */
export async function encodeDelta(
  baseline: Baseline,
  next: Uint8Array,
  options: EncodeOptions = {},
): Promise<Encoded> {
  const binding = bindingOf(options.native);
  const content = inputBuffer('next', next);
  throwIfAborted(options.signal);
  const [digest, delta] = await Promise.all([
    digestOf(binding, content, options),
    content.length < RAW_BELOW_BYTES
      ? undefined
      : deltaPayload(binding, baseline, content, options),
  ]);
  throwIfAborted(options.signal);
  const frame = delta && (await deltaFrame(binding, baseline, content.length, delta, digest));
  return deltaOrWhole(binding, content, { frame, baseBytes: baseline.sizeBytes, digest }, options);
}

/** A delta that was tried. */
export interface TriedDelta {
  readonly frame: Buffer | undefined;
  readonly baseBytes: number;
  /** Digest of the content. */
  readonly digest: Digest;
}

/** The delta, unless the whole value is no larger. */
export async function deltaOrWhole(
  binding: CodecBinding,
  content: Buffer,
  { frame, baseBytes, digest }: TriedDelta,
  options: EncodeOptions,
): Promise<Encoded> {
  if (frame && surelySmaller(binding, frame.length, content)) {
    return finish({ frame, codec: codecOf(frame), digest }, content.length, baseBytes);
  }
  const full = await fullPayload(binding, content, options);
  throwIfAborted(options.signal);
  const whole = writeFullFrame(binding, content, full, digest);
  if (frame && frame.length < whole.length) {
    return finish({ frame, codec: codecOf(frame), digest }, content.length, baseBytes);
  }
  if (frame) countRejectedDelta();
  return finish({ frame: whole, codec: codecOf(whole), digest }, content.length, undefined);
}

function surelySmaller(binding: CodecBinding, deltaBytes: number, content: Buffer): boolean {
  if (content.length <= COMPARE_BELOW_BYTES) return false;
  if (deltaBytes < content.length * SURELY_SMALLER_SHARE) return true;
  if (!binding.abilities.zstd || content.length < SAMPLES * SAMPLE_BYTES * 8) return false;
  return deltaBytes < estimatedFull(binding, content) * SURELY_SMALLER_ESTIMATE;
}

/** Size of the full form as samples compress; what repeats at a distance makes it smaller. */
function estimatedFull(binding: CodecBinding, content: Buffer): number {
  const stride = Math.floor((content.length - SAMPLE_BYTES) / (SAMPLES - 1));
  let packed = 0;
  for (let i = 0; i < SAMPLES; i++) {
    const sample = content.subarray(i * stride, i * stride + SAMPLE_BYTES);
    packed += binding.zstdCompress(sample, { level: SAMPLE_LEVEL }).length;
  }
  return (packed / (SAMPLES * SAMPLE_BYTES)) * content.length;
}

function finish(encoded: Encoded, contentBytes: number, baseBytes: number | undefined): Encoded {
  const { codec, frame } = encoded;
  countEncoded(codec, contentBytes, frame.length, baseBytes);
  return encoded;
}

async function digestOf(
  binding: CodecBinding,
  content: Buffer,
  { digest, digestKind }: EncodeOptions,
): Promise<Digest> {
  const kind = digestKind ?? digest?.kind ?? digestKinds(binding)[0]!;
  return digest?.kind === kind ? digest : computeDigestAsync(binding, kind, content);
}

async function fullPayload(
  binding: CodecBinding,
  content: Buffer,
  { codecs, level = DEFAULT_LEVEL }: EncodeOptions,
): Promise<CodedPayload> {
  const codec = fullCodec(binding, content.length, codecs);
  return { codec, payload: await encodePayloadAsync(binding, content, { codec, level }) };
}

async function deltaFrame(
  binding: CodecBinding,
  baseline: Baseline,
  contentBytes: number,
  { codec, payload }: CodedPayload,
  checksum: Digest,
): Promise<Buffer> {
  const base = await baseline.digestAsync(checksum.kind, binding);
  return writeFrame(binding, { codec, contentBytes, base, checksum }, payload);
}
