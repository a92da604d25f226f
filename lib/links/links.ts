/**
 * All links of a node: listens, dials, shakes hands, keeps one link per peer, pings, dispatches channels.
 * Owns the listeners, dialers, handshakes and links it made. `get` and `all` already tell the new state
 * when an event is emitted; a link that replaces another goes `down` (old) first, then `up` (new).
 */
import { EventEmitter } from 'node:events';
import type { Clock, Timer } from '../clock.ts';
import { DwcpError, isDwcpError } from '../errors.ts';
import { defaultLimits } from '../limits.ts';
import type { LinkLimits } from '../limits.ts';
import type { Random } from '../random.ts';
import { silentLogger } from '../telemetry/logger.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Address, FramePipe, PipeListener, PipeTransport } from '../transport/frame-pipe.ts';
import type { Stream } from '../transport/stream.ts';
import { addressKey } from './address-key.ts';
import { defaultBackoff } from './backoff.ts';
import type { BackoffOptions } from './backoff.ts';
import { Dialer } from './dialer.ts';
import type { DialResult } from './dialer.ts';
import { Handshake } from './handshake.ts';
import type { HandshakeOutcome } from './handshake.ts';
import { encodeHello } from './hello.ts';
import { LinkTable } from './link-table.ts';
import type { Authorize, Channel, Hello, Link, LinkEvents, LinksStats, NodeLinks } from './link.ts';
import { LiveLink } from './live-link.ts';

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
type Counters = {
  -readonly [K in keyof Omit<LinksStats, 'links' | 'addresses' | 'halfOpen'>]: number;
};

