/**
 * The state of one node over one open storage: replica id, namespaces, shared caches, commits. The
 * replica id is 64 random bits minted with the store and committed with its first state, so dots are
 * never issued twice; memory storage mints a new one at every start. Opening reads namespace names,
 * vectors and counters, no index, and sweeps blobs a crash left without an owner.
 */
import { ByteReader } from '../compression/varint.ts';
import type { Baseline } from '../compression/index.ts';
import { policyNames } from '../conflict/index.ts';
import type { PolicyName, ReplicaId } from '../conflict/index.ts';
import type { Clock } from '../clock.ts';
import { DwcpError } from '../errors.ts';
import type { Limits, StateLimits } from '../limits.ts';
import type { NativeBinding } from '../native/contract.ts';
import type { Random } from '../random.ts';
import type { BlobStore, OpenStorage, Storage, StorageOp } from '../storage/storage.ts';
import { ByteWriter, readText } from './byte-writer.ts';
import { FrameCodec } from './frame-codec.ts';
import { GroupCommit } from './group-commit.ts';
import { FORMAT_VERSION, layout } from './layout.ts';
import { NamespaceStore } from './namespace-store.ts';
import type { NamespaceConfig } from './namespace-store.ts';
import { Rebaser } from './rebaser.ts';
import { ValueCache } from '../compression/value-cache.ts';

const SWEEP_PAGE = 256;
const CODECS = ['bytes', 'json'] as const;

/** Options of {@link Store.open}. */
export interface StoreOptions {
  readonly open: OpenStorage;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: Limits;
  /** Region recorded in versions written here. */
  readonly region: string;
  /** The tier values are encoded on; the loaded one if absent. */
  readonly native?: NativeBinding | undefined;
}

/** What the namespaces of a store share. */
export interface StoreParts {
  /** Minted with the store; changes only when {@link Store.renew} finds it spent. */
  replicaId: ReplicaId;
  readonly region: string;
  readonly storage: Storage;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: StateLimits;
  readonly codec: FrameCodec;
  readonly cache: ValueCache<Baseline>;
  readonly commits: GroupCommit;
  /** A chain is near its bounds. */
  readonly onChainGrown: (store: NamespaceStore, key: string) => void;
}

interface Known {
  readonly ns: number;
  readonly config: NamespaceConfig;
  readonly stored: Buffer | undefined;
}

/** All namespaces of a node. */
export class Store {
  readonly parts: StoreParts;
  readonly #known: Map<string, Known>;
  readonly #namespaces = new Map<string, NamespaceStore>();
  readonly #byId = new Map<number, NamespaceStore>();
  readonly #rebaser: Rebaser;
  #closing: Promise<void> | undefined;

  private constructor(parts: StoreParts, known: Map<string, Known>, rebaser: Rebaser) {
    this.parts = parts;
    this.#known = known;
    this.#rebaser = rebaser;
  }

  /**
   * Opens the state in `open`, which the caller closes after the store.
   * @throws ERR_DWCP_STORAGE, ERR_DWCP_STORAGE_CORRUPT
   */
  static async open(options: StoreOptions): Promise<Store> {
    const { open, clock, random, limits, region, native } = options;
    const { storage, blobs } = open;
    const codec = new FrameCodec({ limits, native });
    const cache = new ValueCache<Baseline>(limits.state.baseCacheBytes);
    const rebaser = new Rebaser(clock);
    const parts: StoreParts = {
      replicaId: await replicaIdOf(storage, random),
      region,
      storage,
      blobs,
      clock,
      random,
      limits: limits.state,
      codec,
      cache,
      commits: new GroupCommit(storage),
      onChainGrown: (store, key) => rebaser.add(store, key),
    };
    await sweep(storage, blobs);
    return new Store(parts, await readNamespaces(storage), rebaser);
  }

  get replicaId(): ReplicaId {
    return this.parts.replicaId;
  }

  /** Counters of the background rebase. */
  get rebases(): Rebaser['stats'] {
    return this.#rebaser.stats;
  }

