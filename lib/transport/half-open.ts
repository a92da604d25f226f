/**
 * Inbound sockets that have not proven yet that they speak the protocol: counted, capped, and given a
 * deadline, against peers that connect and say nothing.
 */
import type { Clock, Timer } from '../clock.ts';
import { DwcpError } from '../errors.ts';
import type { LinkLimits } from '../limits.ts';

/** A socket or pipe that can be given up. */
export interface Abandonable {
  destroy(): unknown;
}

/** The sockets of one listener that are under way. */
export class HalfOpen {
  readonly #timers = new Map<Abandonable, Timer>();
  readonly #clock: Clock;
  readonly #limits: LinkLimits;

  readonly #onGivenUp: (socket: Abandonable, error: DwcpError) => void;

  /** `onGivenUp` is told why a socket is about to be destroyed; the caller's own releases are not. */
  constructor(
    clock: Clock,
    limits: LinkLimits,
    onGivenUp: (socket: Abandonable, error: DwcpError) => void = () => {},
  ) {
    this.#clock = clock;
    this.#limits = limits;
    this.#onGivenUp = onGivenUp;
  }

  /**
   * Counts a socket in. When there are too many the oldest goes: an honest peer needs a round trip or
   * two, and those that stay silent must not keep it out. The caller releases it when it closes.
   */
  admit(socket: Abandonable): void {
    if (this.#timers.size >= this.#limits.maxHalfOpen) this.#dropOldest();
    const { handshakeTimeoutMs } = this.#limits;
    const late = `not a word that makes sense within ${handshakeTimeoutMs} ms`;
    const timer = this.#clock.setTimer(
      () => this.#giveUp(socket, new DwcpError('ERR_DWCP_DEADLINE', late)),
      handshakeTimeoutMs,
    );
    timer.unref();
    this.#timers.set(socket, timer);
  }

  /** The socket was handed out, or went away. */
  release(socket: Abandonable): void {
    this.#timers.get(socket)?.cancel();
    this.#timers.delete(socket);
  }

  #dropOldest(): void {
    const [oldest] = this.#timers.keys();
    if (oldest === undefined) return;
    const detail = { limit: 'maxHalfOpen' };
    const text = `more than maxHalfOpen (${this.#limits.maxHalfOpen}) connections under way`;
    this.#giveUp(oldest, new DwcpError('ERR_DWCP_LIMIT', text, { detail }));
  }

  #giveUp(socket: Abandonable, error: DwcpError): void {
    this.release(socket);
    this.#onGivenUp(socket, error);
    socket.destroy();
  }

  /** Destroys all that are under way. */
  destroyAll(): void {
    for (const socket of this.#timers.keys()) socket.destroy();
  }
}
