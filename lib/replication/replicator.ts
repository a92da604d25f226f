/**
 * The replication room put together: one store, its keyspaces, and a session per link that keeps them
 * fresh on the peers.
 */
import { anything, checkOptions } from '../check-options.ts';
import type { Clock } from '../clock.ts';
import type { PolicyName, ReplicaId } from '../conflict/index.ts';
import { policyNames } from '../conflict/index.ts';
import { DwcpError, invalidArg } from '../errors.ts';
import type { Limits } from '../limits.ts';
import { Channel } from '../links/link.ts';
import type { Link, Links } from '../links/link.ts';
import type { NativeBinding } from '../native/contract.ts';
import type { Random } from '../random.ts';
import type { OpenStorage } from '../storage/storage.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Timer } from '../clock.ts';
import { FrameSource } from './frame-source.ts';
import { Keyspace } from './keyspace.ts';
import type { CodecOf } from './keyspace.ts';
import type { Applied, NamespaceConfig, NamespaceStore } from './namespace-store.ts';
import { PutTimings } from './put-timings.ts';
import { newPeerCounters, noUpdates } from './replication-stats.ts';
import type {
  NamespaceStats,
  PeerCounters,
  PeerStats,
  ReplicationStats,
  UpdateCounters,
} from './replication-stats.ts';
import type { ReplicatorParts } from './replicator-parts.ts';
import { SessionDriver } from './session-driver.ts';
import { Store } from './store.ts';
import { bytesCodec, jsonCodec } from './value-codec.ts';
import type { ValueCodecName } from './value-codec.ts';

const TICK_MS = 1_000;
/** Peers whose counters are kept after they left. */
const MAX_PEERS = 1_024;
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** How a keyspace merges and what its values are; recorded when it is first declared. */
export interface KeyspaceOptions<
  P extends PolicyName = PolicyName,
  C extends ValueCodecName = ValueCodecName,
> {
  /** Default `lww`. */
  readonly policy?: P | undefined;
  /** Default `bytes`. */
  readonly codec?: C | undefined;
}

/** Options of {@link createReplicator}. */
export interface ReplicatorOptions {
  readonly links: Links;
  /** Closed by the caller after the replicator. */
  readonly open: OpenStorage;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: Limits;
  readonly region: string;
  readonly nodeId: string;
  readonly logger: Logger;
  /** The tier values are encoded on; the loaded one if absent. */
  readonly native?: NativeBinding | undefined;
}

/** The replicated state of a node. */
export interface Replicator {
  readonly replicaId: ReplicaId;
  /**
   * Declares a keyspace; the same declaration again gives the same object. Only declared keyspaces are
   * replicated.
   * @throws ERR_DWCP_INVALID_ARG; ERR_DWCP_POLICY when it was created with another policy or codec;
   * ERR_DWCP_CLOSED
   */
  keyspace<P extends PolicyName = 'lww', C extends ValueCodecName = 'bytes'>(
    name: string,
    options?: KeyspaceOptions<P, C>,
  ): Keyspace<P, C>;
  stats(): ReplicationStats;
  /** Ends sessions and watches, waits until every write under way is durable. Idempotent. */
  close(): Promise<void>;
}

/**
 * Opens the replicated state over `open` and keeps it fresh over `links`.
 * @throws ERR_DWCP_STORAGE, ERR_DWCP_STORAGE_CORRUPT
 * @example
 * const replicator = await createReplicator({ links, open: await openStorage({ path }), ...node });
 * const files = replicator.keyspace('files');
 * await files.put('a', Buffer.from('hello'));
 */
export async function createReplicator(options: ReplicatorOptions): Promise<Replicator> {
  const { open, clock, random, limits, region, native } = options;
  const store = await Store.open({ open, clock, random, limits, region, native });
  return new NodeReplicator(options, store);
}

interface NamespaceCounters {
  readonly sent: UpdateCounters;
  readonly received: UpdateCounters;
}

