/**
 * All links of a node: listens, dials, shakes hands, keeps one link per peer, pings, dispatches channels.
 * Owns the listeners, dialers, handshakes and links it made. `get` and `all` already tell the new state
 * when an event is emitted; a link that replaces another goes `down` (old) first, then `up` (new).
 */
import { EventEmitter } from 'node:events';
import type { Clock } from '../clock.ts';
import { DwcpError, type ErrorCode, isDwcpError } from '../errors.ts';
import { resolveLinkLimits } from '../limits.ts';
import type { LinkLimits } from '../limits.ts';
import type { Random } from '../random.ts';
import { silentLogger } from '../telemetry/logger.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Address, FramePipe, PipeListener, PipeTransport } from '../transport/frame-pipe.ts';
import type { HalfOpenStats } from '../transport/half-open.ts';
import type { Stream } from '../transport/stream.ts';
import { addressKey } from './address-key.ts';
import { defaultBackoff } from './backoff.ts';
import type { BackoffOptions } from './backoff.ts';
import { Dialer } from './dialer.ts';
import type { DialResult } from './dialer.ts';
import type { HandshakeOptions, HandshakeOutcome } from './handshake.ts';
import { Handshakes } from './handshakes.ts';
import { ExtraSockets } from './extra-sockets.ts';
import { encodeHello } from './hello.ts';
import { LinkTable } from './link-table.ts';
import { KnownPeers } from './known-peers.ts';
import type { Authorize, Channel, Hello, Link, LinkEvents, LinksStats, NodeLinks } from './link.ts';
import { LiveLink } from './live-link.ts';
import { Permission } from './permission.ts';
import { Pinger } from './pinger.ts';
import type { Right } from './rights.ts';

/** Options of {@link createLinks}. */
export interface LinksOptions {
  /** What this node says of itself, asked at each handshake. */
  readonly self: () => Hello;
  readonly transport: PipeTransport;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits?: Partial<LinkLimits>;
  /** Asked once per link with verb `link`, and by rooms through {@link Links.authorize}. */
  readonly authorize?: Authorize | undefined;
  /** Who may do what; what no row gives is refused. Asked before `authorize`. */
  readonly rights?: readonly Right[] | undefined;
  /** Refuses links that are not encrypted and authenticated. */
  readonly requireSecure?: boolean;
  readonly logger?: Logger;
  /** Time between pings of each link, ms. */
  readonly pingIntervalMs?: number;
  /** A link silent for this long is closed, ms. */
  readonly deadAfterMs?: number;
  readonly backoff?: Partial<BackoffOptions>;
}

/**
 * Makes the links of a node.
 * @throws ERR_DWCP_HANDSHAKE or ERR_DWCP_LIMIT when `self()` cannot be encoded as a Hello.
 * @example
 * const links = createLinks({ self, transport: netTransport(), clock: systemClock, random: systemRandom });
 * const address = await links.listen({ host: '127.0.0.1', port: 0 });
 * links.dial({ host: '127.0.0.1', port: 7000 });
 * links.on('up', (link) => console.log(link.peer.nodeId));
 */
export function createLinks(options: LinksOptions): NodeLinks {
  return new LinkHub(options);
}

type Handler = (link: Link, stream: Stream) => void;
/** What the hub itself counts; the rest comes from its parts. */
interface Counters {
  dials: number;
  dialsFailed: number;
  accepted: number;
  refused: number;
  duplicates: number;
  replaced: number;
  rightsChanged: number;
}

