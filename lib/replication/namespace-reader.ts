/**
 * Reading one namespace without locks: a reader takes a key's record and then what it points to; where
 * a writer or a rebase was quicker and the pieces are gone, it starts again with the new record.
 */
import { Baseline } from '../compression/index.ts';
import { visible } from '../conflict/index.ts';
import type {
  CausalContext,
  Dot,
  DotRun,
  PolicyName,
  SiblingSet,
  Version,
} from '../conflict/index.ts';
import { isDwcpError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import type { ChainStore } from './chain-store.ts';
import type { FrameCodec } from './frame-codec.ts';
import { corruptKey, decodeRecord, depthOf, placeOf, sameDot } from './key-record.ts';
import type { KeyRecord } from './key-record.ts';
import { layout } from './layout.ts';
import { RecordReads } from './record-reads.ts';

/** Attempts of a reader that writers keep overtaking. */
const MAX_READS = 8;

/** A version and its bytes, which belong to the store and must not change. */
export interface StoredValue {
  readonly version: Version;
  /** Undefined for a tombstone. */
  readonly value: Baseline | undefined;
}

/** What a reader sees of a key. */
export interface StoredEntry {
  readonly key: string;
  /** The visible versions, greatest first; empty when absent or deleted. */
  readonly values: readonly StoredValue[];
  /** Hand this to the write that follows from the read. */
  readonly context: CausalContext;
  /** All versions standing, tombstones and losers included, greatest first. */
  readonly siblings: SiblingSet;
}

/** What a {@link NamespaceReader} works with. */
export interface NamespaceReaderOptions {
  readonly ns: number;
  readonly policy: PolicyName;
  readonly storage: Storage;
  readonly chains: ChainStore;
  readonly codec: FrameCodec;
}

/** Reads keys, ranges and the dot index. */
export class NamespaceReader {
  readonly #options: NamespaceReaderOptions;
  readonly records: RecordReads;

  constructor(options: NamespaceReaderOptions) {
    const { ns, storage, codec } = options;
    this.#options = options;
    this.records = new RecordReads({ ns, storage, crc32c: codec.crc32c });
  }

  /** The key's record, as {@link RecordReads.get} gives it. @throws ERR_DWCP_STORAGE_CORRUPT */
  record(key: string): KeyRecord | Promise<KeyRecord> {
    return this.records.get(key);
  }

  /** The value of a version that stands in `record`. */
  valueOf(key: string, record: KeyRecord, version: Version): Promise<Baseline | undefined> {
    const place = placeOf(record, version);
    if (!place) return Promise.reject(corruptKey(key, 'a version has no place'));
    if (place.kind === 'none') return Promise.resolve(undefined);
    if (place.kind === 'chain') return this.#options.chains.load(key, record.chain!, place.depth);
    return Promise.resolve(this.#options.chains.recall(version.dot) ?? Baseline.of(place.bytes));
  }

  /** The value written by `dot`, if it is still here: in memory, standing, or on the chain. */
  async heldValue(key: string, record: KeyRecord, dot: Dot): Promise<Baseline | undefined> {
    const cached = this.#options.chains.recall(dot);
    if (cached) return cached;
    const depth = depthOf(record.chain, dot);
    if (depth >= 0) return this.#options.chains.load(key, record.chain!, depth);
    const version = record.siblings.find((each) => sameDot(each.dot, dot));
    return version && this.valueOf(key, record, version);
  }

  /**
   * What a reader sees of the key under the namespace's policy or another.
   * @throws ERR_DWCP_STORAGE_CORRUPT, ERR_DWCP_STORAGE
   */
  entry(key: string, policy: PolicyName = this.#options.policy): Promise<StoredEntry> {
    return this.steady(key, (record) => this.#entryOf(key, record, policy));
  }

  /** Keys with a prefix in UTF-8 byte order, and what a reader sees of each. */
  async *scan(prefix: string): AsyncGenerator<StoredEntry> {
    const { storage, ns, codec, policy } = this.#options;
    for await (const [at, bytes] of storage.scan(layout.records(ns, prefix))) {
      const key = layout.recordKey(at);
      const record = decodeRecord(bytes, key, codec.crc32c);
      if (visible(record.siblings, policy).versions.length === 0) continue;
      const entry = await this.steady(key, (now) => this.#entryOf(key, now, policy), record);
      if (entry.values.length > 0) yield entry;
    }
  }

  /** Keys of live versions whose dots lie in the runs, at most `limit` entries from `after` on. */
  async *dots(runs: readonly DotRun[]): AsyncGenerator<{ dot: Dot; key: string }> {
    const { storage, ns } = this.#options;
    for (const { replica, first, last } of runs) {
      for await (const [at, key] of storage.scan(layout.dots(ns, replica, first, last))) {
        yield { dot: layout.dotOf(at), key: key.toString('utf8') };
      }
    }
  }

  /** Runs `read` on the key's record, again with a newer one while pieces vanish under it. */
  async steady<T>(
    key: string,
    read: (record: KeyRecord) => Promise<T>,
    first?: KeyRecord,
  ): Promise<T> {
    let record = first ?? (await this.record(key));
    for (let attempt = 1; ; attempt++) {
      try {
        return await read(record);
      } catch (error) {
        if (attempt >= MAX_READS || !isDwcpError(error, 'ERR_DWCP_STORAGE_CORRUPT')) throw error;
        const now = await this.record(key);
        if (sameChain(record, now)) throw error;
        record = now;
      }
    }
  }

  async #entryOf(key: string, record: KeyRecord, policy: PolicyName): Promise<StoredEntry> {
    const { siblings } = record;
    const { versions, context } = visible(siblings, policy);
    const values: StoredValue[] = [];
    for (const version of versions) {
      values.push({ version, value: await this.valueOf(key, record, version) });
    }
    return { key, values, context, siblings };
  }
}

function sameChain(a: KeyRecord, b: KeyRecord): boolean {
  if (a.chain?.blob !== b.chain?.blob) return false;
  return (
    a.siblings.length === b.siblings.length &&
    a.siblings.every((version, at) => sameDot(version.dot, b.siblings[at]!.dot))
  );
}
