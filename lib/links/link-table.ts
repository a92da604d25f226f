/**
 * One link per peer: the live links by node id, and the pipes promised to become one. Answers the arbiter's
 * question which of several pipes between two nodes is kept. Pure but for the links it holds.
 */
import { DwcpError } from '../errors.ts';
import type { Hello, Link } from './link.ts';

/** A pipe the arbiter accepted, whose peer has not confirmed yet. */
interface Promised {
  readonly handshake: object;
  readonly incarnation: number;
}

/** See the file header. */
export class LinkTable<L extends Link> {
  readonly #links = new Map<string, L>();
  readonly #promised = new Map<string, Promised>();
  readonly #freshMs: number;

  /** @param freshMs a link heard within this is not given up for a new pipe of the same peer. */
  constructor(freshMs: number) {
    this.#freshMs = freshMs;
  }

  get(nodeId: string): L | undefined {
    return this.#links.get(nodeId);
  }

  all(): readonly L[] {
    return [...this.#links.values()];
  }

  get size(): number {
    return this.#links.size;
  }

  /**
   * Decides about a pipe to a peer and, when accepted, promises it the peer's place.
   * @throws ERR_DWCP_HANDSHAKE for a process that was succeeded by a newer one.
   */
  arbitrate(peer: Hello, handshake: object, nowMs: number): 'accepted' | 'duplicate' {
    const link = this.#links.get(peer.nodeId);
    const promised = this.#promised.get(peer.nodeId);
    const newest = Math.max(link?.peer.incarnation ?? -1, promised?.incarnation ?? -1);
    if (peer.incarnation < newest) {
      throw new DwcpError(
        'ERR_DWCP_HANDSHAKE',
        `${peer.nodeId} was started again: incarnation ${peer.incarnation} is not the newest`,
      );
    }
    if (peer.incarnation === newest) {
      if (promised !== undefined) return 'duplicate';
      // A peer that dials although its link is fresh has two ways here; one whose link is silent lost it.
      if (link !== undefined && nowMs - link.lastHeardMs < this.#freshMs) return 'duplicate';
    }
    this.#promised.set(peer.nodeId, { handshake, incarnation: peer.incarnation });
    return 'accepted';
  }

  /** The handshake ended, well or not: its promise is over. */
  release(handshake: object): void {
    for (const [nodeId, promised] of this.#promised) {
      if (promised.handshake === handshake) this.#promised.delete(nodeId);
    }
  }

  /** Puts a link in its peer's place; returns the one it replaces. */
  put(link: L): L | undefined {
    const replaced = this.#links.get(link.peer.nodeId);
    this.#links.set(link.peer.nodeId, link);
    return replaced;
  }

  /** Takes a link out, unless another took its place already; true when it was in. */
  remove(link: L): boolean {
    return this.#links.get(link.peer.nodeId) === link && this.#links.delete(link.peer.nodeId);
  }
}
