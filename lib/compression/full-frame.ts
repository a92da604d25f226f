/**
 * Frames of whole values: zstd where both sides have it, else brotli, else raw; raw also when nothing is
 * saved. Padded, if need be, to stay under the default `maxRatio` of readers.
 */
import { defaultLimits } from '../limits.ts';
import type { CodecBinding } from '../native/contract.ts';
import { codecSetOf } from './codecs.ts';
import { writeFrame } from './frame.ts';
import type { Checksum } from './frame.ts';
import { Codec } from './types.ts';

/** A payload and the codec that made it. */
export interface CodedPayload {
  readonly codec: Codec;
  readonly payload: Uint8Array;
  readonly dictionaryId?: number | undefined;
}

/** A value this small is not worth a codec's own header, bytes. */
export const RAW_BELOW_BYTES = 32;

/** The whole-value codec for `sizeBytes` of content and a reader of `codecs` (by default this tier). */
export function fullCodec(
  binding: CodecBinding,
  sizeBytes: number,
  codecs: readonly Codec[] | undefined,
): Codec {
  if (sizeBytes < RAW_BELOW_BYTES) return Codec.raw;
  const { encode } = codecSetOf(binding);
  for (const codec of [Codec.zstd, Codec.brotli] as const) {
    if (encode.includes(codec) && (codecs?.includes(codec) ?? true)) return codec;
  }
  return Codec.raw;
}

/** Frames a payload, or the content itself when the payload is no smaller. */
export function writeFullFrame(
  binding: CodecBinding,
  content: Buffer,
  { codec, payload, dictionaryId }: CodedPayload,
  checksum: Checksum,
): Buffer {
  const smaller = payload.length < content.length;
  const header = {
    codec: smaller ? codec : Codec.raw,
    contentBytes: content.length,
    dictionaryId: smaller ? dictionaryId : undefined,
    checksum,
    maxRatio: defaultLimits.codec.maxRatio,
  };
  return writeFrame(binding, header, smaller ? payload : content);
}
