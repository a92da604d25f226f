/** The words of compression: codec ids, digests, baselines, frames. */

/**
 * Codec ids in a frame. An id never changes meaning. Deltas (`prefix`, `chunk`, `delta`) name their
 * base. `chunk` is copy/insert operations over the base with compressed literals; every tier reads and writes
 * it. `delta` is the same from the native engine: smaller, faster, of any size.
 */
export const Codec = { raw: 0, zstd: 1, brotli: 2, prefix: 3, chunk: 4, delta: 5 } as const;
export type Codec = (typeof Codec)[keyof typeof Codec];

/** zstd level used when none is given. */
export const DEFAULT_LEVEL = 3;

/** Kinds of content digest; 16 bytes each. `sha256` is SHA-256 cut to 128 bits, for tiers without XXH3. */
export const DigestKind = { xxh3: 1, sha256: 2 } as const;
export type DigestKind = (typeof DigestKind)[keyof typeof DigestKind];

/** A content digest and its kind. */
export interface Digest {
  readonly kind: DigestKind;
  /** 16 bytes. */
  readonly bytes: Buffer;
}