class LinkHub extends EventEmitter<LinkEvents> implements NodeLinks {
  readonly #options: LinksOptions;
  readonly #clock: Clock;
  readonly #limits: LinkLimits;
  readonly #logger: Logger;
  readonly #pingIntervalMs: number;
  readonly #deadAfterMs: number;
  readonly #table: LinkTable<LiveLink>;
  readonly #dialers = new Map<string, Dialer>();
  readonly #listeners: PipeListener[] = [];
  readonly #handlers = new Map<number, Handler>();
  /** Handshakes under way; inbound ones in order of age. */
  readonly #inbound = new Set<Handshake>();
  readonly #outbound = new Set<Handshake>();
  readonly #counters: Counters = {
    dials: 0,
    dialsFailed: 0,
    accepted: 0,
    refused: 0,
    duplicates: 0,
    halfOpenDropped: 0,
    replaced: 0,
    silenced: 0,
  };
  #ticker: Timer | undefined;
  #tickDueMs = 0;
  #closing: Promise<void> | undefined;

  constructor(options: LinksOptions) {
    super();
    encodeHello(options.self());
    this.#options = options;
    this.#clock = options.clock;
    this.#limits = { ...defaultLimits.link, ...options.limits };
    this.#logger = options.logger ?? silentLogger;
    this.#pingIntervalMs = options.pingIntervalMs ?? 250;
    this.#deadAfterMs = options.deadAfterMs ?? 10_000;
    this.#table = new LinkTable(2 * this.#pingIntervalMs);
    this.#scheduleTick();
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
      shake: (pipe, done) => this.#shakeDialled(pipe, key, done),
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
    return this.#permit(link.peer, link.secure, verb, namespace);
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
      halfOpen: this.#inbound.size,
      ...this.#counters,
    };
  }

  close(timeoutMs = 1_000): Promise<void> {
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  async #close(timeoutMs: number): Promise<void> {
    this.#ticker?.cancel();
    for (const dialer of this.#dialers.values()) dialer.stop();
    const error = new DwcpError('ERR_DWCP_CLOSED', 'the node is closing');
    for (const handshake of [...this.#inbound, ...this.#outbound]) handshake.abort(error);
    await Promise.all(this.#listeners.map((listener) => listener.close()));
    await Promise.all(this.#table.all().map((link) => link.drain(timeoutMs)));
  }

  #permit(peer: Hello, secure: boolean, verb: string, namespace: string): boolean {
    const { nodeId, region } = peer;
    return this.#options.authorize?.({ peer: { nodeId, region, secure }, verb, namespace }) ?? true;
  }

  #accept(pipe: FramePipe): void {
    if (this.#closing !== undefined) return pipe.destroy();
    if (this.#inbound.size >= this.#limits.maxHalfOpen) {
      // The oldest goes: an honest peer needs a round trip, a slow-loris stays for ever.
      const [oldest] = this.#inbound;
      this.#counters.halfOpenDropped += 1;
      oldest?.drop(new DwcpError('ERR_DWCP_LIMIT', 'maxHalfOpen inbound pipes'));
    }
    const handshake = this.#shake(pipe, 'acceptor', (outcome, ended) => {
      this.#inbound.delete(ended);
      if (outcome.kind === 'refused') this.#refused(pipe.remoteAddress, outcome.error);
    });
    if (handshake !== undefined) this.#inbound.add(handshake);
  }

  #shakeDialled(pipe: FramePipe, key: string, done: (result: DialResult) => void): () => void {
    const handshake = this.#shake(pipe, 'dialer', (outcome, ended) => {
      this.#outbound.delete(ended);
      done(this.#resultOf(outcome));
      if (outcome.kind === 'refused') this.#refused(key, outcome.error);
    });
    if (handshake === undefined) done({ kind: 'failed' });
    else this.#outbound.add(handshake);
    return () => handshake?.abort(new DwcpError('ERR_DWCP_CLOSED', 'the address was forgotten'));
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

  /** Shakes hands; a link that comes of it is up when `onOutcome` returned. */
  #shake(
    pipe: FramePipe,
    role: 'dialer' | 'acceptor',
    onOutcome: (outcome: HandshakeOutcome, handshake: Handshake) => void,
  ): Handshake | undefined {
    try {
      return new Handshake(pipe, {
        role,
        self: this.#options.self(),
        clock: this.#clock,
        timeoutMs: this.#limits.handshakeTimeoutMs,
        requireSecure: this.#options.requireSecure ?? false,
        permit: (peer, { secure }) => this.#permit(peer, secure, 'link', ''),
        arbitrate: (peer, handshake) =>
          this.#table.arbitrate(peer, handshake, this.#clock.monotonic()),
        onOutcome: (outcome, handshake) => {
          this.#table.release(handshake);
          if (outcome.kind === 'duplicate') this.#counters.duplicates += 1;
          const link = outcome.kind === 'up' ? this.#makeLink(outcome, role) : undefined;
          onOutcome(outcome, handshake);
          if (link !== undefined) this.#up(link);
        },
      });
    } catch (error) {
      if (!isDwcpError(error)) throw error;
      pipe.destroy(error);
      this.#refused(pipe.remoteAddress, error);
      return undefined;
    }
  }

  #makeLink(
    { pipe, peer }: Extract<HandshakeOutcome, { kind: 'up' }>,
    role: 'dialer' | 'acceptor',
  ): LiveLink {
    pipe.identified({ nodeId: peer.nodeId, region: peer.region });
    if (role === 'acceptor') this.#counters.accepted += 1;
    return new LiveLink({
      pipe,
      role,
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
    this.#logger.debug({ address, error }, 'no link');
    this.emit('refused', address, error);
  }

  #scheduleTick(): void {
    this.#tickDueMs = this.#clock.monotonic() + this.#pingIntervalMs;
    this.#ticker = this.#clock.setTimer(() => this.#tick(), this.#pingIntervalMs);
    this.#ticker.unref();
  }

  #tick(): void {
    const nowMs = this.#clock.monotonic();
    // After a stall of our own, silence proves nothing before the poll phase has read what waits.
    const stalled = nowMs - this.#tickDueMs > this.#pingIntervalMs;
    for (const link of this.#table.all()) {
      const silentMs = nowMs - link.lastHeardMs;
      if (!stalled && silentMs > this.#deadAfterMs) {
        this.#counters.silenced += 1;
        link.close(new DwcpError('ERR_DWCP_LINK_DOWN', `silent for ${Math.round(silentMs)} ms`));
      } else link.ping();
    }
    this.#scheduleTick();
  }
}
