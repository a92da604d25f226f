/** The handshakes of a node under way, inbound ones bounded: who floods loses its own oldest pipes. */
import { DwcpError } from '../errors.ts';
import type { FramePipe } from '../transport/frame-pipe.ts';
import { Handshake } from './handshake.ts';
import type { HandshakeOptions, HandshakeOutcome } from './handshake.ts';

/** Which side of a pipe this node is. */
export type Role = HandshakeOptions['role'];

/** Options of {@link Handshakes}. */
export interface HandshakesOptions {
  /** Inbound handshakes at once. */
  readonly maxHalfOpen: number;
  /** What a handshake needs beside its pipe, asked for each. */
  optionsFor(): Omit<HandshakeOptions, 'role' | 'onOutcome'>;
  /** A handshake ended, whatever came of it; before its own callback. */
  onEnded(handshake: Handshake): void;
}

/** See the file header. */
export class Handshakes {
  readonly #options: HandshakesOptions;
  /** In order of age. */
  readonly #inbound = new Set<Handshake>();
  readonly #outbound = new Set<Handshake>();
  #dropped = 0;

  constructor(options: HandshakesOptions) {
    this.#options = options;
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
    const set = role === 'dialer' ? this.#outbound : this.#inbound;
    let early: Handshake | undefined;
    const handshake = new Handshake(pipe, {
      ...this.#options.optionsFor(),
      role,
      onOutcome: (outcome, ended) => {
        early = ended;
        set.delete(ended);
        this.#options.onEnded(ended);
        onOutcome(outcome);
      },
    });
    if (role === 'acceptor') this.#makeRoom();
    if (early === undefined) set.add(handshake);
    return handshake;
  }

  /** Gives all of them up and tells the peers why. */
  abortAll(error: DwcpError): void {
    for (const handshake of [...this.#inbound, ...this.#outbound]) handshake.abort(error);
  }

  /** The oldest goes: an honest peer needs a round trip, a slow-loris stays for ever. */
  #makeRoom(): void {
    if (this.#inbound.size < this.#options.maxHalfOpen) return;
    const [oldest] = this.#inbound;
    this.#dropped += 1;
    oldest?.drop(new DwcpError('ERR_DWCP_LIMIT', 'maxHalfOpen inbound pipes'));
  }
}
