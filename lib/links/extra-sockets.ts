/** Links of more than one socket: offers them in Hello, wraps links to peers that offer them too, and lets sockets join. */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { DwcpError } from '../errors.ts';
import type { LinkLimits } from '../limits.ts';
import type { Address, FramePipe, PipeTransport } from '../transport/frame-pipe.ts';
import { StripedPipe } from '../transport/stripes/striped-pipe.ts';
import type { HandoverPipe } from './handover-pipe.ts';
import { helloLimits } from './hello.ts';
import { admitSocket, joinSocket } from './join.ts';
import type { Hello } from './link.ts';

/** Options of {@link ExtraSockets}. */
export interface ExtraSocketsOptions {
  readonly transport: PipeTransport;
  readonly clock: Clock;
  readonly limits: LinkLimits;
}

/** A handshake that went well. */
export interface FreshLink {
  readonly pipe: FramePipe;
  readonly peer: Hello;
  /** The token this side offered. */
  readonly token: string | undefined;
  /** Where the peer was dialled; undefined on the acceptor, which cannot dial. */
  readonly address: Address | undefined;
}

/** See the file header. */
export class ExtraSockets {
  readonly #options: ExtraSocketsOptions;
  /** Links whose peer may join sockets, by the token it was told. */
  readonly #links = new Map<string, StripedPipe>();

  constructor(options: ExtraSocketsOptions) {
    this.#options = options;
  }

  /** What this side says in one handshake. */
  offer(hello: Hello): Hello {
    const { maxSockets, maxReorderBytes: reorderBytes } = this.#options.limits;
    if (maxSockets < 2) return hello;
    const max = Math.min(maxSockets, helloLimits.maxSockets);
    return { ...hello, sockets: { max, reorderBytes, token: randomBytes(16).toString('hex') } };
  }

  /** The pipe of a link: one of several sockets when both sides offered that. */
  stripe({ pipe, peer, token, address }: FreshLink): FramePipe {
    if (!peer.sockets || token === undefined) return pipe;
    const { clock, limits, transport } = this.#options;
    const { max, reorderBytes, token: theirs } = peer.sockets;
    const join = address && {
      transport,
      address,
      clock,
      timeoutMs: limits.handshakeTimeoutMs,
      token: theirs,
      first: pipe,
      peer,
    };
    const striped = new StripedPipe({
      pipe,
      clock,
      limits,
      peerMaxSockets: max,
      peerReorderBytes: reorderBytes,
      dial: join && ((signal, onSocket) => joinSocket(join, signal, onSocket)),
    });
    if (!join) this.#links.set(token, striped);
    return striped;
  }

  /** A socket wants to join; returns why it may not. */
  admit(socket: HandoverPipe, token: string): DwcpError | undefined {
    const pipe = this.#links.get(token);
    const { takesSocket = false } = pipe ?? {};
    const join = (one: FramePipe): void => pipe?.join(one);
    return admitSocket(socket, pipe && { pipe, takesSocket, join });
  }

  /** A link is down: its token is worth nothing any more. */
  forget(token: string | undefined): void {
    if (token !== undefined) this.#links.delete(token);
  }
}
