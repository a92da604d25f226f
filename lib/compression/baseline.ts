/**
 * A value that deltas are made against. Digests and the match index are computed once and kept with it.
 * The bytes are borrowed for the life of the baseline and must not change.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { CodecBinding, DeltaIndex } from '../native/contract.ts';
import { ChunkIndex } from './chunk-index.ts';
import { computeDigest, computeDigestAsync, digestKinds, digestName } from './digest.ts';
import { inputBuffer } from './payload.ts';
import { bindingOf } from './tier.ts';
import type { Digest, DigestKind } from './types.ts';

/**
 * A delta base.
 * @example
 * const baseline = Baseline.of(previous);
 * const frame = await diff(baseline, next);
 */
export class Baseline {
  readonly bytes: Buffer;
  readonly #digests: Digest[] = [];
  #index: ChunkIndex | undefined;
  #building: Promise<ChunkIndex> | undefined;
  #delta: DeltaIndex | undefined;
  #deltaBuilding: Promise<DeltaIndex> | undefined;

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
    if (known) baseline.#digests.push(known);
    return baseline;
  }

  /** The content digest by name, of the best kind of the loaded tier; computed on first use. */
  get id(): string {
    const binding = bindingOf(undefined);
    return digestName(this.digest(digestKinds(binding)[0]!, binding));
  }

  /** Size of the value, bytes. */
  get sizeBytes(): number {
    return this.bytes.length;
  }

  /** Memory held: the value and its match indexes, bytes. */
  get memoryBytes(): number {
    const indexes = (this.#index?.memoryBytes ?? 0) + (this.#delta?.sizeBytes ?? 0);
    return this.bytes.length + indexes;
  }

  /** The content digest of `kind`, computed now unless it is known. */
  digest(kind: DigestKind, binding: CodecBinding = bindingOf(undefined)): Digest {
    return this.#known(kind) ?? this.#keep(computeDigest(binding, kind, this.bytes));
  }

  /** As {@link digest}, off the event loop for large values. */
  async digestAsync(
    kind: DigestKind,
    binding: CodecBinding = bindingOf(undefined),
  ): Promise<Digest> {
    return this.#known(kind) ?? this.#keep(await computeDigestAsync(binding, kind, this.bytes));
  }

  /** The match index of chunk deltas, built now unless it is there. */
  chunkIndex(): ChunkIndex {
    if (!this.#index) {
      const index = new ChunkIndex(this.bytes);
      while (!index.step());
      this.#index = index;
    }
    return this.#index;
  }

  /** As {@link chunkIndex}, built in slices; concurrent callers share one build. */
  chunkIndexAsync(): Promise<ChunkIndex> {
    if (this.#index) return Promise.resolve(this.#index);
    this.#building ??= this.#build();
    return this.#building;
  }

  /** The match index of engine deltas, built now unless it is there. */
  deltaIndex(binding: CodecBinding): DeltaIndex {
    return (this.#delta ??= binding.deltaIndex(this.bytes));
  }

  /** As {@link deltaIndex}, on the thread pool; concurrent callers share one build. */
  deltaIndexAsync(binding: CodecBinding): Promise<DeltaIndex> {
    if (this.#delta) return Promise.resolve(this.#delta);
    this.#deltaBuilding ??= this.#buildDelta(binding);
    return this.#deltaBuilding;
  }

  /** Gives the match indexes back, once calls in flight are done; the next delta builds what it needs. */
  releaseIndex(): void {
    this.#index = undefined;
    this.#building = undefined;
    this.#delta?.release();
    this.#delta = undefined;
    this.#deltaBuilding = undefined;
  }

  async #buildDelta(binding: CodecBinding): Promise<DeltaIndex> {
    try {
      this.#delta = await binding.deltaIndexAsync(this.bytes);
      return this.#delta;
    } finally {
      this.#deltaBuilding = undefined;
    }
  }

  async #build(): Promise<ChunkIndex> {
    const index = new ChunkIndex(this.bytes);
    while (!index.step()) await nextTurn();
    this.#index = index;
    this.#building = undefined;
    return index;
  }

  #known(kind: DigestKind): Digest | undefined {
    return this.#digests.find((digest) => digest.kind === kind);
  }

  #keep(digest: Digest): Digest {
    if (!this.#known(digest.kind)) this.#digests.push(digest);
    return digest;
  }
}
