/**
 * Deltas without a common base, in the manner of rsync: who has some old version sends its signature, about
 * 0.8 % of the value, and gets a frame that `patch` reads like any other. Blocks are found at any offset, so
 * insertions cost what they are. Hashes guard against accidents; a forged signature gives a frame whose
 * digest does not verify, never a wrong value.
 */
import { defaultLimits } from '../limits.ts';
import type { CodecLimits } from '../limits.ts';
import { checkBlockBytes } from '../native/arguments.ts';
import type { CodecBinding, NativeBinding } from '../native/contract.ts';
import { Baseline } from './baseline.ts';
import { literalsOf, packOps, writeChunkPayload } from './chunk-format.ts';
import { storeLiteralsAsync, storeOpsAsync } from './chunk-parts.ts';
import type { ChunkOps } from './chunk-scan.ts';
import { computeDigestAsync, digestKinds } from './digest.ts';
import { deltaOrWhole } from './encode.ts';
import type { EncodeOptions, Encoded } from './encode.ts';
import { writeFrame } from './frame.ts';
import { RAW_BELOW_BYTES } from './full-frame.ts';
import { inputBuffer } from './payload.ts';
import { throwIfAborted } from './signal.ts';
import { parseSignature, writeSignature } from './signature-format.ts';
import type { SignatureInfo } from './signature-format.ts';
import { bindingOf } from './tier.ts';
import { Codec, DEFAULT_LEVEL } from './types.ts';
import type { DigestKind } from './types.ts';

