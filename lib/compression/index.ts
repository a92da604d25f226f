/** `dwcp/compression`: the public API. */
export { Baseline } from './baseline.ts';
export { codecName, codecsOf } from './codecs.ts';
export type { CodecSet } from './codecs.ts';
export { compress, compressAsync, decompress, decompressAsync } from './compress.ts';
export type { CompressAsyncOptions, CompressOptions } from './compress.ts';
export { decodeFrame, decodeFrameSync } from './decode.ts';
export type { Decoded, DecodeOptions } from './decode.ts';
export { Dictionary } from './dictionary.ts';
export type { DictionaryChoice } from './dictionary.ts';
export { diff, patch } from './delta.ts';
export type { DiffOptions, Effort } from './delta.ts';
export {
  digest,
  digestAsync,
  digestEquals,
  digestFromName,
  digestKindsOf,
  digestName,
} from './digest.ts';
export { encodeDelta, encodeFull } from './encode.ts';
export type { EncodeOptions, Encoded } from './encode.ts';
export { ChecksumKind, isDelta, readFrameInfo } from './frame.ts';
export type { Checksum, FrameInfo } from './frame.ts';
export { diffFromSignature, signature } from './signature.ts';
export type { SignatureDiffOptions, SignatureOptions } from './signature.ts';
export { stats } from './stats.ts';
export type { CodecCounters, CodecStats, EncodeEvent } from './stats.ts';
export type { TrainAsyncOptions, TrainOptions } from './training.ts';
export { Codec, DigestKind } from './types.ts';
export type { Digest } from './types.ts';
