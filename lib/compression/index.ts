/** `dwcp/compression`: the public API. */
export { Baseline } from './baseline.ts';
export {
  compressBatch,
  compressBatchAsync,
  compressBatchInto,
  compressBatchIntoAsync,
  decompressBatch,
  decompressBatchAsync,
  decompressBatchInto,
  decompressBatchIntoAsync,
} from './batch.ts';
export type { Batch, BatchOptions, BatchReadOptions } from './batch.ts';
export { codecName, codecsOf } from './codecs.ts';
export type { CodecSet } from './codecs.ts';
export { compress, compressAsync, decompress, decompressAsync } from './compress.ts';
export type { CompressAsyncOptions } from './compress.ts';
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
export { Encoder } from './encoder.ts';
export type { EncodeForOptions, EncoderOptions, PeerFrame } from './encoder.ts';
export { EncoderPeer } from './encoder-peer.ts';
export type { PeerOptions } from './encoder-peer.ts';
export type { Choice, EncoderStats, MethodCounters } from './encoder-stats.ts';
export type { BaseStoreStats } from './base-store.ts';
export { Decoder } from './decoder.ts';
export type { DecodeOutcome, DecoderOptions, DecoderStats } from './decoder.ts';
export type { Method } from './frame-maker.ts';
export type { Goodput } from './link-rate.ts';
export type { Nack, NackReason, Offer, Reason } from './peer-keys.ts';
export {
  compressBound,
  compressInto,
  compressIntoAsync,
  decompressInto,
  decompressIntoAsync,
} from './into.ts';
export type { CompressOptions } from './record.ts';
export { stats } from './stats.ts';
export type { CodecCounters, CodecStats, EncodeEvent } from './stats.ts';
export type { TrainAsyncOptions, TrainOptions } from './training.ts';
export { exportZstd, exportZstdAsync, importZstd, importZstdAsync } from './zstd.ts';
export type {
  ExportAsyncOptions,
  ExportOptions,
  ImportAsyncOptions,
  ImportOptions,
} from './zstd.ts';
export { Codec, DigestKind } from './types.ts';
export type { Digest } from './types.ts';
