/**
 * Pings every link each interval and closes those silent for too long: slow and confirmed, as closing is.
 * The fast verdict, *suspect*, belongs to the health room.
 */
import type { Clock, Timer } from '../clock.ts';
import { DwcpError } from '../errors.ts';

/** What the pinger needs of a link. */
export interface Pingable {
  readonly lastHeardMs: number;
  ping(): void;
  close(error?: DwcpError): void;
}

/** Options of {@link Pinger}. */
export interface PingerOptions {
  readonly clock: Clock;
  readonly intervalMs: number;
  readonly deadAfterMs: number;
  readonly links: () => readonly Pingable[];
}

/** See the file header. Runs from construction to `stop`. */
export class Pinger {
  readonly #options: PingerOptions;
  #timer: Timer | undefined;
  #dueMs = 0;
  #silenced = 0;

  constructor(options: PingerOptions) {
    this.#options = options;
    this.#schedule();
  }

  /** Links closed for their silence. */
  get silenced(): number {
    return this.#silenced;
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #schedule(): void {
    const { clock, intervalMs } = this.#options;
    this.#dueMs = clock.monotonic() + intervalMs;
    this.#timer = clock.setTimer(() => this.#tick(), intervalMs);
    this.#timer.unref();
  }

  #tick(): void {
    const { clock, intervalMs, deadAfterMs, links } = this.#options;
    const nowMs = clock.monotonic();
    // After a stall of our own, silence proves nothing before the poll phase has read what waits.
    const stalled = nowMs - this.#dueMs > intervalMs;
    this.#schedule();
    for (const link of links()) {
      const silentMs = nowMs - link.lastHeardMs;
      if (stalled || silentMs <= deadAfterMs) {
        link.ping();
        continue;
      }
      this.#silenced += 1;
      link.close(new DwcpError('ERR_DWCP_LINK_DOWN', `silent for ${Math.round(silentMs)} ms`));
    }
  }
}
