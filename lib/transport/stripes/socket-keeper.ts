/**
 * Keeps as many sockets as there should be: the dialer opens them, an acceptor asks for them. After the last was cut it tries
 * until `resumeTimeoutMs` have passed, or the peer says that it knows nothing of the link; an acceptor waits as long.
 */
import type { Clock, Timer } from '../../clock.ts';
import { DwcpError, isDwcpError } from '../../errors.ts';
import type { FramePipe } from '../frame-pipe.ts';
import type { PathWatch } from './path-watch.ts';
import { type SocketBounds, SocketCount } from './socket-count.ts';

/** Dials under way at once. */
const maxDials = 8;
/** Between two tries to resume, ms. */
const retryMs = 100;
/** One sample is as long as so many round trips, and not shorter than this, ms. */
const intervalRtts = 4;
const minIntervalMs = 250;
/** A round trip so many times that of the path means that a queue builds. */
const queueingRtts = 1.5;

/**
 * Opens one more socket and joins it to the link. `onSocket` is called once, in the turn in which the peer agreed: what it sends
 * next must not be lost. Rejects when there will be none.
 */
export type DialSocket = (
  signal: AbortSignal,
  onSocket: (pipe: FramePipe) => void,
) => Promise<void>;

/** What a keeper needs. */
export interface SocketKeeperOptions {
  readonly clock: Clock;
  readonly dial: DialSocket | undefined;
  readonly bounds: SocketBounds;
  readonly resumeTimeoutMs: number;
  readonly onSocket: (pipe: FramePipe) => void;
  /** Asks the peer to dial. */
  readonly ask: (sockets: number) => void;
  /** The link is lost. */
  readonly onLost: (error: DwcpError | undefined) => void;
}

/** See the file header. */
export class SocketKeeper {
  readonly #options: SocketKeeperOptions;
  readonly #count: SocketCount;
  readonly #abort = new AbortController();
  #peerWants = 1;
  #asked = 1;
  #dialling = 0;
  #failedMs = -Infinity;
  #resume: { readonly timer: Timer; readonly error: DwcpError | undefined } | undefined;
  #since: { ms: number; ackedBytes: number; retransmits: number } | undefined;
  #ticks = 0;
  #backloggedTicks = 0;

  constructor(options: SocketKeeperOptions) {
    this.#options = options;
    this.#count = new SocketCount(options.bounds);
  }

  /** It has something to do at the next tick. */
  get busy(): boolean {
    return this.#resume !== undefined || this.#dialling > 0;
  }

  /** The peer, which does not dial, wants so many. */
  asked(sockets: number): void {
    this.#peerWants = Math.max(1, Math.min(sockets, this.#options.bounds.max));
  }

  /** A socket stands. */
  joined(): void {
    this.#resume?.timer.cancel();
    this.#resume = undefined;
  }

  /** No socket is left. */
  allLost(error: DwcpError | undefined): void {
    const { clock, resumeTimeoutMs } = this.#options;
    const timer = clock.setTimer(() => this.#giveUp(), resumeTimeoutMs);
    this.#resume = { timer, error };
    this.#failedMs = -Infinity;
    this.#dialMissing(0);
  }

  /** Looks at the link; returns how many sockets are too many. */
  tick(watch: PathWatch, pipes: readonly FramePipe[], backlogged: boolean): number {
    const standing = pipes.length;
    this.#ticks++;
    if (backlogged) this.#backloggedTicks++;
    this.#measure(watch, pipes);
    if (!this.#options.dial) {
      if (this.#count.wanted !== this.#asked) this.#options.ask(this.#count.wanted);
      this.#asked = this.#count.wanted;
      return 0;
    }
    this.#dialMissing(standing);
    return Math.max(0, standing - this.#wanted);
  }

  stop(): void {
    this.#resume?.timer.cancel();
    this.#resume = undefined;
    this.#abort.abort();
  }

  get #wanted(): number {
    return Math.max(this.#count.wanted, this.#peerWants);
  }

  /** At the end of an interval: what it brought. */
  #measure(watch: PathWatch, pipes: readonly FramePipe[]): void {
    const nowMs = this.#options.clock.monotonic();
    const intervalMs = Math.max(minIntervalMs, intervalRtts * watch.minRttMs);
    if (this.#since && nowMs - this.#since.ms < intervalMs) return;
    const { congestion, retransmits, rttMs } = watch.path(pipes);
    const { ackedBytes } = watch;
    if (this.#since) {
      this.#count.next({
        sockets: pipes.length,
        bytesPerSecond: ((ackedBytes - this.#since.ackedBytes) / (nowMs - this.#since.ms)) * 1000,
        backlogged: this.#backloggedTicks > this.#ticks * 0.8,
        congestion,
        queueing: rttMs > queueingRtts * watch.minRttMs,
        lossy: congestion === undefined ? undefined : retransmits > this.#since.retransmits,
      });
    }
    this.#since = { ms: nowMs, ackedBytes, retransmits };
    this.#ticks = 0;
    this.#backloggedTicks = 0;
  }

  #dialMissing(standing: number): void {
    const { dial, clock } = this.#options;
    if (!dial || this.#abort.signal.aborted) return;
    if (clock.monotonic() - this.#failedMs < retryMs) return;
    const missing = this.#wanted - standing - this.#dialling;
    const more = Math.min(missing, maxDials - this.#dialling);
    for (let i = 0; i < more; i++) {
      this.#dialling++;
      const onSocket = (pipe: FramePipe): void => {
        this.#dialling--;
        this.#options.onSocket(pipe);
      };
      dial(this.#abort.signal, onSocket).catch((error: unknown) => this.#failed(error));
    }
  }

  #failed(error: unknown): void {
    this.#dialling--;
    this.#failedMs = this.#options.clock.monotonic();
    if (!this.#resume || this.#abort.signal.aborted) return;
    if (!mayPass(error)) return this.#giveUp();
    this.#options.clock.setTimer(() => this.#dialMissing(0), retryMs).unref();
  }

  #giveUp(): void {
    const error = this.#resume?.error;
    this.#options.onLost(
      error ?? new DwcpError('ERR_DWCP_LINK_DOWN', 'Every socket of the link was cut'),
    );
  }
}

/**
 * Whether another try may succeed: after a cut or silence, and while the peer has not noticed yet that sockets are gone. A
 * peer that refuses knows nothing of the link any more, and where nobody listens it is not there.
 */
function mayPass(error: unknown): boolean {
  if (!isDwcpError(error)) return false;
  const { code, cause } = error;
  if (code === 'ERR_DWCP_DEADLINE' || code === 'ERR_DWCP_LIMIT') return true;
  const isGone = (cause as NodeJS.ErrnoException | undefined)?.code === 'ECONNREFUSED';
  return code === 'ERR_DWCP_CONNECT' && !isGone;
}