class NodeReplicator implements Replicator {
  readonly #options: ReplicatorOptions;
  readonly #store: Store;
  readonly #parts: ReplicatorParts;
  readonly #keyspaces = new Map<string, Keyspace>();
  readonly #sessions = new Map<Link, SessionDriver>();
  readonly #peers = new Map<string, PeerCounters>();
  readonly #counters = new Map<NamespaceStore, NamespaceCounters>();
  readonly #onUp = (link: Link): void => void this.#session(link);
  readonly #onDown = (link: Link): void => this.#drop(link);
  #ticker: Timer | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: ReplicatorOptions, store: Store) {
    const { links, clock, logger, limits } = options;
    this.#options = options;
    this.#store = store;
    this.#parts = {
      store,
      links,
      frames: new FrameSource(
        store.parts.codec,
        limits.state.frameCacheBytes,
        2 * limits.state.maxInFlightBytes,
      ),
      timings: new PutTimings(),
      clock,
      logger,
      countersOf: (namespace) => this.#countersOf(namespace),
    };
    links.handle(Channel.state, (link, stream) => {
      if (this.#closing) stream.reset('ERR_DWCP_CLOSED', 'the node is closing');
      else this.#session(link).accept(stream);
    });
    links.on('up', this.#onUp);
    links.on('down', this.#onDown);
    for (const link of links.all()) this.#session(link);
    this.#tick();
  }

  get replicaId(): ReplicaId {
    return this.#store.replicaId;
  }

  keyspace<P extends PolicyName = 'lww', C extends ValueCodecName = 'bytes'>(
    name: string,
    options: KeyspaceOptions<P, C> = {},
  ): Keyspace<P, C> {
    if (this.#closing) throw new DwcpError('ERR_DWCP_CLOSED', 'the replicator is closed');
    const config = checkDeclaration(name, options);
    const store = this.#store.namespace(name, config);
    const known = this.#keyspaces.get(name);
    if (known) return known as unknown as Keyspace<P, C>;
    const { clock, limits, logger } = this.#options;
    const keyspace = new Keyspace<P, C>({
      store,
      codec: (config.codec === 'json' ? jsonCodec : bytesCodec) as unknown as CodecOf<C>,
      clock,
      maxKeyBytes: limits.state.maxKeyBytes,
      onListenerError: (error) => logger.error({ keyspace: name, error }, 'a watcher threw'),
    });
    store.onApplied = (applied) => this.#applied(store, keyspace, applied);
    this.#keyspaces.set(name, keyspace);
    for (const session of this.#sessions.values()) session.declare(store);
    return keyspace;
  }

  stats(): ReplicationStats {
    const { parts } = this.#store;
    return {
      replicaId: this.replicaId,
      peers: [...this.#peers.values()].map((peer) => this.#peerStats(peer)),
      namespaces: Object.fromEntries(
        this.#store.namespaces.map((each) => [each.name, this.#namespaceStats(each)]),
      ),
      baseCache: parts.cache.stats,
      frameCache: this.#parts.frames.stats,
      commits: parts.commits.stats,
      rebases: this.#store.rebases,
      decodingBytes: parts.codec.decodingBytes,
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#ticker?.cancel();
    const { links } = this.#options;
    links.off('up', this.#onUp);
    links.off('down', this.#onDown);
    for (const keyspace of this.#keyspaces.values()) keyspace.close();
    for (const session of this.#sessions.values()) session.close();
    this.#sessions.clear();
    await this.#store.close();
  }

  #applied(
    store: NamespaceStore,
    keyspace: { announce(applied: Applied): void },
    applied: Applied,
  ): void {
    const { key, version, local, timing, value, frame, frameBase } = applied;
    if (timing) this.#parts.timings.set(store.ns, version.dot, timing);
    if (frame && value) {
      const sourced = { frame, base: frameBase, contentBytes: value.sizeBytes };
      this.#parts.frames.offer(store, version.dot, sourced);
    }
    for (const session of this.#sessions.values()) session.changed(store.ns, key, local);
    keyspace.announce(applied);
  }

  #session(link: Link): SessionDriver {
    const known = this.#sessions.get(link);
    if (known) return known;
    const session = new SessionDriver(this.#parts, link, this.#peer(link));
    this.#sessions.set(link, session);
    this.#audience();
    return session;
  }

  #drop(link: Link): void {
    this.#sessions.get(link)?.close();
    this.#sessions.delete(link);
    this.#audience();
  }

  #audience(): void {
    const readers = [...this.#sessions.values()].map(({ reader }) => reader);
    this.#store.parts.codec.setPeers(readers);
  }

  #peer({ peer: { nodeId, region } }: Link): PeerCounters {
    const known = this.#peers.get(nodeId);
    if (known) return known;
    const counters = newPeerCounters(nodeId, region);
    this.#peers.set(nodeId, counters);
    const [oldest] = this.#peers.keys();
    if (this.#peers.size > MAX_PEERS) this.#peers.delete(oldest!);
    return counters;
  }

  #countersOf(store: NamespaceStore): NamespaceCounters {
    const known = this.#counters.get(store);
    if (known) return known;
    const counters = { sent: noUpdates(), received: noUpdates() };
    this.#counters.set(store, counters);
    return counters;
  }

  #peerStats(peer: PeerCounters): PeerStats {
    const session = [...this.#sessions].find(([link]) => link.peer.nodeId === peer.nodeId)?.[1];
    return {
      ...peer,
      sent: { ...peer.sent },
      received: { ...peer.received },
      putToAckMs: peer.putToAckMs.snapshot(),
      putToFreshMs: peer.putToFreshMs.snapshot(),
      session: session?.stats,
    };
  }

  #namespaceStats(store: NamespaceStore): NamespaceStats {
    const { state, config, vector } = store;
    const { sent, received } = this.#countersOf(store);
    return {
      ...config,
      conflicts: state.conflicts,
      auditRecords: state.auditNext - state.auditFirst,
      writesSeen: [...vector.dots.keys()].reduce((sum, replica) => sum + vector.max(replica), 0),
      sent: { ...sent },
      received: { ...received },
    };
  }

  #tick(): void {
    const { clock } = this.#options;
    this.#ticker = clock.setTimer(() => {
      for (const session of this.#sessions.values()) session.tick(clock.monotonic());
      this.#tick();
    }, TICK_MS);
    this.#ticker.unref();
  }
}

function checkDeclaration(name: string, options: KeyspaceOptions): NamespaceConfig {
  if (typeof name !== 'string' || !namePattern.test(name)) {
    invalidArg('name', 'letters, digits, dot, dash or underscore, at most 63', name);
  }
  checkOptions('options', options, { policy: anything, codec: anything });
  const { policy = 'lww', codec = 'bytes' } = options;
  if (!policyNames.includes(policy)) invalidArg('policy', policyNames.join(' or '), policy);
  if (codec !== 'bytes' && codec !== 'json') invalidArg('codec', 'bytes or json', codec);
  return { policy, codec };
}
