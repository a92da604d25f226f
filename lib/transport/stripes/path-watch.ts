/** What a striped pipe knows of its path: round trips of the pings that pass, what the peer confirmed, and the kernel's word. */
import type { Clock } from '../../clock.ts';
import {
  type Frame,
  FrameKind,
  type FramePipe,
  type OutgoingFrame,
  type PathSample,
} from '../frame-pipe.ts';

/** Time over which goodput is averaged, ms. */
const goodputMs = 1000;
/** A ping without an answer is given up for the next after so long, ms. */
const pingLostMs = 2000;

/** See the file header. */
export class PathWatch {
  readonly #clock: Clock;
  #ping: { readonly id: string; readonly sentMs: number } | undefined;
  #minRttMs = Infinity;
  #ackedBytes = 0;
  #since: { readonly ms: number; readonly bytes: number };
  #bytesPerSecond = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = { ms: clock.monotonic(), bytes: 0 };
  }

  /** Least round trip seen, ms; 0 until there was one. */
  get minRttMs(): number {
    return this.#minRttMs === Infinity ? 0 : this.#minRttMs;
  }

  /** Bytes the peer confirmed, ever. */
  get ackedBytes(): number {
    return this.#ackedBytes;
  }

  sent(frame: OutgoingFrame): void {
    if (frame.kind !== FrameKind.ping) return;
    const sentMs = this.#clock.monotonic();
    // One at a time, unless it was lost with its socket.
    if (this.#ping && sentMs - this.#ping.sentMs < pingLostMs) return;
    this.#ping = { id: Buffer.concat(frame.payload).toString('latin1'), sentMs };
  }

  received(frame: Frame): void {
    if (frame.kind !== FrameKind.pong || !this.#ping) return;
    if (Buffer.from(frame.payload).toString('latin1') !== this.#ping.id) return;
    this.#minRttMs = Math.min(this.#minRttMs, this.#clock.monotonic() - this.#ping.sentMs);
    this.#ping = undefined;
  }

  acked(bytes: number): void {
    this.#ackedBytes += bytes;
    const nowMs = this.#clock.monotonic();
    const elapsedMs = nowMs - this.#since.ms;
    if (elapsedMs < goodputMs) return;
    this.#bytesPerSecond = ((this.#ackedBytes - this.#since.bytes) / elapsedMs) * 1000;
    this.#since = { ms: nowMs, bytes: this.#ackedBytes };
  }

  /** The sockets' samples in one. */
  path(pipes: readonly FramePipe[]): PathSample {
    const samples = pipes.map((pipe) => pipe.path?.()).filter((each) => each !== undefined);
    const names = new Set(samples.map(({ congestion }) => congestion));
    return {
      congestion: samples.length > 0 ? [...names].join(', ') : undefined,
      rttMs: samples.reduce((sum, { rttMs }) => sum + rttMs / samples.length, 0),
      minRttMs: this.minRttMs,
      retransmits: samples.reduce((sum, { retransmits }) => sum + retransmits, 0),
      deliveryBytesPerSecond: samples.reduce((sum, each) => sum + each.deliveryBytesPerSecond, 0),
      sockets: pipes.length,
      goodputBytesPerSecond: this.#bytesPerSecond,
    };
  }
}
