/**
 * Who serves what. Each node announces its service names on one stream of its own per link, when the
 * link comes up and when the set changes; the latest announcement replaces the one before. Bounded by
 * `maxServices` per peer. Entries die with their link.
 */
import type { Clock } from '../clock.ts';
import { Channel, type Link, type Links } from '../links/link.ts';
import type { Priority } from '../transport/frame-pipe.ts';
import type { Stream } from '../transport/stream.ts';
import { encodeAnnounce } from './wire.ts';

const control: Priority = 0;
/** A peer that has no rpc yet resets the announcement; it is offered again after this, ms. */
const announceAgainMs = 250;

interface Peer {
  readonly link: Link;
  readonly services: ReadonlySet<string>;
}

/** The services of this node and of every linked one. */
export class Directory {
  readonly #links: Links;
  readonly #clock: Clock;
  readonly #own = new Set<string>();
  readonly #peers = new Map<string, Peer>();
  readonly #outbound = new Map<Link, Stream>();
  readonly #inbound = new Map<Link, Stream>();
  readonly #onChange: (nodeId: string) => void;
  #scheduled = false;
  #closed = false;

  constructor(links: Links, clock: Clock, onChange: (nodeId: string) => void) {
    this.#links = links;
    this.#clock = clock;
    this.#onChange = onChange;
    links.on('up', this.#up);
    links.on('down', this.#down);
    for (const link of links.all()) this.#up(link);
  }

  /** Adds or removes a service of this node and tells the peers. */
  serve(service: string, on: boolean): void {
    if (on) this.#own.add(service);
    else this.#own.delete(service);
    this.#schedule();
  }

  /** Announces that nothing is served any more, while handlers finish. */
  drain(): void {
    this.#own.clear();
    this.#announceAll();
  }

  /**
   * Takes a peer's announcement, of which those services count that it may serve: others would get what callers send. False
   * when the peer already has another announcement stream.
   */
  announced(link: Link, stream: Stream, services: readonly string[]): boolean {
    if (this.#closed) {
      stream.reset('ERR_DWCP_CLOSED');
      return true;
    }
    const known = this.#inbound.get(link);
    if (known && known !== stream) return false;
    this.#inbound.set(link, stream);
    const allowed = services.filter((name) => this.#links.authorize(link, 'serve', name));
    this.#peers.set(link.peer.nodeId, { link, services: new Set(allowed) });
    this.#onChange(link.peer.nodeId);
    return true;
  }

  /** The announcement stream of a link ended: its peer serves nothing until it opens another. */
  silenced(link: Link, stream: Stream): void {
    if (this.#inbound.get(link) === stream) this.#forget(link);
  }

  /** The link to `nodeId` if it serves `service`. */
  linkFor(nodeId: string, service: string): Link | undefined {
    const peer = this.#peers.get(nodeId);
    return peer?.services.has(service) ? peer.link : undefined;
  }

  /** Links of every peer that serves `service`. */
  *serving(service: string): Generator<Link> {
    for (const peer of this.#peers.values()) if (peer.services.has(service)) yield peer.link;
  }

  /** Stops listening to links. */
  close(): void {
    this.#closed = true;
    this.#links.off('up', this.#up);
    this.#links.off('down', this.#down);
    for (const stream of this.#outbound.values()) stream.end();
    // Peers keep theirs open, and the links with them.
    for (const stream of this.#inbound.values()) stream.reset('ERR_DWCP_CLOSED');
    this.#outbound.clear();
  }

  readonly #up = (link: Link): void => {
    try {
      const stream = link.open(Channel.rpc);
      stream.onMessage(() => stream.reset('ERR_DWCP_PROTOCOL', 'announcements get no reply'));
      stream.onEnd(() => {});
      stream.onClose(() => this.#announceStreamClosed(link));
      this.#outbound.set(link, stream);
      this.#announce(stream);
    } catch {
      // The link fell between its event and now; `down` follows.
    }
  };

  readonly #down = (link: Link): void => {
    this.#outbound.delete(link);
    this.#forget(link);
  };

  #announceStreamClosed(link: Link): void {
    this.#outbound.delete(link);
    const wanted = (): boolean => !this.#closed && this.#links.get(link.peer.nodeId) === link;
    if (!wanted()) return;
    const again = this.#clock.setTimer(() => {
      if (wanted() && !this.#outbound.has(link)) this.#up(link);
    }, announceAgainMs);
    again.unref();
  }

  #forget(link: Link): void {
    this.#inbound.delete(link);
    const { nodeId } = link.peer;
    if (this.#peers.get(nodeId)?.link !== link) return;
    this.#peers.delete(nodeId);
    this.#onChange(nodeId);
  }

  /** One announcement per turn, however many services changed in it. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      if (!this.#closed) this.#announceAll();
    });
  }

  #announceAll(): void {
    for (const stream of this.#outbound.values()) this.#announce(stream);
  }

  #announce(stream: Stream): void {
    // A failed send means the stream or link is gone, which `onClose` and `down` report.
    stream.send(encodeAnnounce(this.#own), { priority: control }).catch(() => {});
  }
}
