/** One live link: a peer that said Hello, and the Connection to it. Owns the Connection. */
import type { Clock } from '../clock.ts';
import { DwcpError } from '../errors.ts';
import type { LinkLimits } from '../limits.ts';
import { Connection } from '../transport/connection.ts';
import type { FramePipe } from '../transport/frame-pipe.ts';
import type { Stream } from '../transport/stream.ts';
import type { Channel, Hello, Link, LinkStats } from './link.ts';

/** What a link is made of. */
export interface LiveLinkOptions {
  readonly pipe: FramePipe;
  readonly role: 'dialer' | 'acceptor';
  readonly peer: Hello;
  /** What further sockets of it were offered under. */
  readonly token: string | undefined;
  readonly clock: Clock;
  readonly limits: LinkLimits;
  onStream(link: LiveLink, stream: Stream): void;
  /** Called exactly once. */
  onClose(link: LiveLink, error: DwcpError | undefined): void;
}

/** The implementation of {@link Link}. */
export class LiveLink implements Link {
  readonly peer: Hello;
  readonly role: 'dialer' | 'acceptor';
  readonly token: string | undefined;
  /** Set by the owner once `down` was told. */
  isDown = false;
  /** Monotonic ms when it came up. */
  readonly upAtMs: number;
  readonly #connection: Connection;
  readonly #pipe: FramePipe;
  #reason: DwcpError | undefined;

  constructor(options: LiveLinkOptions) {
    const { pipe, role, peer, clock, limits } = options;
    this.peer = peer;
    this.role = role;
    this.token = options.token;
    this.#pipe = pipe;
    this.upAtMs = clock.monotonic();
    this.#connection = new Connection({
      pipe,
      role,
      clock,
      limits,
      onStream: (stream) => options.onStream(this, stream),
      onClose: (error) => options.onClose(this, this.#reason ?? error),
    });
  }

  get tier(): FramePipe['tier'] {
    return this.#pipe.tier;
  }
  get secure(): boolean {
    return this.#pipe.secure;
  }
  get remoteAddress(): string {
    return this.#pipe.remoteAddress;
  }
  get lastHeardMs(): number {
    return this.#connection.lastHeardMs;
  }
  get pingPendingSinceMs(): number | undefined {
    return this.#connection.pingPendingSinceMs;
  }
  get rttMs(): number | undefined {
    return this.#connection.rttMs;
  }

  open(channel: Channel): Stream {
    return this.#connection.open(channel);
  }

  ping(): void {
    this.#connection.ping();
  }

  close(error?: DwcpError): void {
    if (error === undefined) return void this.#connection.close();
    this.#reason = error;
    this.#connection.destroy(error);
  }

  /** Says goaway, waits up to `timeoutMs` for streams to end, closes. */
  drain(timeoutMs: number): Promise<void> {
    return this.#connection.close({ timeoutMs });
  }

  stats(): LinkStats {
    const { streams, sendQueueBytes, rttMs, ...rest } = this.#connection.stats();
    const path = this.#pipe.path?.();
    const { bytesIn, bytesOut, framesIn, framesOut, bufferedBytes } = rest;
    return {
      bytesIn,
      bytesOut,
      framesIn,
      framesOut,
      bufferedBytes,
      rttMs,
      streams,
      sendQueueBytes,
      congestion: path?.congestion,
      retransmits: path?.retransmits,
      deliveryBytesPerSecond: path?.deliveryBytesPerSecond,
      sockets: path?.sockets ?? 1,
      goodputBytesPerSecond: path?.goodputBytesPerSecond,
      resentChunks: path?.resentChunks,
      cuts: path?.cuts,
    };
  }
}
