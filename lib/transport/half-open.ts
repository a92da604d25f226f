/**
 * Inbound sockets that have not proven yet that they speak the protocol: counted, capped together and by address, and
 * given two deadlines, one for their first byte and one for their preface, against peers that connect and say nothing.
 */
import type { Clock, Timer } from '../clock.ts';
import { DwcpError } from '../errors.ts';
import type { LinkLimits } from '../limits.ts';
import { Crowd } from './crowd.ts';

/** A deadline that comes later than this is no word about the peer, ms. */
const stallMs = 50;

/** A socket or pipe that can be given up. */
export interface Abandonable {
  destroy(): unknown;
}

/** What is known of a fresh socket. */
export interface Knock {
  /** `host:port` of the peer. */
  readonly remoteAddress: string;
  /** True once anything came from it. */
  heard(): boolean;
}

/** Told why a socket is about to be destroyed; the caller's own releases are not told. */
export type OnGivenUp = (socket: Abandonable, error: DwcpError, remoteAddress: string) => void;

/** Numbers of a listener's half-open sockets. */
export interface HalfOpenStats {
  /** Under way now. */
  readonly halfOpen: number;
  /** Given up for another, all addresses together being at `maxHalfOpen`. */
  readonly shed: number;
  /** Given up for another of the same address, which was at `maxHalfOpenPerAddress`. */
  readonly shedByAddress: number;
  /** Closed because no byte came within `firstByteTimeoutMs`. */
  readonly silent: number;
  /** Closed because they did not finish within `handshakeTimeoutMs`. */
  readonly late: number;
}

/** The sockets of one listener that are under way. */
export class HalfOpen {
  readonly #timers = new Map<Abandonable, Timer>();
  readonly #knocks = new Map<Abandonable, Knock>();
  readonly #crowd: Crowd<Abandonable>;
  readonly #clock: Clock;
  readonly #limits: LinkLimits;
  readonly #onGivenUp: OnGivenUp;
  #shed = 0;
  #shedByAddress = 0;
  #silent = 0;
  #late = 0;

  constructor(clock: Clock, limits: LinkLimits, onGivenUp: OnGivenUp = () => {}) {
    this.#clock = clock;
    this.#limits = limits;
    this.#onGivenUp = onGivenUp;
    this.#crowd = new Crowd(limits.maxHalfOpen, limits.maxHalfOpenPerAddress);
  }

  /** Counts a socket in; another may have to go for it. The caller releases it when it closes. */
  admit(socket: Abandonable, knock: Knock): void {
    const displaced = this.#crowd.admit(socket, knock.remoteAddress);
    this.#knocks.set(socket, knock);
    const { firstByteTimeoutMs, handshakeTimeoutMs } = this.#limits;
    const firstMs = Math.min(firstByteTimeoutMs, handshakeTimeoutMs);
    this.#arm(socket, firstMs, () => this.#onFirstDeadline(socket, handshakeTimeoutMs - firstMs));
    if (!displaced) return;
    const { who, limit } = displaced;
    if (limit === 'maxHalfOpen') this.#shed++;
    else this.#shedByAddress++;
    const message = `Too many inbound connections are half-open (${limit})`;
    this.#refuse(who, new DwcpError('ERR_DWCP_LIMIT', message, { detail: { limit } }));
  }

  /** The socket was handed out, or went away. */
  release(socket: Abandonable): void {
    this.#timers.get(socket)?.cancel();
    this.#timers.delete(socket);
    this.#knocks.delete(socket);
    this.#crowd.release(socket);
  }

  stats(): HalfOpenStats {
    return {
      halfOpen: this.#crowd.size,
      shed: this.#shed,
      shedByAddress: this.#shedByAddress,
      silent: this.#silent,
      late: this.#late,
    };
  }

  /** Destroys all that are under way. */
  destroyAll(): void {
    for (const socket of this.#timers.keys()) socket.destroy();
  }

  #arm(socket: Abandonable, delayMs: number, onDeadline: () => void): void {
    const dueMs = this.#clock.monotonic() + delayMs;
    const timer = this.#clock.setTimer(() => {
      const lateMs = this.#clock.monotonic() - dueMs;
      // We were held up: what the peer said meanwhile is yet to be read.
      if (lateMs > stallMs) this.#arm(socket, stallMs, onDeadline);
      else onDeadline();
    }, delayMs);
    timer.unref();
    this.#timers.set(socket, timer);
  }

  #onFirstDeadline(socket: Abandonable, leftMs: number): void {
    const { firstByteTimeoutMs, handshakeTimeoutMs } = this.#limits;
    if (!this.#knocks.get(socket)?.heard()) {
      this.#silent++;
      this.#refuse(socket, tooLate(`Not a byte came within ${firstByteTimeoutMs} ms`));
      return;
    }
    this.#arm(socket, leftMs, () => {
      this.#late++;
      this.#refuse(socket, tooLate(`No handshake within ${handshakeTimeoutMs} ms`));
    });
  }

  #refuse(socket: Abandonable, error: DwcpError): void {
    const knock = this.#knocks.get(socket);
    this.release(socket);
    this.#onGivenUp(socket, error, knock?.remoteAddress ?? '?:0');
    socket.destroy();
  }
}

/** What a socket of node:net tells of itself. */
export function knockOf(socket: {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly bytesRead: number;
}): Knock {
  return {
    remoteAddress: `${socket.remoteAddress ?? '?'}:${socket.remotePort ?? 0}`,
    heard: () => socket.bytesRead > 0,
  };
}

function tooLate(message: string): DwcpError {
  return new DwcpError('ERR_DWCP_DEADLINE', message);
}
