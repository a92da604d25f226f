/** Inbound sockets that have not proven yet that they speak the protocol; bounded against slow-loris. */

/** A counted set of sockets under way. */
export class HalfOpen {
  readonly #sockets = new Set<{ destroy(): void }>();
  readonly #max: number;
  #refused = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** How many sockets were turned away because `max` others were under way. */
  get refused(): number {
    return this.#refused;
  }

  /** Admits a socket, or destroys it and says false. */
  admit(socket: { destroy(): void }): boolean {
    if (this.#sockets.size >= this.#max) {
      this.#refused++;
      socket.destroy();
      return false;
    }
    this.#sockets.add(socket);
    return true;
  }

  /** The socket was handed out or went away. */
  release(socket: { destroy(): void }): void {
    this.#sockets.delete(socket);
  }

  /** Destroys all that are under way. */
  destroyAll(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }
}
