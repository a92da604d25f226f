/**
 * Content digests: 16 bytes and their kind. xxh3 is fast and for peers that trust each other's links;
 * sha256 is SHA-256 cut to 128 bits, the choice of tiers where XXH3 is not fast. Every tier verifies both
 * kinds, so that what one tier stored, another reads. Digests of different kinds never compare equal.
 */
import { createHash, webcrypto } from 'node:crypto';
import { DwcpError } from '../errors.ts';
import type { CodecBinding, NativeBinding } from '../native/contract.ts';
import { bindingOf } from './tier.ts';
import { DigestKind } from './types.ts';
import type { Digest } from './types.ts';

const DIGEST_BYTES = 16;
/** A pool hop costs about as much as hashing this many bytes. */
const ASYNC_ABOVE_BYTES = 256 * 1024;

/** {@link digestKindsOf} by binding. */
export function digestKinds(binding: CodecBinding): readonly DigestKind[] {
  return binding.abilities.fastXxh3 ? [DigestKind.xxh3, DigestKind.sha256] : [DigestKind.sha256];
}

/**
 * Digest kinds that are fast on a tier, best first, as `Hello` announces them; the loaded tier if
 * none is given. Every tier can compute and verify the others too.
 * @example const [digestKind] = digestKindsOf();
 */
export function digestKindsOf(native?: NativeBinding): readonly DigestKind[] {
  return digestKinds(bindingOf(native));
}

/**
 * Digest of `bytes`, computed now.
 * @throws ERR_DWCP_FRAME_CODEC for a number that is no digest kind
 * @example digestName(digest(DigestKind.sha256, value)); // 's2-…'
 */
export function digest(kind: DigestKind, bytes: Uint8Array, native?: NativeBinding): Digest {
  return computeDigest(bindingOf(native), kind, bytes);
}

/**
 * As {@link digest}, off the event loop for large inputs; `bytes` is borrowed until it settles.
 * @throws ERR_DWCP_FRAME_CODEC for a number that is no digest kind
 * @example const { bytes } = await digestAsync(DigestKind.sha256, value); // 16 of them
 */
export function digestAsync(
  kind: DigestKind,
  bytes: Uint8Array,
  native?: NativeBinding,
): Promise<Digest> {
  return computeDigestAsync(bindingOf(native), kind, bytes);
}

/**
 * Digest of `bytes` by a binding, computed now.
 * @throws ERR_DWCP_FRAME_CODEC for a number that is no digest kind
 */
export function computeDigest(binding: CodecBinding, kind: DigestKind, bytes: Uint8Array): Digest {
  requireKind(kind);
  if (kind === DigestKind.xxh3) return { kind, bytes: binding.xxh3(bytes) };
  const full = createHash('sha256').update(bytes).digest();
  return { kind, bytes: full.subarray(0, DIGEST_BYTES) };
}

/** As {@link computeDigest}, off the event loop for large inputs; `bytes` is borrowed until it settles. */
export async function computeDigestAsync(
  binding: CodecBinding,
  kind: DigestKind,
  bytes: Uint8Array,
): Promise<Digest> {
  if (bytes.length < ASYNC_ABOVE_BYTES) return computeDigest(binding, kind, bytes);
  requireKind(kind);
  if (kind === DigestKind.xxh3) return { kind, bytes: await binding.xxh3Async(bytes) };
  const full = await webcrypto.subtle.digest('SHA-256', bytes);
  return { kind, bytes: Buffer.from(full, 0, DIGEST_BYTES) };
}

/**
 * True when kind and bytes agree.
 * @example digestEquals(digest(DigestKind.sha256, a), digest(DigestKind.sha256, a)) // true
 */
export function digestEquals(a: Digest, b: Digest): boolean {
  return a.kind === b.kind && a.bytes.equals(b.bytes);
}

/**
 * A name for blobs and maps: kind and digest in hex, `x3-…` or `s2-…`.
 * @example cache.set(digestName(digest(DigestKind.sha256, value)), value);
 */
export function digestName({ kind, bytes }: Digest): string {
  return `${kind === DigestKind.xxh3 ? 'x3' : 's2'}-${bytes.toString('hex')}`;
}

/**
 * The digest that {@link digestName} named, or undefined when `name` is not such a name.
 * @example digestFromName('s2-00') // undefined
 */
export function digestFromName(name: string): Digest | undefined {
  const match = /^(x3|s2)-([0-9a-f]{32})$/.exec(name);
  if (!match) return undefined;
  const kind = match[1] === 'x3' ? DigestKind.xxh3 : DigestKind.sha256;
  return { kind, bytes: Buffer.from(match[2]!, 'hex') };
}

function requireKind(kind: DigestKind): void {
  if (kind !== DigestKind.xxh3 && kind !== DigestKind.sha256) {
    throw new DwcpError('ERR_DWCP_FRAME_CODEC', `there is no digest kind ${kind as number}`, {
      detail: { digestKind: kind },
    });
  }
}
