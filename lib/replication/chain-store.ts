/**
 * Large values of one namespace: a full value in a blob, then delta frames in `Storage`. Reading
 * starts at the newest value in memory and applies what follows, every step verified by digest.
 * Writing plans first ({@link Placement}); the plan's operations go into the batch of the version, its
 * blob is durable before that batch, and what it replaced is deleted after it, so that a crash
 * anywhere leaves at most a blob without a mark, which is swept at the next open.
 */
import type { Baseline } from '../compression/index.ts';
import { DigestKind } from '../compression/index.ts';
import type { Dot, Version } from '../conflict/index.ts';
import type { StateLimits } from '../limits.ts';
import type { Random } from '../random.ts';
import type { BlobStore, Storage, StorageOp } from '../storage/storage.ts';
import type { FrameCodec } from './frame-codec.ts';
import { corruptKey, dotName, placeOf, sameDot } from './key-record.ts';
import type { Chain, ChainLink, KeyRecord, Place } from './key-record.ts';
import { layout } from './layout.ts';
import { RecentMap } from './recent-map.ts';
import type { ValueCache } from '../compression/value-cache.ts';

/** Share of the chain bounds at which the background rebase starts. */
const REBASE_SHARE = 0.75;
/** Large values of one key kept in memory; older ones are replayed if they are asked for. */
const KEPT_VALUES = 4;
const MAX_KEPT_KEYS = 16_384;
const noOps: readonly StorageOp[] = [];

/** A value on its way into the store. */
export interface ValueIn {
  readonly baseline: Baseline;
  /** The verified frame it came in, stored as it is where it fits. */
  readonly frame?: Buffer | undefined;
  /** Which value `frame` is a delta against; undefined for a whole one. */
  readonly frameBase?: Dot | undefined;
}

/** Where a version will be stored, and what must happen for it. */
export interface Placement {
  readonly place: Place;
  readonly chain: Chain | undefined;
  /** New depth of each value that stays on the chain, by its old depth. */
  readonly moved: ReadonlyMap<number, number> | undefined;
  /** Operations for the version's own batch. */
  readonly ops: readonly StorageOp[];
  /** Blobs to delete once the batch is durable. */
  readonly obsoleteBlobs: readonly string[];
  /** The frame as stored, ready to be sent to a peer that holds the value before it. */
  readonly frame: Buffer | undefined;
}

/** Decides the placement once the dot is known; what took time is done already. */
export type Placing = (dot: Dot) => Placement;

/** What a {@link ChainStore} works with. */
export interface ChainStoreOptions {
  readonly ns: number;
  readonly storage: Storage;
  readonly blobs: BlobStore;
  readonly codec: FrameCodec;
  readonly cache: ValueCache<Baseline>;
  readonly limits: StateLimits;
  readonly random: Random;
}

/** Values on chains. */
export class ChainStore {
  readonly #options: ChainStoreOptions;
  /** Large values in memory by key, oldest first. */
  readonly #kept = new RecentMap<string, Dot[]>(MAX_KEPT_KEYS);
  readonly #loading = new Map<string, Promise<Baseline>>();

  constructor(options: ChainStoreOptions) {
    this.#options = options;
  }

  /** Name of a version's value in the cache. */
  cacheName(dot: Dot): string {
    return `${this.#options.ns}/${dotName(dot)}`;
  }

  /** Keeps a value in memory as a base for what follows; of large ones the last few of each key. */
  remember(key: string, dot: Dot, value: Baseline): void {
    const { cache, limits } = this.#options;
    cache.set(this.cacheName(dot), value, value.memoryBytes);
    if (value.sizeBytes <= limits.inlineValueBytes) return;
    const kept = this.#kept.get(key)?.filter((each) => !sameDot(each, dot)) ?? [];
    if (kept.push(dot) > KEPT_VALUES) cache.delete(this.cacheName(kept.shift()!));
    this.#kept.set(key, kept);
  }

  /** The value's match index was built or given back: counts its memory anew. */
  recount(dot: Dot, value: Baseline): void {
    this.#options.cache.resize(this.cacheName(dot), value.memoryBytes);
  }

  /** Gives the match index of a value back, if it is here. */
  releaseIndex(dot: Dot): void {
    const value = this.recall(dot);
    if (!value) return;
    value.releaseIndex();
    this.recount(dot, value);
  }

  recall(dot: Dot): Baseline | undefined {
    return this.#options.cache.get(this.cacheName(dot));
  }

  /** The value at `depth`. @throws ERR_DWCP_STORAGE_CORRUPT naming `key` */
  load(key: string, chain: Chain, depth: number): Promise<Baseline> {
    const link = chain.links[depth];
    if (!link) return Promise.reject(corruptKey(key, `no value at depth ${depth}`));
    const name = this.cacheName(link.dot);
    const known = this.#options.cache.get(name);
    if (known) return Promise.resolve(known);
    const under = this.#loading.get(name);
    if (under) return under;
    const load = this.#replay(key, chain, depth).finally(() => this.#loading.delete(name));
    this.#loading.set(name, load);
    return load;
  }

