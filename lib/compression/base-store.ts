/**
 * Recent versions of keys, ready to be bases: bounded by bytes (values and their match indexes) and by
 * versions per key, least recently used out first. A version in use by a call in flight stays until the call
 * is done. Versions are found by content digest, so one that comes back is the one that was here.
 */
import { Baseline } from './baseline.ts';
import { digestEquals, digestName } from './digest.ts';
import type { Digest } from './types.ts';
import { ValueCache } from './value-cache.ts';

/** One version of one key. */
export interface Version {
  readonly key: string;
  readonly baseline: Baseline;
  /** Digests by which peers know it. */
  readonly digests: readonly Digest[];
  /** Grows with every `add`, of a version that comes back too. */
  readonly order: number;
  /** Deltas between it and the last whole value, as far as this side knows. */
  readonly depth: number;
}

type Held = { -readonly [K in keyof Version]: Version[K] } & { digests: Digest[] };

/** What a store holds. */
export interface BaseStoreStats {
  readonly keys: number;
  readonly versions: number;
  /** Values and match indexes, bytes. */
  readonly sizeBytes: number;
  readonly maxBytes: number;
  /** Versions that had to go for memory. */
  readonly evictions: number;
}

/** Memory of a version beside its value and indexes. */
const ENTRY_BYTES = 1024;

/** Versions by key and digest. */
export class BaseStore {
  readonly #cache: ValueCache<Held>;
  readonly #byKey = new Map<string, Held[]>();
  readonly #maxVersions: number;
  #order = 0;

  /** @param maxVersions per key, beside those that `add` is told to keep. */
  constructor(maxBytes: number, maxVersions: number) {
    this.#cache = new ValueCache(maxBytes, (version) => this.#forget(version));
    this.#maxVersions = maxVersions;
  }

  get stats(): BaseStoreStats {
    const { sizeBytes, maxBytes, entries, evictions } = this.#cache.stats;
    return { keys: this.#byKey.size, versions: entries, sizeBytes, maxBytes, evictions };
  }

  /** The version of `key` with this digest, now the most recently used. */
  get(key: string, digest: Digest): Version | undefined {
    const found = this.#find(key, digest);
    return found && this.#cache.get(nameOf(found)) && found;
  }

  /** Versions of `key`, newest first. */
  versions(key: string): readonly Version[] {
    return (this.#byKey.get(key) ?? []).toSorted((a, b) => b.order - a.order);
  }

  /**
   * Adds a version, or makes the one with this digest the newest. Older ones go when there are too many,
   * except those `isWanted`. A value larger than the whole store is not kept.
   */
  add(
    key: string,
    baseline: Baseline,
    digest: Digest,
    { depth = 0, isWanted = () => false }: AddOptions = {},
  ): Version {
    const order = ++this.#order;
    const found = this.#find(key, digest);
    if (found) {
      found.order = order;
      found.depth = Math.min(found.depth, depth);
      this.#cache.get(nameOf(found));
      return found;
    }
    const version: Held = { key, baseline, digests: [digest], order, depth };
    const versions = this.#byKey.get(key);
    if (versions) versions.push(version);
    else this.#byKey.set(key, [version]);
    const name = nameOf(version);
    this.#cache.set(name, version, sizeOf(version));
    if (!this.#cache.has(name)) this.#forget(version);
    this.#trim(key, version, isWanted);
    return version;
  }

  /** Another digest by which a peer knows the version. */
  name(version: Version, digest: Digest): void {
    const { digests } = version as Held;
    if (!digests.some((known) => known.kind === digest.kind)) digests.push(digest);
  }

  /** Runs `task` while the versions stay, then counts the memory they have come to take. */
  async hold<T>(versions: readonly Version[], task: () => Promise<T>): Promise<T> {
    const [version, ...rest] = versions;
    if (!version) return task();
    try {
      return await this.#cache.hold(nameOf(version), () => this.hold(rest, task));
    } finally {
      this.#cache.resize(nameOf(version), sizeOf(version));
    }
  }

  /** Drops the version of `key` with this digest, or all of them. */
  delete(key: string, digest?: Digest): void {
    for (const version of this.#byKey.get(key) ?? []) {
      if (digest && !knows(version, digest)) continue;
      this.#drop(version);
    }
  }

  #trim(key: string, newest: Held, isWanted: (version: Version) => boolean): void {
    const versions = this.#byKey.get(key) ?? [];
    if (versions.length <= this.#maxVersions) return;
    const oldest = versions.toSorted((a, b) => a.order - b.order);
    for (const version of oldest.slice(0, versions.length - this.#maxVersions)) {
      if (version !== newest && !isWanted(version)) this.#drop(version);
    }
  }

  #find(key: string, digest: Digest): Held | undefined {
    return this.#byKey.get(key)?.find((version) => knows(version, digest));
  }

  #drop(version: Held): void {
    this.#cache.delete(nameOf(version));
    this.#forget(version);
  }

  #forget(version: Held): void {
    const left = this.#byKey.get(version.key)?.filter((other) => other !== version) ?? [];
    if (left.length > 0) this.#byKey.set(version.key, left);
    else this.#byKey.delete(version.key);
  }
}

/** How a version is added. */
export interface AddOptions {
  readonly depth?: number | undefined;
  readonly isWanted?: ((version: Version) => boolean) | undefined;
}

function knows({ digests }: Version, digest: Digest): boolean {
  return digests.some((known) => digestEquals(known, digest));
}

function sizeOf({ baseline }: Version): number {
  return baseline.memoryBytes + ENTRY_BYTES;
}

/** Its first digest never changes, so it names the entry. */
function nameOf({ key, digests }: Version): string {
  return `${digestName(digests[0]!)} ${key}`;
}