class LinkHub extends EventEmitter<LinkEvents> implements NodeLinks {
  readonly #options: LinksOptions;
  readonly #clock: Clock;
  readonly #limits: LinkLimits;
  readonly #logger: Logger;
  readonly #pinger: Pinger;
  readonly #handshakes: Handshakes;
  readonly #table: LinkTable<LiveLink>;
  readonly #extra: ExtraSockets;
  readonly #dialers = new Map<string, Dialer>();
  readonly #listeners: PipeListener[] = [];
  readonly #handlers = new Map<number, Handler>();
  readonly #counters: Counters = {
    dials: 0,
    dialsFailed: 0,
    accepted: 0,
    refused: 0,
    duplicates: 0,
    replaced: 0,
    rightsChanged: 0,
  };
  readonly #refusedByCode: Partial<Record<ErrorCode, number>> = {};
  readonly #permission: Permission;
  readonly #known = new KnownPeers();
  #closing: Promise<void> | undefined;

  constructor(options: LinksOptions) {
    super();
    encodeHello(options.self());
    this.#options = options;
    this.#clock = options.clock;
    this.#limits = resolveLinkLimits(options.limits);
    this.#logger = options.logger ?? silentLogger;
    const { authorize, rights, transport, clock } = options;
    this.#permission = new Permission({ authorize, rights, logger: this.#logger });
    this.#extra = new ExtraSockets({ transport, clock, limits: this.#limits });
    const intervalMs = options.pingIntervalMs ?? 250;
    const deadAfterMs = options.deadAfterMs ?? 10_000;
    this.#table = new LinkTable(2 * intervalMs);
    this.#handshakes = new Handshakes({
      maxHalfOpen: this.#limits.maxHalfOpen,
      maxHalfOpenPerAddress: this.#limits.maxHalfOpenPerAddress,
      optionsFor: () => this.#handshakeOptions(),
      onEnded: (handshake) => this.#table.release(handshake),
    });
    const links = (): readonly LiveLink[] => this.#table.all();
    this.#pinger = new Pinger({ clock: this.#clock, intervalMs, deadAfterMs, links });
  }

  async listen(address: Address): Promise<Address> {
    if (this.#closing !== undefined) throw new DwcpError('ERR_DWCP_CLOSED');
    const listener = await this.#options.transport.listen(address, (pipe) => this.#accept(pipe));
    this.#listeners.push(listener);
    if (this.#closing !== undefined) await listener.close();
    return listener.address;
  }

  dial(address: Address): void {
    const key = addressKey(address);
    if (this.#closing !== undefined || this.#dialers.has(key)) return;
    const dialer = new Dialer({
      address,
      transport: this.#options.transport,
      clock: this.#clock,
      random: this.#options.random,
      backoff: { ...defaultBackoff, ...this.#options.backoff },
      connectTimeoutMs: this.#limits.connectTimeoutMs,
      shake: (pipe, done) => this.#shakeDialled(pipe, address, done),
      onTry: () => (this.#counters.dials += 1),
      onFailed: (error) => {
        this.#counters.dialsFailed += 1;
        this.#refused(key, error);
      },
    });
    this.#dialers.set(key, dialer);
    dialer.start();
  }

  forget(address: Address): void {
    const key = addressKey(address);
    const dialer = this.#dialers.get(key);
    if (dialer === undefined) return;
    const link = dialer.restsOn === undefined ? undefined : this.#table.get(dialer.restsOn);
    this.#dialers.delete(key);
    dialer.stop();
    if (link?.role === 'dialer') link.close();
  }

  handle(channel: Channel, onStream: Handler): void {
    if (this.#handlers.has(channel)) {
      throw new DwcpError('ERR_DWCP_INVALID_ARG', `channel ${channel} has a handler already`);
    }
    this.#handlers.set(channel, onStream);
  }

  authorize(link: Link, verb: string, namespace: string): boolean {
    return this.#permission.permits(link.peer, link.secure, verb, namespace);
  }

  setRights(rights: readonly Right[] | undefined): void {
    const changed = this.#permission.setRights(rights);
    for (const link of this.#table.all()) {
      if (!changed(link.peer)) continue;
      this.#counters.rightsChanged += 1;
      link.close(new DwcpError('ERR_DWCP_UNAUTHORIZED', 'the rights of the peer changed'));
    }
  }

  get(nodeId: string): Link | undefined {
    return this.#table.get(nodeId);
  }

  all(): readonly Link[] {
    return this.#table.all();
  }

  stats(): LinksStats {
    return {
      links: this.#table.size,
      addresses: this.#dialers.size,
      halfOpen: this.#handshakes.halfOpen,
      halfOpenDropped: this.#handshakes.dropped,
      sockets: this.#sockets(),
      silenced: this.#pinger.silenced,
      identityChanged: this.#known.changed,
      unauthorized: this.#permission.refused,
      rights: this.#permission.rights,
      refusedByCode: { ...this.#refusedByCode },
      ...this.#counters,
    };
  }

  /** What the listeners say, added up. */
  #sockets(): HalfOpenStats {
    const sum = { halfOpen: 0, shed: 0, shedByAddress: 0, silent: 0, late: 0 };
    for (const listener of this.#listeners) {
      const stats = listener.halfOpen?.();
      if (!stats) continue;
      for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += stats[name];
    }
    return sum;
  }

  close(timeoutMs = 1_000): Promise<void> {
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  async #close(timeoutMs: number): Promise<void> {
    this.#pinger.stop();
    for (const dialer of this.#dialers.values()) dialer.stop();
    this.#handshakes.abortAll(new DwcpError('ERR_DWCP_CLOSED', 'the node is closing'));
    await Promise.all(this.#listeners.map((listener) => listener.close()));
    await Promise.all(this.#table.all().map((link) => link.drain(timeoutMs)));
  }

  #accept(pipe: FramePipe): void {
    if (this.#closing !== undefined) return pipe.destroy();
    this.#shake(pipe, undefined, (outcome) => {
      if (outcome.kind === 'refused') this.#refused(pipe.remoteAddress, outcome.error);
    });
  }

  #shakeDialled(pipe: FramePipe, address: Address, done: (result: DialResult) => void): () => void {
    return this.#shake(pipe, address, (outcome) => {
      done(this.#resultOf(outcome));
      if (outcome.kind === 'refused') this.#refused(addressKey(address), outcome.error);
    });
  }

  #resultOf(outcome: HandshakeOutcome): DialResult {
    if (outcome.kind === 'up') return { kind: 'linked', nodeId: outcome.peer.nodeId };
    if (outcome.kind === 'self') return { kind: 'self' };
    // Duplicate of a link that only the peer still holds: try again, it will find out.
    const nodeId = outcome.kind === 'duplicate' ? outcome.peer?.nodeId : undefined;
    return nodeId !== undefined && this.#table.get(nodeId) !== undefined
      ? { kind: 'linked', nodeId }
      : { kind: 'failed' };
  }

  /** Shakes hands; a link that comes of it is up when `onOutcome` returned. Returns how to give up. */
  #shake(
    pipe: FramePipe,
    dialled: Address | undefined,
    onOutcome: (outcome: HandshakeOutcome) => void,
  ): () => void {
    try {
      const handshake = this.#handshakes.begin(pipe, dialled ? 'dialer' : 'acceptor', (outcome) => {
        if (outcome.kind === 'duplicate') this.#counters.duplicates += 1;
        if (outcome.kind === 'join') return this.#joinSocket(outcome);
        const link = outcome.kind === 'up' ? this.#makeLink(outcome, dialled) : undefined;
        onOutcome(outcome);
        if (link !== undefined) this.#up(link);
      });
      return () => handshake.abort(new DwcpError('ERR_DWCP_CLOSED', 'the address was forgotten'));
    } catch (error) {
      if (!isDwcpError(error)) throw error;
      pipe.destroy(error);
      onOutcome({ kind: 'refused', error, byPeer: false });
      return () => {};
    }
  }

  #handshakeOptions(): Omit<HandshakeOptions, 'role' | 'onOutcome'> {
    return {
      self: this.#extra.offer(this.#options.self()),
      clock: this.#clock,
      timeoutMs: this.#limits.handshakeTimeoutMs,
      requireSecure: this.#options.requireSecure ?? false,
      permit: (peer, { secure }) => {
        this.#known.check(peer, secure);
        return this.#permission.permits(peer, secure, 'link', '');
      },
      arbitrate: (peer, handshake) =>
        this.#table.arbitrate(peer, handshake, this.#clock.monotonic()),
    };
  }

  /** One more socket of a link, or of none. */
  #joinSocket({ pipe, token }: Extract<HandshakeOutcome, { kind: 'join' }>): void {
    const refusal = this.#extra.admit(pipe, token);
    if (refusal) this.#refused(pipe.remoteAddress, refusal);
  }

  #makeLink(
    { pipe, peer, token }: Extract<HandshakeOutcome, { kind: 'up' }>,
    address: Address | undefined,
  ): LiveLink {
    pipe.identified({ nodeId: peer.nodeId, region: peer.region });
    this.#known.remember(peer, pipe.secure);
    if (!address) this.#counters.accepted += 1;
    return new LiveLink({
      pipe: this.#extra.stripe({ pipe, peer, token, address }),
      role: address ? 'dialer' : 'acceptor',
      token,
      peer,
      clock: this.#clock,
      limits: this.#limits,
      onStream: (link, stream) => this.#dispatch(link, stream),
      onClose: (link, error) => this.#down(link, error),
    });
  }

  #up(link: LiveLink): void {
    const replaced = this.#table.put(link);
    if (replaced !== undefined) {
      this.#counters.replaced += 1;
      const error = new DwcpError('ERR_DWCP_LINK_DOWN', 'a newer link took its place');
      replaced.close(error);
      this.#down(replaced, error);
    }
    const { nodeId, region } = link.peer;
    this.#logger.info({ nodeId, region, address: link.remoteAddress }, 'link up');
    this.emit('up', link);
  }

  #down(link: LiveLink, error: DwcpError | undefined): void {
    if (link.isDown) return;
    link.isDown = true;
    this.#extra.forget(link.token);
    this.#table.remove(link);
    const { nodeId, region } = link.peer;
    this.#logger.info({ nodeId, region, error }, 'link down');
    if (this.#table.get(nodeId) === undefined) {
      const livedMs = this.#clock.monotonic() - link.upAtMs;
      for (const dialer of this.#dialers.values()) {
        if (dialer.restsOn === nodeId) dialer.wake(livedMs);
      }
    }
    this.emit('down', link, error);
  }

  #dispatch(link: LiveLink, stream: Stream): void {
    const handler = this.#handlers.get(stream.channel);
    if (handler === undefined) {
      return stream.reset('ERR_DWCP_PROTOCOL', `channel ${stream.channel} is not served here`);
    }
    try {
      handler(link, stream);
    } catch (error) {
      // A refusal by a room costs the stream, never the link.
      if (!isDwcpError(error)) throw error;
      stream.reset(error.code, error.message);
    }
  }

  #refused(address: string, error: DwcpError): void {
    if (this.#closing !== undefined) return;
    this.#counters.refused += 1;
    this.#refusedByCode[error.code] = (this.#refusedByCode[error.code] ?? 0) + 1;
    this.#logger.debug({ address, error }, 'no link');
    this.emit('refused', address, error);
  }
}