  /** The namespaces declared since the store was opened. */
  get namespaces(): readonly NamespaceStore[] {
    return [...this.#namespaces.values()];
  }

  /** The namespace with this store's own number, if it was declared. */
  byId(ns: number): NamespaceStore | undefined {
    return this.#byId.get(ns);
  }

  /**
   * Declares a namespace; the same declaration again gives the same object.
   * @throws ERR_DWCP_POLICY when it was created with another policy or codec; ERR_DWCP_CLOSED
   */
  namespace(name: string, config: NamespaceConfig): NamespaceStore {
    if (this.#closing) throw new DwcpError('ERR_DWCP_CLOSED', 'the store is closed');
    const known = this.#known.get(name);
    if (known) requireSame(name, known.config, config);
    const existing = this.#namespaces.get(name);
    if (existing) return existing;
    const { ns, stored } = known ?? this.#create(name, config);
    const namespace = new NamespaceStore(this.parts, { ns, name, config, stored });
    this.#namespaces.set(name, namespace);
    this.#byId.set(ns, namespace);
    return namespace;
  }

  /**
   * Takes a new replica id. A peer that has seen writes of ours which are not here shows that this store
   * is an older copy of itself: going on under the old id would give their names to other writes.
   */
  renew(): ReplicaId {
    const { parts } = this;
    const id = mintReplica(parts.random);
    parts.replicaId = id;
    for (const namespace of this.namespaces) namespace.state.renew(id);
    // A failure stops the store and is reported by the first write that follows.
    parts.commits.commit([metaOp(id)]).catch(() => undefined);
    return id;
  }

  /** Waits until every write under way is durable, stops the background work. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const namespace of this.namespaces) await namespace.idle();
    await this.#rebaser.close();
    await this.parts.commits.settled();
  }

  /** The record goes into the first batch, before any write of the namespace. */
  #create(name: string, config: NamespaceConfig): Known {
    const ns = 1 + Math.max(0, ...[...this.#known.values()].map((each) => each.ns));
    const known = { ns, config, stored: undefined };
    this.#known.set(name, known);
    const writer = new ByteWriter().byte(FORMAT_VERSION).varint(ns);
    const value = writer.text(config.policy).text(config.codec).finish();
    // A failure stops the store and is reported by the first write that follows.
    this.parts.commits
      .commit([{ type: 'put', key: layout.namespace(name), value }])
      .catch(() => undefined);
    return known;
  }
}

function show({ policy, codec }: NamespaceConfig): string {
  return `policy ${policy}, codec ${codec}`;
}

function requireSame(name: string, known: NamespaceConfig, asked: NamespaceConfig): void {
  if (known.policy === asked.policy && known.codec === asked.codec) return;
  throw new DwcpError(
    'ERR_DWCP_POLICY',
    `keyspace ${name} was created with ${show(known)}; asked for ${show(asked)}`,
    { detail: { name, known: { ...known }, asked: { ...asked } } },
  );
}

async function replicaIdOf(storage: Storage, random: Random): Promise<ReplicaId> {
  const stored = storage.persistent ? await storage.get(layout.meta()) : undefined;
  if (stored) {
    const reader = new ByteReader(stored);
    const format = reader.byte();
    if (format !== FORMAT_VERSION || reader.remaining !== 8) {
      throw new DwcpError('ERR_DWCP_STORAGE_CORRUPT', `state format ${format} is not known`);
    }
    return reader.take(8).toString('hex');
  }
  const id = mintReplica(random);
  await storage.batch([metaOp(id)]);
  return id;
}

function mintReplica(random: Random): ReplicaId {
  return Buffer.from(random.bytes(8)).toString('hex');
}

function metaOp(id: ReplicaId): StorageOp {
  const value = Buffer.concat([Buffer.of(FORMAT_VERSION), Buffer.from(id, 'hex')]);
  return { type: 'put', key: layout.meta(), value };
}

async function readNamespaces(storage: Storage): Promise<Map<string, Known>> {
  const known = new Map<string, Known>();
  for await (const [key, value] of storage.scan(layout.namespaces())) {
    const name = layout.namespaceName(key);
    const reader = new ByteReader(value);
    const format = reader.byte();
    const ns = reader.varint();
    const policy = readText(reader, 64, 'policy') as PolicyName;
    const codec = readText(reader, 64, 'codec') as NamespaceConfig['codec'];
    if (format !== FORMAT_VERSION || !policyNames.includes(policy) || !CODECS.includes(codec)) {
      throw new DwcpError('ERR_DWCP_STORAGE_CORRUPT', `keyspace ${name} has an unknown form`);
    }
    known.set(name, { ns, config: { policy, codec }, stored: await storage.get(layout.state(ns)) });
  }
  return known;
}

/** Deletes blobs no batch refers to: a crash came between the blob and the batch, or after it. */
async function sweep(storage: Storage, blobs: BlobStore): Promise<void> {
  let page: string[] = [];
  const orphans: string[] = [];
  const check = async (): Promise<void> => {
    const marks = await storage.getMany(page.map((name) => layout.blob(name)));
    orphans.push(...page.filter((_name, at) => marks[at] === undefined));
    page = [];
  };
  for await (const name of blobs.list()) {
    page.push(name);
    if (page.length >= SWEEP_PAGE) await check();
  }
  if (page.length > 0) await check();
  for (const name of orphans) await blobs.delete(name);
}
