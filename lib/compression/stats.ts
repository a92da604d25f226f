/**
 * What the codec layer of this thread did: frames and bytes by codec, and the channel
 * `dwcp:compression:encode`, published to only while somebody listens.
 */
import { channel } from 'node:diagnostics_channel';
import { Codec } from './types.ts';

/** Counters of one codec. */
export interface CodecCounters {
  readonly encoded: number;
  readonly encodedContentBytes: number;
  readonly encodedFrameBytes: number;
  readonly decoded: number;
  readonly decodedContentBytes: number;
  readonly decodedFrameBytes: number;
}

/** A snapshot of the counters. */
export interface CodecStats {
  readonly codecs: Readonly<Record<keyof typeof Codec, CodecCounters>>;
  /** Deltas given up because the full form was no larger. */
  readonly deltasRejected: number;
}

/** What `dwcp:compression:encode` carries. */
export interface EncodeEvent {
  readonly codec: Codec;
  readonly contentBytes: number;
  readonly frameBytes: number;
  /** Size of the base, for deltas, bytes. */
  readonly baseBytes: number | undefined;
}

type Counters = { -readonly [K in keyof CodecCounters]: CodecCounters[K] };

const encodeChannel = channel('dwcp:compression:encode');
/** By codec, whose ids are small. */
const byCodec: (Counters | undefined)[] = [];
let deltasRejected = 0;

function countersOf(codec: Codec): Counters {
  let counters = byCodec[codec];
  if (!counters) {
    counters = {
      encoded: 0,
      encodedContentBytes: 0,
      encodedFrameBytes: 0,
      decoded: 0,
      decodedContentBytes: 0,
      decodedFrameBytes: 0,
    };
    byCodec[codec] = counters;
  }
  return counters;
}

/** Counts a frame that was handed to a caller; its arguments are those of {@link EncodeEvent}. */
export function countEncoded(
  codec: Codec,
  contentBytes: number,
  frameBytes: number,
  baseBytes: number | undefined,
): void {
  const counters = countersOf(codec);
  counters.encoded++;
  counters.encodedContentBytes += contentBytes;
  counters.encodedFrameBytes += frameBytes;
  if (!encodeChannel.hasSubscribers) return;
  encodeChannel.publish({ codec, contentBytes, frameBytes, baseBytes } satisfies EncodeEvent);
}

/** Counts a batch of records that was handed to a caller, under `zstd`; the channel is not told. */
export function countEncodedRecords(
  records: number,
  contentBytes: number,
  frameBytes: number,
): void {
  const counters = countersOf(Codec.zstd);
  counters.encoded += records;
  counters.encodedContentBytes += contentBytes;
  counters.encodedFrameBytes += frameBytes;
}

/** Counts a batch of records that was read and verified, under `zstd`. */
export function countDecodedRecords(
  records: number,
  frameBytes: number,
  contentBytes: number,
): void {
  const counters = countersOf(Codec.zstd);
  counters.decoded += records;
  counters.decodedFrameBytes += frameBytes;
  counters.decodedContentBytes += contentBytes;
}

/** Counts a frame that was read and verified. */
export function countDecoded(codec: Codec, frameBytes: number, contentBytes: number): void {
  const counters = countersOf(codec);
  counters.decoded++;
  counters.decodedContentBytes += contentBytes;
  counters.decodedFrameBytes += frameBytes;
}

/** Counts a delta that lost against the full form. */
export function countRejectedDelta(): void {
  deltasRejected++;
}

/**
 * Counters of this thread since it started; a copy.
 * @example stats().codecs.chunk
 */
export function stats(): CodecStats {
  const codecs = {} as Record<keyof typeof Codec, CodecCounters>;
  for (const [name, codec] of Object.entries(Codec)) {
    codecs[name as keyof typeof Codec] = { ...countersOf(codec) };
  }
  return { codecs, deltasRejected };
}
