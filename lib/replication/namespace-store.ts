/**
 * Writing one namespace. An update is one atomic durable batch of key record, value or delta frame,
 * dot index, audit and namespace state (version vector, clock). Writers of one key run one after
 * another, those of different keys at once, and share batches.
 */
import { Baseline } from '../compression/index.ts';
import { merge, policyFingerprint, VersionVector, write } from '../conflict/index.ts';
import type {
  AuditRecord,
  CausalContext,
  Dot,
  PolicyName,
  SiblingSet,
  Version,
} from '../conflict/index.ts';
import type { Timer } from '../clock.ts';
import { containsDot } from '../conflict/dot-ranges.ts';
import { DwcpError, isDwcpError } from '../errors.ts';
import type { StorageOp } from '../storage/storage.ts';
import { AuditLog, nothingRecorded } from './audit-log.ts';
import { ChainStore } from './chain-store.ts';
import type { Placement, ValueIn } from './chain-store.ts';
import { KeyLock } from './key-lock.ts';
import { encodeRecord, placeOf } from './key-record.ts';
import type { KeyRecord, Place } from './key-record.ts';
import { layout } from './layout.ts';
import { NamespaceReader } from './namespace-reader.ts';
import { NamespaceState } from './namespace-state.ts';
import type { StoreParts } from './store.ts';

/** Writes running or waiting in one namespace. */
const MAX_WAITING_WRITES = 65_536;
/** Smaller values are not worth a place in the cache, bytes. */
const CACHE_FROM_BYTES = 512;

/** Quiet time after a large local write before the next one is prepared for, ms. */
const WARM_AFTER_MS = 100;

/** What a namespace is created with; recorded and never changed. */
export interface NamespaceConfig {
  readonly policy: PolicyName;
  readonly codec: 'bytes' | 'json';
}

/** The value of a version from a peer; undefined is a tombstone. */
export type RemoteValue = { readonly frame: Buffer; readonly base: Dot | undefined } | undefined;

/** When a local write was asked for. */
export interface WriteTiming {
  /** ms since the epoch. */
  readonly wallMs: number;
  /** Monotonic ms. */
  readonly startedMs: number;
}

/** A version that became durable here. */
export interface Applied {
  readonly key: string;
  readonly version: Version;
  readonly local: boolean;
  /** For local writes. */
  readonly timing: WriteTiming | undefined;
  /** The sibling set after it, greatest first. */
  readonly siblings: SiblingSet;
  /** True when what a reader sees has changed. */
  readonly visibleChanged: boolean;
  readonly value: Baseline | undefined;
  /** The frame as stored: whole, or against the value of `frameBase`. */
  readonly frame: Buffer | undefined;
  readonly frameBase: Dot | undefined;
}

/** Options of {@link NamespaceStore.put}. */
export interface PutOptions {
  /** What the writer had seen; everything here when absent. */
  readonly context?: CausalContext | undefined;
  readonly timing?: WriteTiming | undefined;
}

interface Commit {
  readonly key: string;
  readonly record: KeyRecord;
  readonly set: SiblingSet;
  readonly version: Version;
  readonly value: Baseline | undefined;
  readonly local: boolean;
  readonly timing?: WriteTiming | undefined;
  readonly placement: Placement;
  readonly audit: readonly StorageOp[];
  readonly obsoleteBlobs: readonly string[];
}

/** One namespace of the store. */
export class NamespaceStore {
  readonly ns: number;
  readonly name: string;
  readonly config: NamespaceConfig;
  readonly state: NamespaceState;
  readonly chains: ChainStore;
  readonly reader: NamespaceReader;
  readonly auditLog: AuditLog;
  /** Called when a version became durable, in the step that advanced the vector; must not throw. */
  onApplied: (applied: Applied) => void = () => undefined;
  readonly #parts: StoreParts;
  readonly #lock: KeyLock = new KeyLock(MAX_WAITING_WRITES);
  #warming: Timer | undefined;