  /** The stored frame of the value at `depth`: whole at 0, else against the value before. */
  async frameAt(key: string, chain: Chain, depth: number): Promise<Buffer> {
    const { blobs, storage, ns } = this.#options;
    const frame =
      depth === 0
        ? await blobs.get(chain.blob)
        : await storage.get(layout.frame(ns, chain.links[depth]!.dot));
    return frame ?? Promise.reject(corruptKey(key, `the frame at depth ${depth} is missing`));
  }

  async #replay(key: string, chain: Chain, depth: number): Promise<Baseline> {
    let from = depth;
    let value: Baseline | undefined;
    while (from >= 0 && !value) value = this.recall(chain.links[from--]!.dot);
    from = value ? from + 1 : -1;
    for (let at = from + 1; at <= depth; at++) {
      const frame = await this.frameAt(key, chain, at);
      try {
        value = await this.#options.codec.decode(frame, value);
      } catch (cause) {
        throw corruptKey(key, `the frame at depth ${at} does not verify`, cause);
      }
    }
    this.remember(key, chain.links[depth]!.dot, value!);
    return value!;
  }

  /** Plans where the next version goes. `kept` are the versions that stay beside it. */
  plan(
    key: string,
    record: KeyRecord,
    kept: readonly Version[],
    value: ValueIn | undefined,
  ): Placing | Promise<Placing> {
    const used = this.#depthsOf(record, kept);
    if (!value || value.baseline.sizeBytes <= this.#options.limits.inlineValueBytes) {
      const place: Place = value
        ? { kind: 'inline', bytes: value.baseline.bytes }
        : { kind: 'none' };
      const dropped = used.length === 0 ? this.#dropChain(record.chain) : nothingDropped;
      const chain = used.length === 0 ? undefined : record.chain;
      return () => ({ place, chain, moved: undefined, frame: undefined, ...dropped });
    }
    return this.#planLarge(key, record, used, value);
  }

  async #planLarge(
    key: string,
    { chain }: KeyRecord,
    used: readonly number[],
    value: ValueIn,
  ): Promise<Placing> {
    if (!chain || !this.#hasRoom(chain, 1)) return this.#fresh(key, chain, used, value);
    const { frame, append } = await this.#frameFor(key, chain, value, used.length > 0);
    if (append) return (dot) => this.#append(chain, frame!, value.baseline, dot);
    return this.#fresh(key, chain, used, { baseline: value.baseline, frame });
  }

  /** True when the chain has grown enough for the background rebase. */
  rebaseDue(chain: Chain): boolean {
    return !this.#hasRoom(chain, REBASE_SHARE);
  }

  /**
   * Plans a chain that starts with the value at `depth` as its full value; the links after it stay.
   * Nothing at a lower depth may be in use.
   */
  async planRebase(key: string, chain: Chain, depth: number): Promise<(now: Chain) => Placement> {
    const value = await this.load(key, chain, depth);
    const { frame } = await this.#options.codec.full(value);
    const blob = await this.#putBlob(value, frame);
    return (now) => {
      const [first, ...rest] = now.links.slice(depth);
      const links = [{ ...first!, storedBytes: frame.length }, ...rest];
      const dropped = now.links.slice(1, depth + 1).map((link) => this.#deleteFrame(link));
      return {
        place: { kind: 'chain', depth: 0 },
        chain: { blob, links },
        moved: new Map(now.links.map((_link, at) => [at, at - depth])),
        ops: [...dropped, ...this.#swapMarks(blob, now.blob)],
        obsoleteBlobs: [now.blob],
        frame,
      };
    };
  }

  /** A blob holding the whole value, for the audit log. Mark it in the batch that refers to it. */
  async keep(value: Baseline): Promise<{ blob: string; mark: StorageOp }> {
    const { frame } = await this.#options.codec.full(value);
    const blob = await this.#putBlob(value, frame);
    return { blob, mark: markBlob(blob) };
  }

  /** Deletes blobs that a durable batch no longer refers to; what fails is swept at the next open. */
  async discard(names: readonly string[]): Promise<void> {
    await Promise.allSettled(names.map((name) => this.#options.blobs.delete(name)));
  }

  #depthsOf(record: KeyRecord, kept: readonly Version[]): number[] {
    if (kept.length === 0) return [];
    const depths = kept.map((version) => placeOf(record, version));
    const used = depths.flatMap((place) => (place?.kind === 'chain' ? [place.depth] : []));
    return [...new Set(used)].toSorted((a, b) => a - b);
  }

  #hasRoom(chain: Chain, share: number): boolean {
    const { maxChain, maxChainShare } = this.#options.limits;
    const [full, ...deltas] = chain.links;
    const deltaBytes = deltas.reduce((sum, link) => sum + link.storedBytes, 0);
    return (
      deltas.length < maxChain * share && deltaBytes < full!.contentBytes * maxChainShare * share
    );
  }

  /** The frame to append, or the whole value where that is the better start of a new chain. */
  async #frameFor(
    key: string,
    chain: Chain,
    { frame, frameBase, baseline }: ValueIn,
    mustAppend: boolean,
  ): Promise<{ frame: Buffer | undefined; append: boolean }> {
    const tip = chain.links.at(-1)!;
    if (frame && frameBase && sameDot(frameBase, tip.dot)) return { frame, append: true };
    if (frame && !frameBase && !mustAppend) return { frame, append: false };
    const base = await this.load(key, chain, chain.links.length - 1);
    const { cache, codec, limits } = this.#options;
    const encoded = await cache.hold(this.cacheName(tip.dot), () =>
      codec.delta(base, baseline, codec.audience),
    );
    this.recount(tip.dot, base);
    if (mustAppend) return { frame: encoded.frame, append: true };
    const delta = codec.inspect(encoded.frame).base !== undefined;
    const worthwhile = encoded.frame.length < baseline.sizeBytes * limits.maxChainShare;
    if (delta && worthwhile) return { frame: encoded.frame, append: true };
    return { frame: delta ? undefined : encoded.frame, append: false };
  }

  #append(chain: Chain, frame: Buffer, value: Baseline, dot: Dot): Placement {
    const link = { dot, contentBytes: value.sizeBytes, storedBytes: frame.length };
    return {
      place: { kind: 'chain', depth: chain.links.length },
      chain: { blob: chain.blob, links: [...chain.links, link] },
      moved: undefined,
      ops: [this.#putFrame(dot, frame)],
      obsoleteBlobs: [],
      frame,
    };
  }

  /** A new chain: the values still in use in their old order, then the new one. */
  async #fresh(
    key: string,
    old: Chain | undefined,
    used: readonly number[],
    value: ValueIn,
  ): Promise<Placing> {
    const { codec } = this.#options;
    const keep = await Promise.all(used.map((depth) => this.load(key, old!, depth)));
    const values = [...keep, value.baseline];
    const frames: Buffer[] = [];
    for (const [at, next] of values.entries()) {
      const whole = at === 0 && values.length === 1 && !value.frameBase ? value.frame : undefined;
      const base = values[at - 1];
      frames.push(
        whole ?? (await (base ? codec.delta(base, next, codec.audience) : codec.full(next))).frame,
      );
    }
    const blob = await this.#putBlob(values[0]!, frames[0]!);
    const dots = used.map((depth) => old!.links[depth]!.dot);
    const dropped = this.#dropChain(old);
    return (dot) => {
      const links = values.map((each, at): ChainLink => {
        const storedBytes = frames[at]!.length;
        return { dot: dots[at] ?? dot, contentBytes: each.sizeBytes, storedBytes };
      });
      const puts = links.slice(1).map((link, at) => this.#putFrame(link.dot, frames[at + 1]!));
      return {
        place: { kind: 'chain', depth: links.length - 1 },
        chain: { blob, links },
        moved: new Map(used.map((depth, at) => [depth, at])),
        ops: [...dropped.ops, markBlob(blob), ...puts],
        obsoleteBlobs: dropped.obsoleteBlobs,
        frame: frames.at(-1),
      };
    };
  }

  #dropChain(chain: Chain | undefined): Pick<Placement, 'ops' | 'obsoleteBlobs'> {
    if (!chain) return nothingDropped;
    const frames = chain.links.slice(1).map((link) => this.#deleteFrame(link));
    const ops: StorageOp[] = [...frames, { type: 'delete', key: layout.blob(chain.blob) }];
    return { ops, obsoleteBlobs: [chain.blob] };
  }

  #swapMarks(added: string, removed: string): StorageOp[] {
    return [markBlob(added), { type: 'delete', key: layout.blob(removed) }];
  }

  #putFrame(dot: Dot, frame: Buffer): StorageOp {
    return { type: 'put', key: layout.frame(this.#options.ns, dot), value: frame };
  }

  #deleteFrame(link: ChainLink): StorageOp {
    return { type: 'delete', key: layout.frame(this.#options.ns, link.dot) };
  }

  /** Names are unique, so a blob has one owner and needs no count of references. */
  async #putBlob(value: Baseline, frame: Buffer): Promise<string> {
    const { codec, blobs, random } = this.#options;
    const digest = await codec.digest(value, codec.own.digests[0]!);
    const unique = Buffer.from(random.bytes(6)).toString('hex');
    const name = `${digest.bytes.toString('hex')}${unique}.${digestKindName(digest.kind)}`;
    await blobs.put(name, frame);
    return name;
  }
}

const nothingDropped = { ops: noOps, obsoleteBlobs: [] } as const;

function markBlob(name: string): StorageOp {
  return { type: 'put', key: layout.blob(name), value: Buffer.alloc(0) };
}

function digestKindName(kind: DigestKind): string {
  return kind === DigestKind.xxh3 ? 'x3' : 's2';
}