/** Options of {@link signature}. */
export interface SignatureOptions {
  /** Block size, a power of two from 64 to 65,536; smaller finds more and takes more. By default 1,024. */
  readonly blockBytes?: number | undefined;
  /** Kind of the digest that names the value; by default the best of this tier. */
  readonly digestKind?: DigestKind | undefined;
  /** The tier to use; the loaded one if absent. */
  readonly native?: NativeBinding | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Options of {@link diffFromSignature}. */
export interface SignatureDiffOptions extends EncodeOptions {
  /** Limits that differ from the defaults. */
  readonly limits?: Partial<CodecLimits> | undefined;
}

/** Blocks get larger when there would be more than this: 2 MiB of hashes. */
const MAX_DEFAULT_BLOCKS = 256 * 1024;
const DEFAULT_BLOCK_BYTES = 1024;
/** With more of the value unmatched than this, no delta is worth its base. */
const WHOLE_ABOVE_SHARE = 0.95;
/** Up to this size hashing and matching take less than a pool hop, bytes. */
const SYNC_BYTES = 64 * 1024;

/**
 * The signature of a value for a peer that has some other version of it. `bytes` is borrowed until the promise
 * settles; the result is the caller's own memory.
 * @throws ERR_DWCP_INVALID_ARG, ERR_DWCP_ABORTED
 * @example
 * const wanted = await signature(old); // to the peer that has `next`
 * const frame = await diffFromSignature(wanted, next); // there, and back
 * const same = await patch(Baseline.of(old), frame); // equals next
 */
export async function signature(
  bytes: Uint8Array | Baseline,
  options: SignatureOptions = {},
): Promise<Buffer> {
  const binding = bindingOf(options.native);
  const value = bytes instanceof Baseline ? bytes : Baseline.of(bytes);
  const { blockBytes = blockBytesFor(value.sizeBytes) } = options;
  checkBlockBytes('options.blockBytes', blockBytes);
  throwIfAborted(options.signal);
  const kind = options.digestKind ?? digestKinds(binding)[0]!;
  const [digest, hashes] = await Promise.all([
    value.digestAsync(kind, binding),
    value.sizeBytes <= SYNC_BYTES
      ? binding.blockHashes(value.bytes, blockBytes)
      : binding.blockHashesAsync(value.bytes, blockBytes),
  ]);
  throwIfAborted(options.signal);
  return writeSignature(binding, { digest, contentBytes: value.sizeBytes, blockBytes, hashes });
}

/**
 * Encodes `next` against the value a signature describes; whole when that is no larger. Both are borrowed until
 * the promise settles; the result is the caller's own memory.
 * @throws ERR_DWCP_INVALID_ARG, ERR_DWCP_ABORTED, ERR_DWCP_LIMIT (`maxSignatureBytes`), ERR_DWCP_FRAME_* for a
 * signature that is none
 * @example const frame = await diffFromSignature(await signature(old), next);
 */
export async function diffFromSignature(
  signatureBytes: Uint8Array,
  next: Uint8Array,
  options: SignatureDiffOptions = {},
): Promise<Buffer> {
  return (await encodeFromSignature(signatureBytes, next, options)).frame;
}

/** As {@link diffFromSignature}, with what is in the frame. */
export async function encodeFromSignature(
  signatureBytes: Uint8Array,
  next: Uint8Array,
  options: SignatureDiffOptions = {},
): Promise<Encoded> {
  const binding = bindingOf(options.native);
  const content = inputBuffer('next', next);
  const limits = { ...defaultLimits.codec, ...options.limits };
  const base = parseSignature(binding, inputBuffer('signature', signatureBytes), limits);
  const { codecs, digest, digestKind = digest?.kind ?? base.digest.kind, signal } = options;
  throwIfAborted(signal);
  const [checksum, payload] = await Promise.all([
    digest?.kind === digestKind ? digest : computeDigestAsync(binding, digestKind, content),
    content.length >= RAW_BELOW_BYTES && (codecs?.includes(Codec.chunk) ?? true)
      ? payloadFrom(binding, base, content, options.level ?? DEFAULT_LEVEL)
      : undefined,
  ]);
  throwIfAborted(signal);
  const header = { codec: Codec.chunk, contentBytes: content.length, base: base.digest, checksum };
  const frame = payload && writeFrame(binding, header, payload);
  const tried = { frame, baseBytes: base.contentBytes, digest: checksum };
  return deltaOrWhole(binding, content, tried, options);
}

/** A chunk payload, or undefined when too little of the value is known to the peer. */
async function payloadFrom(
  binding: CodecBinding,
  { hashes, blockBytes, contentBytes }: SignatureInfo,
  content: Buffer,
  level: number,
): Promise<Buffer | undefined> {
  const base = { hashes, blockBytes, baseBytes: contentBytes };
  const found =
    content.length <= SYNC_BYTES
      ? binding.blockMatch(content, base)
      : await binding.blockMatchAsync(content, base);
  const ops = chunkOps(found);
  const literals = literalsOf(ops, content);
  if (literals.length > content.length * WHOLE_ABOVE_SHARE) return undefined;
  const packed = packOps(ops);
  const [storedOps, storedLiterals] = await Promise.all([
    storeOpsAsync(packed),
    // The base is not here, so literals are compressed without what surrounds them there.
    storeLiteralsAsync(literals, Buffer.alloc(0), level),
  ]);
  const sizes = { opCount: ops.length / 3, opBytes: packed.length, literalBytes: literals.length };
  return writeChunkPayload(sizes, storedOps, storedLiterals);
}

/** Operations as the seam gives them, in the order of a chunk delta. */
function chunkOps(found: Buffer): ChunkOps {
  const words = new Uint32Array(found.length / 4);
  new Uint8Array(words.buffer).set(found);
  const ops: ChunkOps = [];
  for (let i = 0; i < words.length; i += 3) ops.push(words[i]!, words[i + 2]!, words[i + 1]!);
  return ops;
}

function blockBytesFor(sizeBytes: number): number {
  let blockBytes = DEFAULT_BLOCK_BYTES;
  while (sizeBytes / blockBytes > MAX_DEFAULT_BLOCKS) blockBytes *= 2;
  return blockBytes;
}
