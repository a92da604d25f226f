/**
 * Choosing and making frames. Full values: raw, zstd or brotli. Deltas (`delta-frame.ts`) only when smaller
 * than the full form. Whatever is chosen, this tier can make it and the peer can read it.
 */
import type { CodecBinding, NativeBinding } from '../native/contract.ts';
import { defaultLimits } from '../limits.ts';
import type { Baseline } from './baseline.ts';
import { codecSetOf } from './codecs.ts';
import { deltaFrame } from './delta-frame.ts';
import { computeDigestAsync, digestKinds } from './digest.ts';
import { writeFrame } from './frame.ts';
import type { ChecksumKind } from './frame.ts';
import { encodePayloadAsync, inputBuffer } from './payload.ts';
import { throwIfAborted } from './signal.ts';
import { countEncoded, countRejectedDelta } from './stats.ts';
import { bindingOf } from './tier.ts';
import { Codec } from './types.ts';
import type { Digest, DigestKind } from './types.ts';

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

/** Level used when none is given. */
export const DEFAULT_LEVEL = 3;
/** A value this small is not worth a codec's own header, bytes. */
const RAW_BELOW_BYTES = 32;
/** The full form is made for comparison unless the delta is below this share of the value. */
const SURELY_SMALLER_SHARE = 1 / 100;
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
  const digest = await digestOf(binding, content, options);
  const frame = await fullFrame(binding, content, digest, options);
  throwIfAborted(options.signal);
  return finish(frame, content.length, undefined, digest);
}

/**
 * Encodes `next` as a delta against `baseline`, or whole when that is no larger. Both are borrowed until
 * the promise settles.
 * @throws ERR_DWCP_INVALID_ARG, ERR_DWCP_ABORTED, ERR_DWCP_FRAME_CODEC (no such digest kind here)
 */
export async function encodeDelta(
  baseline: Baseline,
  next: Uint8Array,
  options: EncodeOptions = {},
): Promise<Encoded> {
  const binding = bindingOf(options.native);
  const content = inputBuffer('next', next);
  throwIfAborted(options.signal);
  const digest = await digestOf(binding, content, options);
  const delta =
    content.length < RAW_BELOW_BYTES
      ? undefined
      : await deltaFrame(binding, baseline, content, digest, options);
  throwIfAborted(options.signal);
  if (delta && surelySmaller(delta.length, content.length)) {
    return finish(delta, content.length, baseline, digest);
  }
  const full = await fullFrame(binding, content, digest, options);
  throwIfAborted(options.signal);
  if (delta && delta.length < full.length) return finish(delta, content.length, baseline, digest);
  if (delta) countRejectedDelta();
  return finish(full, content.length, undefined, digest);
}

function surelySmaller(deltaBytes: number, contentBytes: number): boolean {
  return contentBytes > COMPARE_BELOW_BYTES && deltaBytes < contentBytes * SURELY_SMALLER_SHARE;
}

function finish(
  frame: Buffer,
  contentBytes: number,
  baseline: Baseline | undefined,
  digest: Digest,
): Encoded {
  const codec = frame[3] as Codec;
  const baseBytes = baseline?.sizeBytes;
  countEncoded({ codec, contentBytes, frameBytes: frame.length, baseBytes });
  return { frame, codec, digest };
}

async function digestOf(
  binding: CodecBinding,
  content: Buffer,
  { digest, digestKind }: EncodeOptions,
): Promise<Digest> {
  const kind = digestKind ?? digest?.kind ?? digestKinds(binding)[0]!;
  return digest?.kind === kind ? digest : computeDigestAsync(binding, kind, content);
}

/** The whole-value codec for a reader of `codecs`. */
export function fullCodec(binding: CodecBinding, codecs: readonly Codec[] | undefined): Codec {
  const { encode } = codecSetOf(binding);
  for (const codec of [Codec.zstd, Codec.brotli] as const) {
    if (encode.includes(codec) && (codecs?.includes(codec) ?? true)) return codec;
  }
  return Codec.raw;
}

async function fullFrame(
  binding: CodecBinding,
  content: Buffer,
  digest: Digest,
  { codecs, level = DEFAULT_LEVEL }: EncodeOptions,
): Promise<Buffer> {
  const codec = content.length < RAW_BELOW_BYTES ? Codec.raw : fullCodec(binding, codecs);
  const payload = await encodePayloadAsync(binding, content, { codec, level });
  return fullFrameOf(binding, content, payload, codec, digest);
}

/** Frames a payload, or the content itself when the payload is no smaller. */
export function fullFrameOf(
  binding: CodecBinding,
  content: Buffer,
  payload: Uint8Array,
  codec: Codec,
  checksum: { readonly kind: ChecksumKind; readonly bytes: Buffer },
): Buffer {
  const smaller = payload.length < content.length;
  const header = {
    codec: smaller ? codec : Codec.raw,
    contentBytes: content.length,
    checksum,
    maxRatio: defaultLimits.codec.maxRatio,
  };
  return writeFrame(binding, header, smaller ? payload : content);
}
