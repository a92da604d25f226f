/**
 * Frames for peers: the stored one where it fits, else one made once for all peers that hold the same
 * base and can read the same codecs, shared as a promise and kept in a bounded cache.
 */
import type { Baseline } from '../compression/index.ts';
import type { Dot, Version } from '../conflict/index.ts';
import type { FrameCodec, FrameReader } from './frame-codec.ts';
import { ByteBudget } from './byte-budget.ts';
import { depthOf, dotName, placeOf, sameDot } from './key-record.ts';
import type { Chain, KeyRecord } from './key-record.ts';
import type { NamespaceStore } from './namespace-store.ts';
import { RecentMap } from './recent-map.ts';
import { ValueCache } from '../compression/value-cache.ts';

/** A smaller value is sent whole, bytes. */
const DELTA_FROM_BYTES = 512;
/** Frames up to this size, and how many bytes of them are kept. */
const SMALL_FRAME_BYTES = 4 * 1024;
const MAX_SMALL_BYTES = 1024 * 1024;

/** A frame and the write whose value it is a delta against. */
export interface SourcedFrame {
  readonly frame: Buffer;
  readonly base: Dot | undefined;
  /** Size of the value, bytes. */
  readonly contentBytes: number;
}

/** For whom a frame is. */
export interface FrameTarget {
  readonly reader: FrameReader;
  /** Writes of the key whose value the peer is believed to hold. */
  readonly has: (dot: Dot) => boolean;
  /** The last write of the key the peer acknowledged. */
  readonly acked: Dot | undefined;
  /** Make a whole frame: the peer had no base. */
  readonly whole: boolean;
}

/** Makes and keeps frames. */
export class FrameSource {
  readonly #codec: FrameCodec;
  readonly #cache: ValueCache<SourcedFrame>;
  /** Small frames are wanted by all peers at about the same time, and not again. */
  readonly #small = new RecentMap<string, SourcedFrame>(MAX_SMALL_BYTES);
  readonly #encoding: ByteBudget;
  readonly #making = new Map<string, Promise<SourcedFrame>>();
  #encoded = 0;
  #reused = 0;

  /** @param maxEncodingBytes values being encoded at once. */
  constructor(codec: FrameCodec, maxBytes: number, maxEncodingBytes: number) {
    this.#encoding = new ByteBudget(maxEncodingBytes);
    this.#codec = codec;
    this.#cache = new ValueCache(maxBytes);
  }

  /** Use of the cache, and frames made and shared. */
  get stats(): { sizeBytes: number; maxBytes: number; encoded: number; reused: number } {
    const { sizeBytes, maxBytes } = this.#cache.stats;
    return { sizeBytes, maxBytes, encoded: this.#encoded, reused: this.#reused };
  }

  /** Keeps the frame a version was just stored with: it is about to be sent. */
  offer(store: NamespaceStore, dot: Dot, sourced: SourcedFrame): void {
    this.#cache.set(storedName(store, dot), sourced, sourced.frame.length);
  }

  /** A frame of a version that stands in `record`; undefined for a tombstone. */
  async frame(
    store: NamespaceStore,
    key: string,
    record: KeyRecord,
    version: Version,
    target: FrameTarget,
  ): Promise<SourcedFrame | undefined> {
    const place = placeOf(record, version);
    if (!place || place.kind === 'none') return undefined;
    const { dot } = version;
    const chain = place.kind === 'chain' ? record.chain : undefined;
    if (chain && place.kind === 'chain') {
      const stored = await this.#stored(store, key, chain, place.depth, target);
      if (stored) return stored;
    }
    const contentBytes =
      place.kind === 'inline'
        ? place.bytes.length
        : chain!.links[depthOf(chain, dot)]!.contentBytes;
    const base =
      target.whole || contentBytes < DELTA_FROM_BYTES
        ? undefined
        : await this.#base(store, key, record, version, target);
    const make = async (): Promise<SourcedFrame> => {
      const value = (await store.reader.valueOf(key, record, version))!;
      const encoded = base
        ? await this.#codec.delta(base.value, value, target.reader)
        : await this.#codec.full(value, target.reader);
      if (base) store.chains.recount(base.dot, base.value);
      const delta = base && this.#codec.inspect(encoded.frame).base !== undefined;
      return { frame: encoded.frame, base: delta ? base.dot : undefined, contentBytes };
    };
    return this.#made(store, dot, base?.dot, target.reader, () =>
      this.#encoding.run(contentBytes, make),
    );
  }

  /** The frame in the store, when the peer holds what it is against and can read it. */
  async #stored(
    store: NamespaceStore,
    key: string,
    chain: Chain,
    depth: number,
    { has, acked, whole, reader }: FrameTarget,
  ): Promise<SourcedFrame | undefined> {
    const link = chain.links[depth]!;
    const base = chain.links[depth - 1]?.dot;
    if (base && (whole || !(has(base) || (acked && sameDot(acked, base))))) return undefined;
    const kept = this.#cache.get(storedName(store, link.dot));
    const sourced =
      kept && sameBase(kept.base, base)
        ? kept
        : {
            frame: await store.chains.frameAt(key, chain, depth),
            base,
            contentBytes: link.contentBytes,
          };
    if (!this.#codec.readableBy(sourced.frame, reader)) return undefined;
    if (sourced === kept) this.#reused++;
    // A link may hold a whole frame where no delta was smaller.
    return this.#codec.inspect(sourced.frame).base ? sourced : { ...sourced, base: undefined };
  }

  /** The newest value of the key that both sides hold. */
  async #base(
    store: NamespaceStore,
    key: string,
    record: KeyRecord,
    version: Version,
    { has, acked }: FrameTarget,
  ): Promise<{ dot: Dot; value: Baseline } | undefined> {
    const below = depthOf(record.chain, version.dot);
    const links = record.chain?.links.slice(0, Math.max(0, below)) ?? [];
    const candidates = links
      .map(({ dot }) => dot)
      .toReversed()
      .filter(has);
    if (acked && !candidates.some((dot) => sameDot(dot, acked))) candidates.push(acked);
    for (const dot of candidates) {
      const value = await store.reader.heldValue(key, record, dot);
      if (value && value.sizeBytes > 0) return { dot, value };
    }
    return undefined;
  }

  async #made(
    store: NamespaceStore,
    dot: Dot,
    base: Dot | undefined,
    reader: FrameReader,
    make: () => Promise<SourcedFrame>,
  ): Promise<SourcedFrame> {
    const abilities = `${reader.codecs.join()};${reader.digests.join()}`;
    const name = `${storedName(store, dot)}<${base ? dotName(base) : ''}<${abilities}`;
    const kept = this.#small.get(name) ?? this.#cache.get(name);
    const making = this.#making.get(name);
    if (kept || making) {
      this.#reused++;
      return kept ?? making!;
    }
    this.#encoded++;
    const task = make().finally(() => this.#making.delete(name));
    this.#making.set(name, task);
    const made = await task;
    const kind = made.frame.length <= SMALL_FRAME_BYTES ? this.#small : this.#cache;
    kind.set(name, made, made.frame.length);
    return made;
  }
}

function storedName(store: NamespaceStore, dot: Dot): string {
  return `${store.ns}/${dotName(dot)}`;
}

function sameBase(a: Dot | undefined, b: Dot | undefined): boolean {
  return a === undefined || b === undefined ? a === b : sameDot(a, b);
}
