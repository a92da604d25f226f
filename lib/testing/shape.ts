/**
 * `shape()`: any `FramePipe` with the delay, jitter, rate, stall or partition of a WAN link, changeable while
 * it runs, without root. Frames are never lost or reordered while the link lives, as over TCP.
 * Outbound payloads are copied when they must wait; inbound ones too.
 */
import type { Clock } from '../clock.ts';
import { DwcpError } from '../errors.ts';
import { type Random, seededRandom } from '../random.ts';
import { headerSizeBytes } from '../transport/envelope.ts';
import type {
  Frame,
  FramePipe,
  OutgoingFrame,
  PeerIdentity,
  PipeHandler,
  PipeStats,
} from '../transport/frame-pipe.ts';
import type { LinkProfile } from './link-profile.ts';
import { ShapedLine } from './shaped-line.ts';

/** A pipe whose link can be changed. */
export interface ShapedPipe extends FramePipe {
  readonly profile: LinkProfile;
  setProfile(profile: LinkProfile): void;
}

/** On the inbound line: frames, or the end of the inner pipe. */
type Arrival = { readonly frame: Frame } | { readonly ended: DwcpError | undefined };

/** Called when Hello told who is at the other end. */
export type OnIdentified = (peer: { readonly nodeId: string; readonly region: string }) => void;

class Shaper implements ShapedPipe {
  readonly tier: FramePipe['tier'];
  readonly remoteAddress: string;
  readonly identity: PeerIdentity | undefined;
  readonly secure: boolean;
  readonly #inner: FramePipe;
  readonly #options: ShapeOptions;
  readonly #outbound: ShapedLine<OutgoingFrame>;
  readonly #inbound: ShapedLine<Arrival>;
  #profile: LinkProfile;
  #handler: PipeHandler | undefined;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #innerGone = false;
  #told = false;
  #blocked = false;

  constructor(inner: FramePipe, profile: LinkProfile, clock: Clock, options: ShapeOptions) {
    this.tier = inner.tier;
    this.remoteAddress = inner.remoteAddress;
    this.identity = inner.identity;
    this.secure = inner.secure;
    this.#inner = inner;
    this.#profile = profile;
    this.#options = options;
    const random = options.random ?? seededRandom(1);
    this.#outbound = new ShapedLine(profile.outbound ?? {}, {
      clock,
      random,
      onArrival: (frames) => this.#release(frames),
      onRoom: () => this.#unblock(),
    });
    this.#inbound = new ShapedLine(profile.inbound ?? {}, {
      clock,
      random,
      onArrival: (arrivals) => this.#arrive(arrivals),
      onRoom: () => {},
    });
  }

  get profile(): LinkProfile {
    return this.#profile;
  }

  setProfile(profile: LinkProfile): void {
    this.#profile = profile;
    this.#outbound.setProfile(profile.outbound ?? {});
    this.#inbound.setProfile(profile.inbound ?? {});
  }

  identified(peer: { readonly nodeId: string; readonly region: string }): void {
    this.#inner.identified?.(peer);
    this.#options.onIdentified?.(peer);
  }

  start(handler: PipeHandler): void {
    this.#handler = handler;
    this.#inner.start({
      onFrames: (frames) => this.#onFrames(frames),
      onWritable: () => {
        this.#outbound.resume();
        this.#unblock();
      },
      onClose: (error) => this.#onInnerClosed(error),
    });
  }

  send(frames: readonly OutgoingFrame[]): boolean {
    if (this.#state !== 'open') throw new DwcpError('ERR_DWCP_CLOSED', 'The pipe is closed');
    if (this.#innerGone) return true;
    if (this.#outbound.transparent) {
      this.#blocked = !this.#inner.send(frames);
      return !this.#blocked;
    }
    for (const frame of frames) {
      const payload = Buffer.concat(frame.payload);
      this.#outbound.push({ ...frame, payload: [payload] }, headerSizeBytes + payload.length);
    }
    this.#outbound.run();
    this.#blocked = this.#outbound.full;
    return !this.#blocked;
  }

  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    if (this.#outbound.empty) this.#inner.close();
  }

  destroy(error?: DwcpError): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#outbound.clear();
    this.#inbound.clear();
    if (this.#innerGone) process.nextTick(() => this.#tellClosed(error));
    else this.#inner.destroy(error);
  }

  stats(): PipeStats {
    const stats = this.#inner.stats();
    return { ...stats, bufferedBytes: stats.bufferedBytes + this.#outbound.waitingBytes };
  }

  /** Outbound frames whose time has come. */
  #release(frames: readonly OutgoingFrame[]): boolean {
    if (this.#innerGone || this.#state === 'closed') return true;
    try {
      const writable = this.#inner.send(frames);
      if (this.#state === 'closing' && this.#outbound.empty) this.#inner.close();
      return writable;
    } catch {
      // The inner pipe is closing and says so with onClose: these frames are lost with the link.
      return true;
    }
  }

  #unblock(): void {
    if (!this.#blocked || this.#state !== 'open' || this.#outbound.full) return;
    this.#blocked = false;
    this.#handler?.onWritable();
  }

  #onFrames(frames: readonly Frame[]): void {
    if (this.#inbound.transparent) {
      if (this.#state === 'open') this.#handler!.onFrames(frames);
      return;
    }
    for (const frame of frames) {
      const payload = Buffer.from(frame.payload);
      this.#inbound.push({ frame: { ...frame, payload } }, headerSizeBytes + payload.length);
    }
    this.#inbound.run();
  }

  #onInnerClosed(error: DwcpError | undefined): void {
    this.#innerGone = true;
    this.#outbound.clear();
    // News of the peer's end travels as long as its data would, also where only senders shape.
    const { inbound, outbound } = this.#profile;
    const moreDelayMs = inbound?.delayMs === undefined ? (outbound?.delayMs ?? 0) : 0;
    if (this.#state === 'closed') return this.#tellClosed(error);
    if (this.#inbound.transparent && moreDelayMs === 0) return this.#tellClosed(error);
    this.#inbound.push({ ended: error }, 0, moreDelayMs);
    this.#inbound.run();
  }

  #arrive(arrivals: readonly Arrival[]): boolean {
    const frames: Frame[] = [];
    for (const arrival of arrivals) if ('frame' in arrival) frames.push(arrival.frame);
    if (frames.length > 0 && this.#state === 'open') this.#handler!.onFrames(frames);
    const last = arrivals.at(-1)!;
    if ('ended' in last) this.#tellClosed(last.ended);
    return true;
  }

  #tellClosed(error: DwcpError | undefined): void {
    if (this.#told) return;
    this.#told = true;
    this.#state = 'closed';
    this.#outbound.clear();
    this.#inbound.clear();
    this.#options.onClosed?.();
    this.#handler!.onClose(error);
  }
}

/** Options of {@link shape}. */
export interface ShapeOptions {
  /** Source of jitter; a fixed seed when absent. */
  readonly random?: Random | undefined;
  readonly onIdentified?: OnIdentified | undefined;
  /** The pipe is over. */
  readonly onClosed?: (() => void) | undefined;
}

/**
 * Wraps a pipe in a link profile. The wrapper owns the pipe.
 * @example
 * const far = shape(pipe, profiles.wan140, systemClock);
 * far.setProfile(partitioned(profiles.wan140)); // later: cut it
 */
export function shape(
  pipe: FramePipe,
  profile: LinkProfile,
  clock: Clock,
  options: ShapeOptions = {},
): ShapedPipe {
  return new Shaper(pipe, profile, clock, options);
}
