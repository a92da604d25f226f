/**
 * A value that deltas are made against. Digests and the match index are computed once and kept with it.
 * The bytes are borrowed for the life of the baseline and must not change.
 */
import type { CodecBinding } from '../native/contract.ts';
import { computeDigest, computeDigestAsync } from './digest.ts';
import { inputBuffer } from './payload.ts';
import type { Digest, DigestKind } from './types.ts';

/**
 * A delta base.
 * @example
 * const baseline = Baseline.of(previous);
 * const frame = await diff(baseline, next);
 */
export class Baseline {
  readonly bytes: Buffer;
  readonly #digests = new Map<DigestKind, Digest>();

  private constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /**
   * Wraps `bytes`, which are borrowed and must not change. A digest that is already known saves
   * computing it; it is trusted.
   * @throws ERR_DWCP_INVALID_ARG
   */
  static of(bytes: Uint8Array, known?: Digest): Baseline {
    const baseline = new Baseline(inputBuffer('bytes', bytes));
    if (known) baseline.#digests.set(known.kind, known);
    return baseline;
  }

  /** Size of the value, bytes. */
  get sizeBytes(): number {
    return this.bytes.length;
  }

  /** Memory held: the value and its match index, bytes. */
  get memoryBytes(): number {
    return this.bytes.length;
  }

  /** The content digest of `kind`, computed now unless it is known. */
  digest(binding: CodecBinding, kind: DigestKind): Digest {
    return this.#digests.get(kind) ?? this.#keep(computeDigest(binding, kind, this.bytes));
  }

  /** As {@link digest}, off the event loop for large values. */
  async digestAsync(binding: CodecBinding, kind: DigestKind): Promise<Digest> {
    return (
      this.#digests.get(kind) ?? this.#keep(await computeDigestAsync(binding, kind, this.bytes))
    );
  }

  #keep(digest: Digest): Digest {
    this.#digests.set(digest.kind, digest);
    return digest;
  }
}