  constructor(
    parts: StoreParts,
    identity: { ns: number; name: string; config: NamespaceConfig; stored: Buffer | undefined },
  ) {
    const { ns, name, config, stored } = identity;
    const { storage, blobs, codec, cache, limits, random, replicaId: replica } = parts;
    const { maxDriftMs, maxAuditRecords: maxRecords, inlineValueBytes } = limits;
    this.#parts = parts;
    this.ns = ns;
    this.name = name;
    this.config = config;
    const state = new NamespaceState({ ns, replica, maxDriftMs, stored });
    const chains = new ChainStore({ ns, storage, blobs, codec, cache, limits, random });
    const log = { ns, namespace: name, storage, blobs, codec, state, chains };
    this.state = state;
    this.chains = chains;
    this.reader = new NamespaceReader({ ns, policy: config.policy, storage, chains, codec });
    this.auditLog = new AuditLog({ ...log, maxRecords, inlineValueBytes });
  }

  /** Dots whose effect is durable here. */
  get vector(): VersionVector {
    return this.state.vector;
  }

  /** What replicas must agree on to merge this namespace. */
  get fingerprint(): string {
    return policyFingerprint({ policy: this.config.policy, codec: this.config.codec });
  }

  /** Resolves when no write runs or waits. */
  idle(): Promise<void> {
    return this.#lock.idle();
  }

