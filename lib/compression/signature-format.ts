/**
 * The signature of a value, version 1: what a peer that holds it tells one that does not.
 *
 *   "DS" version digestKind blockLog contentSize digest16 hashes crc
 *
 * `hashes`: 8 bytes per block of 2^blockLog bytes, the last one may be shorter (native/core/delta/block_hash.h).
 * `crc` is CRC-32C of all before it. The number of blocks follows from the size, so a signature is exactly
 * as long as it says, and memory for matching is a small multiple of what was received.
 */
import { DwcpError } from '../errors.ts';
import type { CodecLimits } from '../limits.ts';
import { blockSizes } from '../native/arguments.ts';
import { BLOCK_HASH_BYTES } from '../native/block-match.ts';
import type { CodecBinding } from '../native/contract.ts';
import { asBuffer } from './frame.ts';
import { DigestKind } from './types.ts';
import type { Digest } from './types.ts';
import { ByteReader, corrupt, varintSize, writeVarint } from './varint.ts';

const SIGNATURE_VERSION = 1;
const MAGIC_0 = 0x44;
const MAGIC_1 = 0x53;
const DIGEST_BYTES = 16;
const CRC_BYTES = 4;
/** Largest value a signature speaks of, bytes. */
const MAX_CONTENT_BYTES = 0x7fff_ffff;

/** What a signature says. */
export interface SignatureInfo {
  /** Digest of the value. */
  readonly digest: Digest;
  /** Size of the value, bytes. */
  readonly contentBytes: number;
  /** Size of a block, bytes. */
  readonly blockBytes: number;
  /** Hashes of the blocks, as a view. */
  readonly hashes: Buffer;
}

/** Puts a signature together. */
export function writeSignature(binding: CodecBinding, info: SignatureInfo): Buffer {
  const { digest, contentBytes, blockBytes, hashes } = info;
  const headerBytes = 5 + varintSize(contentBytes) + DIGEST_BYTES;
  const out = Buffer.allocUnsafe(headerBytes + hashes.length + CRC_BYTES);
  out[0] = MAGIC_0;
  out[1] = MAGIC_1;
  out[2] = SIGNATURE_VERSION;
  out[3] = digest.kind;
  out[4] = Math.log2(blockBytes);
  let at = writeVarint(out, 5, contentBytes);
  at += digest.bytes.copy(out, at);
  at += hashes.copy(out, at);
  out.writeUInt32LE(binding.crc32c(out.subarray(0, at)), at);
  return out;
}

/**
 * Reads a signature, which is held against the limits before anything else.
 * @throws ERR_DWCP_LIMIT, ERR_DWCP_FRAME_MAGIC, ERR_DWCP_FRAME_VERSION, ERR_DWCP_FRAME_CODEC,
 * ERR_DWCP_FRAME_CORRUPT, ERR_DWCP_FRAME_CHECKSUM
 */
export function parseSignature(
  binding: CodecBinding,
  signature: Uint8Array,
  limits: CodecLimits,
): SignatureInfo {
  const bytes = asBuffer(signature);
  if (bytes.length > limits.maxSignatureBytes) {
    throw new DwcpError(
      'ERR_DWCP_LIMIT',
      `a signature of ${bytes.length} bytes is above maxSignatureBytes ${limits.maxSignatureBytes}`,
      { detail: { limit: 'maxSignatureBytes', sizeBytes: bytes.length } },
    );
  }
  const reader = new ByteReader(bytes);
  if (bytes.length < 2 || bytes[0] !== MAGIC_0 || bytes[1] !== MAGIC_1) {
    throw new DwcpError('ERR_DWCP_FRAME_MAGIC', 'not a signature');
  }
  reader.take(2);
  const version = reader.byte();
  if (version !== SIGNATURE_VERSION) {
    throw new DwcpError('ERR_DWCP_FRAME_VERSION', `signature version ${version} is not known`);
  }
  const kind = reader.byte() as DigestKind;
  if (kind !== DigestKind.xxh3 && kind !== DigestKind.sha256) {
    throw new DwcpError('ERR_DWCP_FRAME_CODEC', `there is no digest kind ${kind as number}`);
  }
  const blockLog = reader.byte();
  const blockBytes = 2 ** blockLog;
  if (blockBytes < blockSizes.min || blockBytes > blockSizes.max) corrupt('block size');
  const contentBytes = reader.varint();
  if (contentBytes > MAX_CONTENT_BYTES) corrupt('content size');
  const digest = { kind, bytes: Buffer.from(reader.take(DIGEST_BYTES)) };
  const hashBytes = Math.ceil(contentBytes / blockBytes) * BLOCK_HASH_BYTES;
  if (reader.remaining !== hashBytes + CRC_BYTES) corrupt('signature length');
  const hashes = reader.take(hashBytes);
  const covered = bytes.subarray(0, reader.offset);
  if (binding.crc32c(covered) !== reader.uint32()) {
    throw new DwcpError('ERR_DWCP_FRAME_CHECKSUM', 'the signature does not match its checksum');
  }
  return { digest, contentBytes, blockBytes, hashes };
}
