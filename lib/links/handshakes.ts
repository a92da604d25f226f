/** The handshakes of a node under way, inbound ones bounded: who floods loses its own oldest pipes. */
import { DwcpError } from '../errors.ts';
import { Crowd } from '../transport/crowd.ts';
import type { FramePipe } from '../transport/frame-pipe.ts';
import { Handshake } from './handshake.ts';
import type { HandshakeOptions, HandshakeOutcome } from './handshake.ts';

/** Which side of a pipe this node is. */
export type Role = HandshakeOptions['role'];

/** Options of {@link Handshakes}. */
export interface HandshakesOptions {
  /** Inbound handshakes at once, together and of one address. */
  readonly maxHalfOpen: number;
  readonly maxHalfOpenPerAddress: number;
  /** What a handshake needs beside its pipe, asked for each. */
  optionsFor(): Omit<HandshakeOptions, 'role' | 'onOutcome'>;
  /** A handshake ended, whatever came of it; before its own callback. */
  onEnded(handshake: Handshake): void;
}

/** See the file header. */
export class Handshakes {
  readonly #options: HandshakesOptions;
  readonly #inbound: Crowd<Handshake>;
  readonly #outbound = new Set<Handshake>();
  #dropped = 0;

  constructor(options: HandshakesOptions) {
    this.#options = options;
    this.#inbound = new Crowd(options.maxHalfOpen, options.maxHalfOpenPerAddress);
  }

  /** Inbound handshakes under way. */
  get halfOpen(): number {
    return this.#inbound.size;
  }

  /** Inbound pipes dropped because there were too many. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Shakes hands over a fresh pipe; calls back once. Throws, pipe untouched, if our Hello is wrong. */
  begin(pipe: FramePipe, role: Role, onOutcome: (outcome: HandshakeOutcome) => void): Handshake {
    let early: Handshake | undefined;
    const handshake = new Handshake(pipe, {
      ...this.#options.optionsFor(),
      role,
      onOutcome: (outcome, ended) => {
        early = ended;
        this.#outbound.delete(ended);
        this.#inbound.release(ended);
        this.#options.onEnded(ended);
        onOutcome(outcome);
      },
    });
    if (early !== undefined) return handshake;
    if (role === 'dialer') this.#outbound.add(handshake);
    else this.#admit(handshake, pipe.remoteAddress);
    return handshake;
  }

  /** Gives all of them up and tells the peers why. */
  abortAll(error: DwcpError): void {
    for (const handshake of [...this.#inbound.all(), ...this.#outbound]) handshake.abort(error);
  }

  #admit(handshake: Handshake, remoteAddress: string): void {
    const displaced = this.#inbound.admit(handshake, remoteAddress);
    if (!displaced) return;
    const { who, limit } = displaced;
    this.#dropped += 1;
    const message = `Too many inbound pipes are half-open (${limit})`;
    who.drop(new DwcpError('ERR_DWCP_LIMIT', message, { detail: { limit } }));
  }
}
