/**
 * `createNode`: puts the rooms together and owns their lifetime. Composition only: opens in dependency
 * order, closes in the reverse, and gives back whatever was opened when a later step fails.
 */
import { EventEmitter } from 'node:events';
import { codecsOf, digestKindsOf } from '../compression/index.ts';
import type { PolicyName } from '../conflict/index.ts';
import { aSignal, checkOptions } from '../check-options.ts';
import { DwcpError, type ErrorCode, invalidArg } from '../errors.ts';
import { HealthMonitor } from '../health/index.ts';
import { createLinks, type Hello, type Link, type NodeLinks, type Right } from '../links/index.ts';
import { Membership, seeds } from '../membership/index.ts';
import { nativeStatus } from '../native/load.ts';
import {
  createReplicator,
  type Keyspace,
  type KeyspaceOptions,
  type Replicator,
  type ValueCodecName,
} from '../replication/index.ts';
import { createRpc, type Rpc } from '../rpc/index.ts';
import { openStorage, type OpenStorage } from '../storage/index.ts';
import type { Address } from '../transport/frame-pipe.ts';
import {
  resolveNodeOptions,
  type NodeIdentity,
  type NodeOptions,
  type ResolvedNodeOptions,
} from './options.ts';
import { NodeSecurity } from './security.ts';
import { budgetRows, peerRows, regionRows, type NodeStatus } from './status.ts';
import { chooseTransport, type ChosenTransport } from './transport-choice.ts';

/** A peer in an event. */
export interface PeerEvent {
  readonly nodeId: string;
  readonly region: string;
}

/** Events of {@link DwcpNode}. */
export interface NodeEvents {
  /** A link to the peer stands. */
  peerUp: [peer: PeerEvent];
  /** The link is gone; it is dialled again. */
  peerDown: [peer: PeerEvent & { readonly error: DwcpError | undefined }];
  /** The peer went silent; calls avoid it. */
  peerSuspect: [peer: PeerEvent];
  /** A suspect peer was heard again. */
  peerAlive: [peer: PeerEvent];
  /** A dial failed or a handshake was refused. */
  linkRefused: [event: { readonly address: string; readonly error: DwcpError }];
}

/**
 * One node of the fabric: keyspaces, calls, links and status. Made by {@link createNode}, which
 * says what it owns; everything it opened goes with {@link DwcpNode.close}.
 * @example
 * const node = await createNode({ region: 'eu' });
 * node.on('peerSuspect', ({ nodeId }) => console.log(nodeId, 'is silent'));
 * console.log(node.status().native.reason);
 * await node.close();
 */
export class DwcpNode extends EventEmitter<NodeEvents> implements AsyncDisposable {
  readonly nodeId: string;
  readonly region: string;
  /** Where others reach this node; undefined when it only dials. */
  readonly address: Address | undefined;
  /** As {@link Rpc.handle}. */
  readonly handle: Rpc['handle'];
  /** As {@link Rpc.call}. */
  readonly call: Rpc['call'];
  /** As {@link Rpc.serve}: serves a service made by `defineService`. */
  readonly serve: Rpc['serve'];
  /** As {@link Rpc.invoke}: what typed clients call through. */
  readonly invoke: Rpc['invoke'];
  /** As {@link Rpc.intercept}: runs code around every request. */
  readonly intercept: Rpc['intercept'];
  readonly #parts: NodeParts;
  readonly #startedMs: number;
  readonly #closed = new AbortController();
  #closing: Promise<void> | undefined;