  /**
   * Writes a version; resolves when it is durable here. `bytes` belongs to the store from now on;
   * undefined deletes. Without `context` the write replaces everything this node holds of the key.
   * @throws ERR_DWCP_LIMIT, ERR_DWCP_VALUE_TOO_LARGE, ERR_DWCP_STORAGE, ERR_DWCP_STORAGE_CORRUPT
   */
  async put(key: string, bytes: Buffer | undefined, options: PutOptions = {}): Promise<Version> {
    const { context, timing } = options;
    this.#checkSize(bytes?.length ?? 0);
    return this.#lock.run(key, async () => {
      const record = await this.reader.record(key);
      const value = bytes && Baseline.of(bytes);
      const kept = context ? record.siblings.filter(({ dot }) => !containsDot(context, dot)) : [];
      const placing = await this.chains.plan(key, record, kept, value && { baseline: value });
      const loser = this.config.policy === 'lww' ? kept[0] : undefined;
      const { recording, obsolete } = loser
        ? await this.#prepareAudit(key, record, [loser])
        : nothingRecorded;
      return this.state.stamp(this.#parts.clock.now(), (dot, hlc) => {
        const deleted = value === undefined;
        const { region, limits } = this.#parts;
        const input = { dot, hlc, context, deleted, region, maxSiblings: limits.maxSiblings };
        const { set, version } = write(record.siblings, input);
        const audit = recording(loser ? [this.#decision(key, version, loser)] : []);
        const placement = placing(dot);
        const change = { key, record, set, version, value, local: true, timing, placement, audit };
        return this.#commit({ ...change, obsoleteBlobs: obsolete });
      });
    });
  }

  /**
   * Merges a version from a peer; resolves when its effect is durable here, at once when it was.
   * @throws ERR_DWCP_BASE_MISSING or _MISMATCH (ask for the whole value), ERR_DWCP_FRAME_*,
   * ERR_DWCP_OUTPUT_LIMIT, ERR_DWCP_VALUE_TOO_LARGE, ERR_DWCP_CLOCK_DRIFT, ERR_DWCP_PROTOCOL,
   * ERR_DWCP_STORAGE
   */
  async apply(key: string, version: Version, remote: RemoteValue): Promise<'known' | 'applied'> {
    if (this.vector.contains(version.dot)) return 'known';
    return this.#lock.run(key, async () => {
      if (this.vector.contains(version.dot)) return 'known';
      this.state.admit([version.dot.replica]);
      this.state.receive(version.hlc, this.#parts.clock.now());
      const record = await this.reader.record(key);
      const { set, outcome } = merge(record.siblings, version);
      if (outcome === 'known') {
        await this.#advance([version.dot]);
        return 'known';
      }
      const value = await this.#decode(key, record, remote);
      this.#checkSize(value?.baseline.sizeBytes ?? 0);
      const kept = set.filter((each) => each !== version);
      const placing = await this.chains.plan(key, record, kept, value);
      const rival = this.config.policy === 'lww' ? kept[0] : undefined;
      const wins = set[0] === version;
      const loser = rival && (wins ? rival : version);
      const values = value && { version, value: value.baseline };
      const { recording, obsolete } = loser
        ? await this.#prepareAudit(key, record, [loser], values)
        : nothingRecorded;
      const records = rival ? [this.#decision(key, wins ? version : rival, loser!)] : [];
      const change = { key, record, set, version, value: value?.baseline, local: false };
      const audit = recording(records);
      const placement = placing(version.dot);
      await this.#commit({ ...change, placement, audit, obsoleteBlobs: obsolete });
      return 'applied';
    });
  }

  /**
   * Adds dots whose effect is durable here through the versions that replaced them. What is said of our
   * own writes is passed over: nobody knows more of them than we do.
   * @throws ERR_DWCP_LIMIT, ERR_DWCP_STORAGE
   */
  async cover(vector: VersionVector): Promise<void> {
    const own = this.#parts.replicaId;
    const covered = new VersionVector(new Map([...vector.dots].filter(([id]) => id !== own)));
    if (this.vector.covers(covered)) return;
    this.state.admit(covered.dots.keys());
    await this.#parts.commits.commit([], { source: this.state, change: { dots: [], covered } });
  }

  /** Makes the newest value of a long chain its full value. Writers of the key go on meanwhile. */
  async rebase(key: string): Promise<boolean> {
    const { chain } = await this.reader.record(key);
    if (!chain || chain.links.length < 2) return false;
    const depth = chain.links.length - 1;
    const plan = await this.chains.planRebase(key, chain, depth);
    return this.#lock.run(key, async () => {
      const record = await this.reader.record(key);
      const placement = record.chain?.blob === chain.blob ? plan(record.chain) : undefined;
      const inUse = record.places.some((place) => place.kind === 'chain' && place.depth < depth);
      if (!placement || inUse) {
        await this.chains.discard([plan(chain).chain!.blob]);
        return false;
      }
      const places = placesAfter(record, record.siblings, placement);
      const rebased = { siblings: record.siblings, places, chain: placement.chain };
      const { op, remember } = this.#putRecord(key, rebased);
      await this.#parts.commits.commit([...placement.ops, op], undefined, remember);
      await this.chains.discard(placement.obsoleteBlobs);
      return true;
    });
  }

  async #decode(key: string, record: KeyRecord, remote: RemoteValue): Promise<ValueIn | undefined> {
    if (!remote) return undefined;
    const { frame, base: frameBase } = remote;
    const base = frameBase && (await this.#base(key, record, frameBase));
    const baseline = await this.#parts.codec.decode(frame, base);
    return { baseline, frame, frameBase };
  }

  async #base(key: string, record: KeyRecord, dot: Dot): Promise<Baseline> {
    try {
      const held = await this.reader.heldValue(key, record, dot);
      if (held) return held;
    } catch (cause) {
      if (!isDwcpError(cause, 'ERR_DWCP_STORAGE_CORRUPT')) throw cause;
      throw new DwcpError('ERR_DWCP_BASE_MISSING', 'the base is damaged here', { cause });
    }
    throw new DwcpError('ERR_DWCP_BASE_MISSING', `no value ${dot.replica}:${dot.seq} here`);
  }

  #decision(key: string, winner: Version, loser: Version): AuditRecord {
    const { policy } = this.config;
    return { namespace: this.name, key, policy, winner, loser, atMs: this.#parts.clock.now() };
  }

  async #prepareAudit(
    key: string,
    record: KeyRecord,
    losers: readonly Version[],
    incoming?: { version: Version; value: Baseline },
  ): ReturnType<AuditLog['prepare']> {
    const values: (Baseline | undefined)[] = [];
    for (const loser of losers) {
      const isNew = !record.siblings.includes(loser);
      values.push(isNew ? incoming?.value : await this.reader.valueOf(key, record, loser));
    }
    return this.auditLog.prepare(values);
  }

  async #commit(change: Commit): Promise<Version> {
    const { key, record, set, version, value, placement } = change;
    if (set.length > 1) this.state.conflicts++;
    const gone = record.siblings.filter((old) => !set.includes(old));
    const places = placesAfter(record, set, placement);
    const next = { siblings: set, places, chain: placement.chain };
    const { op, remember } = this.#putRecord(key, next);
    const ops: StorageOp[] = [
      ...placement.ops,
      ...change.audit,
      ...gone.map(({ dot }): StorageOp => ({ type: 'delete', key: layout.dot(this.ns, dot) })),
      { type: 'put', key: layout.dot(this.ns, version.dot), value: Buffer.from(key, 'utf8') },
      op,
    ];
    const { commits, onChainGrown } = this.#parts;
    const announce = (): void => {
      remember();
      if (value && value.sizeBytes >= CACHE_FROM_BYTES)
        this.chains.remember(key, version.dot, value);
      this.onApplied({ ...this.#describe(change), key, version, value, siblings: set });
    };
    await commits.commit(ops, { source: this.state, change: { dots: [version.dot] } }, announce);
    if (placement.chain && this.chains.rebaseDue(placement.chain)) onChainGrown(this, key);
    if (value && placement.place.kind === 'chain') this.#warm(value, change);
    await this.chains.discard([...placement.obsoleteBlobs, ...change.obsoleteBlobs]);
    return version;
  }

  /** Who wrote a large value writes its successor, likely: have the match index of the base ready. */
  #warm(value: Baseline, { local, placement }: Commit): void {
    // The base just used may be wanted again for a peer with other codecs; the one before it is not.
    const before = placement.chain?.links.at(-3);
    if (before) this.chains.releaseIndex(before.dot);
    if (!local) return;
    this.#warming?.cancel();
    this.#warming = this.#parts.clock.setTimer(() => {
      const count = (): void => this.chains.recount(placement.chain!.links.at(-1)!.dot, value);
      value.chunkIndexAsync().then(count, () => undefined);
    }, WARM_AFTER_MS);
    this.#warming.unref();
  }

  #describe({
    set,
    version,
    local,
    timing,
    placement,
  }: Commit): Pick<Applied, 'local' | 'timing' | 'visibleChanged' | 'frame' | 'frameBase'> {
    const visibleChanged = this.config.policy === 'siblings' || set[0] === version;
    const before = placement.chain?.links.at(-2);
    return { local, timing, visibleChanged, frame: placement.frame, frameBase: before?.dot };
  }

  async #advance(dots: readonly Dot[]): Promise<void> {
    await this.#parts.commits.commit([], { source: this.state, change: { dots } });
  }

  /** The operation, and what to call once it is durable. */
  #putRecord(key: string, record: KeyRecord): { op: StorageOp; remember: () => void } {
    const value = encodeRecord(record, this.#parts.codec.crc32c);
    return {
      op: { type: 'put', key: layout.record(this.ns, key), value },
      remember: () => this.reader.records.remember(key, record, value.length),
    };
  }

  #checkSize(sizeBytes: number): void {
    const { maxValueBytes } = this.#parts.limits;
    if (sizeBytes <= maxValueBytes) return;
    throw new DwcpError(
      'ERR_DWCP_VALUE_TOO_LARGE',
      `${sizeBytes} bytes, at most ${maxValueBytes}`,
      {
        detail: { limit: 'maxValueBytes', sizeBytes, max: maxValueBytes },
      },
    );
  }
}

/** Where each version of `set` is after the placement of the one that is not in `record`. */
function placesAfter(record: KeyRecord, set: SiblingSet, placement: Placement): Place[] {
  return set.map((version) => {
    const place = placeOf(record, version);
    if (!place) return placement.place;
    if (place.kind !== 'chain' || !placement.moved) return place;
    return { kind: 'chain', depth: placement.moved.get(place.depth)! };
  });
}
