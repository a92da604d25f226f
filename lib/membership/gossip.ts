/**
 * Gossip over links: one outgoing stream per link, on which a first message carries the whole table and
 * later ones what changed. Malformed gossip costs its sender that stream, never the link.
 */
import { isDwcpError } from '../errors.ts';
import { Channel } from '../links/link.ts';
import type { Link, Links } from '../links/link.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Stream } from '../transport/stream.ts';
import { decodeMembers, encodeMembers } from './codec.ts';
import type { Member } from './member.ts';

/** Options of {@link Gossip}. */
export interface GossipOptions {
  readonly links: Links;
  readonly logger: Logger;
  /** All claims this node holds. */
  table(): readonly Member[];
  onClaims(from: string, members: readonly Member[]): void;
}

/** See the file header. */
export class Gossip {
  readonly #options: GossipOptions;
  readonly #streams = new Map<Link, Stream>();
  readonly #inbound = new Set<Stream>();
  readonly #sending = new Set<Promise<void>>();
  #rejected = 0;
  #closed = false;

  constructor(options: GossipOptions) {
    this.#options = options;
    options.links.handle(Channel.membership, (link, stream) => this.#receive(link, stream));
  }

  /** Malformed messages so far. */
  get rejected(): number {
    return this.#rejected;
  }

  /** Sends claims; on a new stream, also one that replaces a stream the peer closed, the whole table. */
  send(link: Link, members: readonly Member[]): void {
    if (this.#closed) return;
    try {
      const known = this.#streams.get(link);
      const stream = known ?? this.#open(link);
      const claims = known === undefined ? this.#options.table() : members;
      const sent = stream
        .send(encodeMembers(claims))
        .catch((error: unknown) => this.#notSent(link, error))
        .finally(() => this.#sending.delete(sent));
      this.#sending.add(sent);
    } catch (error) {
      if (!isDwcpError(error)) throw error;
      this.#notSent(link, error);
    }
  }

  /** Resolves when all that is being sent was handed to its link, or failed. */
  async flushed(): Promise<void> {
    await Promise.allSettled(this.#sending);
  }

  /** Ends its own streams and gives up those of peers, who would keep them open and the links with them. */
  close(): void {
    this.#closed = true;
    for (const stream of this.#streams.values()) stream.end();
    for (const stream of this.#inbound) stream.reset('ERR_DWCP_CLOSED');
    this.#streams.clear();
  }

  #notSent(link: Link, error: unknown): void {
    this.#options.logger.debug({ error, peer: link.peer.nodeId }, 'gossip was not sent');
  }

  #open(link: Link): Stream {
    const stream = link.open(Channel.membership);
    stream.onMessage(() => {});
    stream.onClose(() => {
      if (this.#streams.get(link) === stream) this.#streams.delete(link);
    });
    this.#streams.set(link, stream);
    return stream;
  }

  #receive(link: Link, stream: Stream): void {
    if (this.#closed) return stream.reset('ERR_DWCP_CLOSED');
    this.#inbound.add(stream);
    stream.onEnd(() => stream.end());
    stream.onClose(() => this.#inbound.delete(stream));
    stream.onMessage((message) => {
      try {
        const members = decodeMembers(message);
        if (!this.#closed) this.#options.onClaims(link.peer.nodeId, members);
      } catch (error) {
        if (!isDwcpError(error)) throw error;
        this.#rejected += 1;
        this.#options.logger.warn({ error, peer: link.peer.nodeId }, 'refused malformed gossip');
        stream.reset(error.code, error.message);
      }
    });
  }
}