  /** Use {@link createNode}. */
  constructor(parts: NodeParts) {
    super();
    const { options, links, health, rpc } = parts;
    this.nodeId = options.nodeId;
    this.region = options.region;
    this.address = parts.address;
    this.handle = rpc.handle.bind(rpc);
    this.call = rpc.call.bind(rpc);
    this.serve = rpc.serve.bind(rpc);
    this.invoke = rpc.invoke.bind(rpc);
    this.intercept = rpc.intercept.bind(rpc);
    this.#parts = parts;
    this.#startedMs = options.clock.monotonic();
    links.on('up', (link) => this.#tell('peerUp', peerOf(link)));
    links.on('down', (link, error) => this.#tell('peerDown', { ...peerOf(link), error }));
    for (const source of [links, parts.refusals]) {
      source.on('refused', (address: string, error: DwcpError) =>
        this.#tell('linkRefused', { address, error }),
      );
    }
    health.on('suspect', ({ nodeId, region }) => this.#tell('peerSuspect', { nodeId, region }));
    health.on('alive', ({ nodeId, region }) => this.#tell('peerAlive', { nodeId, region }));
  }

  /** What a listener throws is logged: it stops neither the other listeners nor the node. */
  #tell<K extends keyof NodeEvents>(event: K, ...args: NodeEvents[K]): void {
    for (const listener of this.rawListeners(event)) {
      try {
        Reflect.apply(listener, this, args);
      } catch (error) {
        this.#parts.options.logger.error({ event, error }, 'a listener threw');
      }
    }
  }

  /**
   * A namespace of keys, the same object for the same name.
   * @throws ERR_DWCP_POLICY when it was created with another policy or codec; ERR_DWCP_INVALID_ARG
   * @example
   * const prices = node.keyspace('prices', { policy: 'lww', codec: 'json' });
   * await prices.put('eur', { usd: 1.08 });
   */
  keyspace<P extends PolicyName = 'lww', C extends ValueCodecName = 'bytes'>(
    name: string,
    options?: KeyspaceOptions<P, C>,
  ): Keyspace<P, C> {
    return this.#parts.replicator.keyspace(name, options);
  }

  /** Node ids that serve `service` now, this node included. */
  serving(service: string): readonly string[] {
    return this.#parts.rpc.serving(service);
  }

  /**
   * Resolves when links to at least `count` peers stand.
   * @throws ERR_DWCP_INVALID_ARG, the signal's reason, or ERR_DWCP_CLOSED
   */
  async linked(count: number, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    if (!Number.isInteger(count) || count < 0) invalidArg('count', 'an integer >= 0', count);
    checkOptions('options', options, { signal: aSignal });
    const { links } = this.#parts;
    const signal = AbortSignal.any([
      this.#closed.signal,
      ...(options.signal ? [options.signal] : []),
    ]);
    while (links.all().length < count) {
      signal.throwIfAborted();
      await nextUp(links, signal);
    }
  }

  /**
   * Uses another certificate, key and roots for links made from now on; links that live stay. During a rotation
   * of roots, give every node both roots first, then the new certificates, then the new root alone.
   * @throws ERR_DWCP_IDENTITY when the certificate names another node or does not fit its key;
   *   ERR_DWCP_INVALID_ARG for what is no PEM text, or on a node without `identity`. Nothing changed then.
   * @example
   * node.setIdentity({ cert: newCert, key: newKey, ca: oldRoot + newRoot });
   */
  setIdentity(identity: NodeIdentity): void {
    this.#parts.security.setIdentity(identity);
  }

  /**
   * Replaces the list of the revoked: identities as `dwcp://<cluster>/<region>/<node>` (parts may end in `*`)
   * and SHA-256 fingerprints of certificates. Their links close before this returns, and none is made again.
   * @throws ERR_DWCP_INVALID_ARG for an entry that is neither, or on a node without `identity`
   * @example
   * node.setRevoked(['dwcp://prod/eu/eu-3']);
   */
  setRevoked(revoked: readonly string[]): void {
    this.#parts.security.setRevoked(revoked);
  }

  /**
   * Replaces the table of rights, or removes it with undefined. Links to peers whose rights changed close and are
   * made anew, so that every keyspace and stream on them is asked for again.
   * @throws ERR_DWCP_INVALID_ARG for a wrong table; the old one stays
   * @example
   * node.setRights([{ peers: 'dwcp://prod/eu/*', verbs: ['call'], namespaces: ['shop/*'] }]);
   */
  setRights(rights: readonly Right[] | undefined): void {
    this.#parts.security.setRights(rights);
  }

  /** Everything worth knowing, as one plain object. */
  status(): NodeStatus {
    const { options, links, health, membership, replicator, rpc, open, transport } = this.#parts;
    const replication = replicator.stats();
    const calls = rpc.stats();
    const { peers: _peers, ...own } = health.snapshot();
    const verdict = (nodeId: string): 'alive' | 'suspect' | 'dead' =>
      health.status(nodeId)?.verdict ?? 'alive';
    const peers = peerRows(membership.members(), links.all(), verdict);
    return {
      nodeId: this.nodeId,
      region: this.region,
      cluster: options.cluster,
      address: this.address,
      uptimeMs: options.clock.monotonic() - this.#startedMs,
      replicaId: replicator.replicaId,
      native: nativeStatus(),
      transport: { tier: transport.own.tier, reason: transport.reason },
      storage: {
        kind: open.storage.kind,
        persistent: open.storage.persistent,
        reason: open.reason,
      },
      peers,
      links: links.stats(),
      security: this.#parts.security.status(),
      regions: regionRows(this.region, peers),
      replication,
      calls,
      health: own,
      budgets: budgetRows(options.limits, links.all(), replication, calls),
    };
  }

  /** Drains calls, says goodbye, flushes and closes everything it opened. Idempotent. */
  close(): Promise<void> {
    this.#closed.abort(new DwcpError('ERR_DWCP_CLOSED'));
    this.#closing ??= closeParts(this.#parts);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** What {@link createNode} puts together. */
interface NodeParts {
  readonly options: ResolvedNodeOptions;
  readonly open: OpenStorage;
  readonly transport: ChosenTransport;
  readonly links: NodeLinks;
  readonly security: NodeSecurity;
  /** Inbound connections turned away below the handshake of links. */
  readonly refusals: EventEmitter<{ refused: [address: string, error: DwcpError] }>;
  readonly health: HealthMonitor;
  readonly membership: Membership;
  readonly replicator: Replicator;
  readonly rpc: Rpc;
  readonly address: Address | undefined;
}

/**
 * Opens a node: storage, links, membership, replication and calls. Resolves when it listens; links to
 * seeds form in the background ({@link DwcpNode.linked} waits for them).
 * @throws ERR_DWCP_INVALID_ARG, ERR_DWCP_STORAGE_UNAVAILABLE, ERR_DWCP_STORAGE_CORRUPT, ERR_DWCP_CONNECT
 *   (cannot listen), ERR_DWCP_PLAINTEXT_REFUSED, ERR_DWCP_IDENTITY
 * @example
 * const node = await createNode({ region: 'eu', seeds: ['10.0.0.5:7000'], storage: { path: './state' } });
 */
export async function createNode(input: NodeOptions): Promise<DwcpNode> {
  const options = resolveNodeOptions(input);
  const opened: (() => unknown)[] = [];
  try {
    return new DwcpNode(await openParts(options, opened));
  } catch (error) {
    for (const close of opened.toReversed()) await close();
    throw error;
  }
}

async function openParts(
  options: ResolvedNodeOptions,
  opened: (() => unknown)[],
): Promise<NodeParts> {
  const { clock, random, limits, logger, nodeId, region, cluster } = options;
  const refusals: NodeParts['refusals'] = new EventEmitter();
  const refusedInbound: Partial<Record<ErrorCode, number>> = {};
  const transport = chooseTransport(options, (error, remoteAddress) => {
    refusedInbound[error.code] = (refusedInbound[error.code] ?? 0) + 1;
    logger.warn({ err: error, remoteAddress }, 'inbound connection refused');
    refusals.emit('refused', remoteAddress, error);
  });
  const open = await openStore(options);
  opened.push(() => open.close());
  const incarnation = clock.now();
  let address = options.advertise;
  const self = (): Hello => helloOf(options, incarnation, address);
  const links = createLinks({
    self,
    transport: transport.own,
    clock,
    random,
    limits: limits.link,
    authorize: options.authorize,
    rights: options.rights,
    backoff: options.reconnect,
    requireSecure: options.identity !== undefined,
    logger,
  });
  opened.push(() => links.close());
  const { secure } = transport;
  const security = new NodeSecurity({ options, links, secure, refusedInbound });
  const health = new HealthMonitor({ source: links, clock });
  opened.push(() => health.close());
  const replicator = await createReplicator({
    links,
    open,
    clock,
    random,
    limits,
    region,
    nodeId,
    logger,
  });
  opened.push(() => replicator.close());
  const rpc = createRpc({
    links,
    clock,
    random,
    self: { nodeId, region },
    limits: limits.call,
    health: { state: (id) => health.status(id)?.verdict ?? 'alive' },
    logger,
  });
  opened.push(() => rpc.close());
  const bound = options.listen && (await links.listen(options.listen));
  address ??= bound;
  if (address !== undefined && wildcards.has(address.host)) {
    const text = 'listening on every address without `advertise`: others cannot dial this node';
    logger.warn({ address }, text);
    address = undefined;
  }
  const membership = new Membership({
    links,
    self: { nodeId, incarnation, region, address },
    clock,
    random,
    discovery: seeds(options.seeds),
    logger,
  });
  logger.info({ nodeId, region, cluster, address }, 'node is up');
  const where = address ?? bound;
  return {
    options,
    open,
    transport,
    links,
    security,
    refusals,
    health,
    membership,
    replicator,
    rpc,
    address: where,
  };
}

/** Addresses to listen on that nobody can dial. */
const wildcards: ReadonlySet<string> = new Set(['0.0.0.0', '::', '']);

async function openStore({ storage }: ResolvedNodeOptions): Promise<OpenStorage> {
  if (storage === undefined) return openStorage();
  return 'path' in storage ? openStorage({ path: storage.path }) : storage;
}

function helloOf(
  { cluster, nodeId, region, limits }: ResolvedNodeOptions,
  incarnation: number,
  advertise: Address | undefined,
): Hello {
  return {
    wireMin: 1,
    wireMax: 2,
    cluster,
    nodeId,
    incarnation,
    region,
    advertise,
    codecs: codecsOf().decode,
    digests: digestKindsOf(),
    maxMessageBytes: limits.link.maxMessageBytes,
    // Each keyspace tells its own when it is exchanged: a thousand of them would not fit one frame.
    policies: {},
  };
}

/** Last opened, first closed; a failure of one does not keep the others open. */
async function closeParts(parts: NodeParts): Promise<void> {
  const { rpc, membership, replicator, links, health, open, options } = parts;
  const steps: (() => unknown)[] = [
    () => rpc.close(),
    () => membership.leave(),
    () => membership.close(),
    () => replicator.close(),
    () => links.close(),
    () => health.close(),
    () => open.close(),
  ];
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      options.logger.warn({ err: error }, 'closing a part of the node failed');
    }
  }
}

function peerOf({ peer: { nodeId, region } }: Link): PeerEvent {
  return { nodeId, region };
}

function nextUp(links: NodeLinks, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      links.off('up', onUp);
      signal.removeEventListener('abort', onAbort);
    };
    const onUp = (): void => {
      stop();
      resolve();
    };
    const onAbort = (): void => {
      stop();
      reject(signal.reason);
    };
    links.once('up', onUp);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
