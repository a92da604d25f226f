/**
 * `createNode`: puts the rooms together and owns their lifetime. Composition only; what was opened is given back
 * when a later step fails.
 */
import { EventEmitter } from 'node:events';
import type { PolicyName } from '../conflict/index.ts';
import { aSignal, checkOptions } from '../check-options.ts';
import { DwcpError, invalidArg } from '../errors.ts';
import type { Link, NodeLinks, Right } from '../links/index.ts';
import { nativeStatus } from '../native/load.ts';
import type { Keyspace, KeyspaceOptions, ValueCodecName } from '../replication/index.ts';
import type { Rpc } from '../rpc/index.ts';
import type { Address } from '../transport/frame-pipe.ts';
import { closeParts, openParts, type NodeParts } from './node-parts.ts';
import { resolveNodeOptions, type NodeIdentity, type NodeOptions } from './options.ts';
import { budgetRows, peerRows, regionRows, type NodeStatus } from './status.ts';

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
    const peers = peerRows(membership.members(), links.all(), verdict, transport.reason);
    return {
      nodeId: this.nodeId,
      region: this.region,
      cluster: options.cluster,
      address: this.address,
      uptimeMs: options.clock.monotonic() - this.#startedMs,
      replicaId: replicator.replicaId,
      native: nativeStatus(),
      transport: {
        tier: transport.own.tier,
        reason: transport.reason,
        attempts: transport.attempts,
      },
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
