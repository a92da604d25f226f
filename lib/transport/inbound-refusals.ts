/**
 * Tells once, and with the first reason, why an inbound connection was turned away: a socket that was given up
 * (half-open.ts) fails in other ways afterwards.
 */
import { DwcpError } from '../errors.ts';

/** Told of an inbound connection that was turned away, and why. */
export type OnRefused = (error: DwcpError, remoteAddress: string) => void;

/** See the file header. */
export class InboundRefusals {
  readonly #onRefused: OnRefused;
  readonly #givenUp = new WeakMap<object, DwcpError>();

  constructor(onRefused: OnRefused) {
    this.#onRefused = onRefused;
  }

  /** The listener gave a socket up; it closes in a moment. */
  readonly givenUp = (socket: object, error: DwcpError): void => {
    this.#givenUp.set(socket, error);
  };

  /** A connection ended before it was a pipe. */
  closed(socket: object, remoteAddress: string, error: DwcpError | undefined): void {
    const silent = (): DwcpError =>
      new DwcpError('ERR_DWCP_HANDSHAKE', 'the connection closed before it said who it is');
    this.#onRefused(this.#givenUp.get(socket) ?? error ?? silent(), remoteAddress);
  }
}
