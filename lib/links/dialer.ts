/**
 * Keeps one address dialled until told to stop. States: waiting for a timer, dialling (connect and
 * handshake under way), resting (its peer is linked, by this or another pipe), stopped. Waits are capped
 * exponential backoff with full jitter; a link that was stable starts it anew.
 */
import type { Clock, Timer } from '../clock.ts';
import { DwcpError, isDwcpError } from '../errors.ts';
import type { Random } from '../random.ts';
import type { Address, FramePipe, PipeTransport } from '../transport/frame-pipe.ts';
import { Backoff } from './backoff.ts';
import type { BackoffOptions } from './backoff.ts';

/** What came of one try. */
export type DialResult =
  /** The peer is linked: rest until its link goes down. */
  | { readonly kind: 'linked'; readonly nodeId: string }
  /** The address is our own: never again. */
  | { readonly kind: 'self' }
  | { readonly kind: 'failed' };

/** What a dialer needs from its surroundings. */
export interface DialerOptions {
  readonly address: Address;
  readonly transport: PipeTransport;
  readonly clock: Clock;
  readonly random: Random;
  readonly backoff: BackoffOptions;
  readonly connectTimeoutMs: number;
  /** Shakes hands over a fresh pipe; calls back once. Returns how to give up. */
  shake(pipe: FramePipe, done: (result: DialResult) => void): () => void;
  /** A dial begins. */
  onTry(): void;
  /** A dial failed before any handshake. */
  onFailed(error: DwcpError): void;
}

/** See the file header. */
export class Dialer {
  readonly address: Address;
  readonly #options: DialerOptions;
  readonly #backoff: Backoff;
  #timer: Timer | undefined;
  #abort: AbortController | undefined;
  #giveUp: (() => void) | undefined;
  #nodeId: string | undefined;
  #state: 'waiting' | 'dialling' | 'resting' | 'stopped' = 'waiting';

  constructor(options: DialerOptions) {
    this.#options = options;
    this.address = options.address;
    this.#backoff = new Backoff(options.random, options.backoff);
  }

  /** The peer found at the address, while it is linked. */
  get restsOn(): string | undefined {
    return this.#state === 'resting' ? this.#nodeId : undefined;
  }

  get state(): 'waiting' | 'dialling' | 'resting' | 'stopped' {
    return this.#state;
  }

  /** Dials now. */
  start(): void {
    if (this.#state !== 'waiting') return;
    this.#timer?.cancel();
    this.#state = 'dialling';
    void this.#dial();
  }

  /** The link it rests on went down after `livedMs`: dial again after a wait. */
  wake(livedMs: number): void {
    if (this.#state !== 'resting') return;
    this.#backoff.lived(livedMs);
    this.#wait();
  }

  /** For ever. */
  stop(): void {
    this.#state = 'stopped';
    this.#timer?.cancel();
    this.#giveUp?.();
    this.#abort?.abort(new DwcpError('ERR_DWCP_CLOSED', 'the address was forgotten'));
  }

  async #dial(): Promise<void> {
    const { transport, clock, connectTimeoutMs, address } = this.#options;
    this.#options.onTry();
    const abort = new AbortController();
    this.#abort = abort;
    const deadline = clock.setTimer(() => {
      abort.abort(new DwcpError('ERR_DWCP_DEADLINE', `no answer within ${connectTimeoutMs} ms`));
    }, connectTimeoutMs);
    try {
      const pipe = await transport.connect(address, { signal: abort.signal });
      deadline.cancel();
      if (abort.signal.aborted) return pipe.destroy();
      this.#giveUp = this.#options.shake(pipe, (result) => this.#ended(result));
    } catch (error) {
      deadline.cancel();
      if (!isDwcpError(error)) throw error;
      this.#failed(error);
    }
  }

  #failed(error: DwcpError): void {
    if (this.#state !== 'dialling') return;
    this.#options.onFailed(error);
    this.#ended({ kind: 'failed' });
  }

  #ended(result: DialResult): void {
    if (this.#state !== 'dialling') return;
    this.#giveUp = undefined;
    if (result.kind === 'failed') return this.#wait();
    this.#state = result.kind === 'self' ? 'stopped' : 'resting';
    if (result.kind === 'linked') this.#nodeId = result.nodeId;
  }

  #wait(): void {
    this.#state = 'waiting';
    this.#timer = this.#options.clock.setTimer(() => this.start(), this.#backoff.nextMs());
  }
}
