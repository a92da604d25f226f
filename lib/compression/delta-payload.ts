/**
 * Making a delta: which of the delta codecs, by one fixed rule. Small bases: zstd prefix, which needs no index.
 * Larger ones: the engine's delta, or chunk where the peer or this tier has no engine. Where the
 * base is small or much stays unmatched, prefix is made too and the smaller kept.
 */
import type { CodecBinding, DeltaEffort } from '../native/contract.ts';
import type { Baseline } from './baseline.ts';
import { encodeChunk, encodeChunkAsync } from './chunk-delta.ts';
import { codecSetOf } from './codecs.ts';
import type { CodedPayload } from './full-frame.ts';
import { encodePayloadAsync } from './payload.ts';
import { Codec } from './types.ts';

/** Up to this base size a prefix delta is smallest and quick, bytes. */
const PREFIX_BELOW_BYTES = 256 * 1024;
/** Above this base size zstd's windows and memory grow past their limits, bytes. */
const PREFIX_LIMIT_BYTES = 64 * 1024 * 1024;
/** The engine's delta is smaller from this base size on, bytes. */
const ENGINE_FROM_BYTES = 8 * 1024;
/** Up to this base size either may be smaller and both are quick, so both are made, bytes. */
const COMPARE_BELOW_BYTES = 32 * 1024;
/** An engine delta above this share of the value is compared with prefix. */
const ENGINE_POOR_SHARE = 1 / 4;
/** Up to this size indexing and scanning cost less than a pool hop, bytes. */
const SYNC_ENGINE_BYTES = 64 * 1024;
/** A chunk delta above this share of the value matched poorly. */
const POOR_SHARE = 1 / 16;
/** With more of the value unmatched than this, prefix does better: the engine is not finished. */
const ENGINE_ABOVE_SHARE = 0.8;
/** The same of chunk, which has less to code new bytes with. */
const PREFIX_ABOVE_SHARE = 1 / 2;
/** With more of the value unmatched than this, no delta is worth its base. */
const FULL_ABOVE_SHARE = 0.95;
/** Values up to this size are scanned in one go, bytes. */
const SYNC_CHUNK_BYTES = 64 * 1024;
/** A base that starts like a trained dictionary (RFC 8878 section 5) is not taken as a raw prefix by all. */
const DICTIONARY_MAGIC = 0xec30a437;

/** What a delta is made with. */
export interface DeltaOptions {
  /** Codecs the reader can decode; by default those of this tier. */
  readonly codecs?: readonly Codec[] | undefined;
  readonly level?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A payload for `content` against `baseline`, or undefined when no delta codec can or should be used. */
export async function deltaPayload(
  binding: CodecBinding,
  baseline: Baseline,
  content: Buffer,
  options: DeltaOptions,
): Promise<CodedPayload | undefined> {
  const { codecs, level = 3 } = options;
  if (baseline.sizeBytes === 0) return undefined;
  const { encode } = codecSetOf(binding);
  const usable = (codec: Codec): boolean =>
    encode.includes(codec) && (codecs?.includes(codec) ?? true);
  const engine = usable(Codec.delta);
  const chunk = usable(Codec.chunk);
  const prefix = usable(Codec.prefix) && suitsPrefix(baseline.bytes, content);
  const makePrefix = async (): Promise<CodedPayload> => {
    const request = { codec: Codec.prefix, level, prefix: baseline.bytes };
    return { codec: Codec.prefix, payload: await encodePayloadAsync(binding, content, request) };
  };
  if (engine && !(prefix && baseline.sizeBytes < ENGINE_FROM_BYTES)) {
    const share = prefix ? ENGINE_ABOVE_SHARE : FULL_ABOVE_SHARE;
    const payload = await enginePayload(binding, baseline, content, level, share);
    if (!prefix) return payload && { codec: Codec.delta, payload };
    const alike = baseline.sizeBytes >= COMPARE_BELOW_BYTES;
    if (payload && alike && payload.length < content.length * ENGINE_POOR_SHARE) {
      return { codec: Codec.delta, payload };
    }
    return smaller(payload && { codec: Codec.delta, payload }, await makePrefix());
  }
  if (prefix && (!chunk || baseline.sizeBytes <= PREFIX_BELOW_BYTES)) return makePrefix();
  if (!chunk) return undefined;
  const share = prefix ? PREFIX_ABOVE_SHARE : FULL_ABOVE_SHARE;
  const payload = await chunkPayload(baseline, content, { ...options, level }, share);
  if (!prefix) return payload && { codec: Codec.chunk, payload };
  if (payload && payload.length < content.length * POOR_SHARE) {
    return { codec: Codec.chunk, payload };
  }
  return smaller(payload && { codec: Codec.chunk, payload }, await makePrefix());
}

function smaller(found: CodedPayload | undefined, prefixed: CodedPayload): CodedPayload {
  return found && found.payload.length <= prefixed.payload.length ? found : prefixed;
}

async function enginePayload(
  binding: CodecBinding,
  baseline: Baseline,
  content: Buffer,
  level: number,
  maxLiteralShare: number,
): Promise<Buffer | undefined> {
  const { bytes } = baseline;
  const maxLiteralBytes = Math.floor(content.length * maxLiteralShare);
  const options = { effort: effortOf(level), maxLiteralBytes };
  if (Math.max(bytes.length, content.length) <= SYNC_ENGINE_BYTES) {
    return binding.deltaEncode(baseline.deltaIndex(binding), bytes, content, options);
  }
  const index = await baseline.deltaIndexAsync(binding);
  return binding.deltaEncodeAsync(index, bytes, content, options);
}

/** The engine's effort that goes with a zstd level. */
function effortOf(level: number): DeltaEffort {
  if (level < 3) return 0;
  return level < 12 ? 1 : 2;
}

async function chunkPayload(
  baseline: Baseline,
  content: Buffer,
  { level, signal }: { readonly level: number; readonly signal?: AbortSignal | undefined },
  maxLiteralShare: number,
): Promise<Buffer | undefined> {
  const { bytes } = baseline;
  const options = { level, maxLiteralBytes: Math.floor(content.length * maxLiteralShare) };
  if (Math.max(bytes.length, content.length) <= SYNC_CHUNK_BYTES) {
    return encodeChunk(baseline.chunkIndex(), bytes, content, options);
  }
  const index = await baseline.chunkIndexAsync();
  return encodeChunkAsync(index, bytes, content, { ...options, signal });
}

function suitsPrefix(base: Buffer, content: Buffer): boolean {
  if (Math.max(base.length, content.length) > PREFIX_LIMIT_BYTES) return false;
  return base.length < 4 || base.readUInt32LE(0) !== DICTIONARY_MAGIC;
}
