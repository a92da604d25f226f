/**
 * Making a delta frame: which of the delta codecs, by size of the base and by how well the first did.
 * Small bases: zstd prefix, which needs no index. Large ones: chunk, whose copies cost a memcmp and whose
 * patch is a memcpy; when it leaves much unmatched, prefix is tried too and the smaller kept.
 */
import type { CodecBinding } from '../native/contract.ts';
import type { Baseline } from './baseline.ts';
import { encodeChunk, encodeChunkAsync } from './chunk-delta.ts';
import { codecSetOf } from './codecs.ts';
import { writeFrame } from './frame.ts';
import { encodePayloadAsync } from './payload.ts';
import { Codec } from './types.ts';
import type { Digest } from './types.ts';

/** Up to this base size a prefix delta is smallest and quick, bytes. */
const PREFIX_BELOW_BYTES = 256 * 1024;
/** Above this base size zstd's windows and memory grow past their limits, bytes. */
const PREFIX_LIMIT_BYTES = 64 * 1024 * 1024;
/** A chunk delta above this share of the value matched poorly. */
const POOR_SHARE = 1 / 16;
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

/** A frame for `content` against `baseline`, or undefined when no delta codec can be used. */
export async function deltaFrame(
  binding: CodecBinding,
  baseline: Baseline,
  content: Buffer,
  digest: Digest,
  options: DeltaOptions,
): Promise<Buffer | undefined> {
  const { codecs, level = 3, signal } = options;
  if (baseline.sizeBytes === 0) return undefined;
  const { encode } = codecSetOf(binding);
  const usable = (codec: Codec): boolean =>
    encode.includes(codec) && (codecs?.includes(codec) ?? true);
  const chunk = usable(Codec.chunk);
  const prefix = usable(Codec.prefix) && suitsPrefix(baseline.bytes, content);
  const base = await baseline.digestAsync(digest.kind, binding);
  const frame = (codec: Codec, payload: Uint8Array): Buffer =>
    writeFrame(binding, { codec, contentBytes: content.length, base, checksum: digest }, payload);
  const prefixFrame = async (): Promise<Buffer> => {
    const request = { codec: Codec.prefix, level, prefix: baseline.bytes };
    return frame(Codec.prefix, await encodePayloadAsync(binding, content, request));
  };
  if (prefix && (!chunk || baseline.sizeBytes <= PREFIX_BELOW_BYTES)) return prefixFrame();
  if (!chunk) return undefined;
  const chunked = frame(Codec.chunk, await chunkPayload(baseline, content, level, signal));
  if (!prefix || chunked.length < content.length * POOR_SHARE) return chunked;
  const prefixed = await prefixFrame();
  return prefixed.length < chunked.length ? prefixed : chunked;
}

async function chunkPayload(
  baseline: Baseline,
  content: Buffer,
  level: number,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  const { bytes } = baseline;
  if (Math.max(bytes.length, content.length) <= SYNC_CHUNK_BYTES) {
    return encodeChunk(baseline.chunkIndex(), bytes, content, level);
  }
  const index = await baseline.chunkIndexAsync();
  return encodeChunkAsync(index, bytes, content, level, signal);
}

function suitsPrefix(base: Buffer, content: Buffer): boolean {
  if (Math.max(base.length, content.length) > PREFIX_LIMIT_BYTES) return false;
  return base.length < 4 || base.readUInt32LE(0) !== DICTIONARY_MAGIC;
}
