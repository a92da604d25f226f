/**
 * `FramePipe` in memory: a pair of ends, or a small network to listen and dial on. Order is kept, nothing is
 * lost, latency follows the clock; with none, a batch arrives in the next tick. Deterministic.
 * `bufferedBytes` is what the simulated kernel has not taken: it holds `socketBufferBytes` per direction.
 */
import { type Clock, systemClock } from '../clock.ts';
import { DwcpError } from '../errors.ts';
import { defaultLimits } from '../limits.ts';
import { headerSizeBytes } from '../transport/envelope.ts';
import type {
  Address,
  Frame,
  FramePipe,
  OutgoingFrame,
  PeerIdentity,
  PipeHandler,
  PipeStats,
  PipeTransport,
} from '../transport/frame-pipe.ts';

/** Options of simulated pipes. */
export interface SimulatedPipeOptions {
  readonly clock?: Clock | undefined;
  /** One-way delay, ms. */
  readonly latencyMs?: number | undefined;
  /** Bytes at which `send` returns false. */
  readonly highWaterBytes?: number | undefined;
  /** Bytes one direction may have under way. */
  readonly socketBufferBytes?: number | undefined;
  /** Who the peer of the dialling end is, as a certificate would prove; undefined means plaintext. */
  readonly acceptorIdentity?: PeerIdentity | undefined;
  /** Who the peer of the accepting end is. */
  readonly dialerIdentity?: PeerIdentity | undefined;
}

interface Settings {
  readonly clock: Clock;
  readonly latencyMs: number;
  readonly highWaterBytes: number;
  readonly socketBufferBytes: number;
}

/** Frames on their way, with what they weigh; no frames mean the end of the direction. */
interface Parcel {
  readonly frames: readonly Frame[];
  readonly sizeBytes: number;
  readonly dueMs: number;
}

/** One end of a pair. */
class SimulatedPipe implements FramePipe {
  readonly tier = 'simulated';
  readonly secure: boolean;
  readonly identity: PeerIdentity | undefined;
  readonly remoteAddress: string;
  peer!: SimulatedPipe;

  readonly #settings: Settings;
  #handler: PipeHandler | undefined;
  #delivering = false;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #error: DwcpError | undefined;
  #told = false;
  /** Handed over, not taken by the simulated kernel. */
  #queue: Parcel[] = [];
  #queuedBytes = 0;
  #blocked = false;
  #takeDue = false;
  /** Under way to this end. */
  #arriving: Parcel[] = [];
  #arrivingBytes = 0;
  #arrivalDue = false;
  #bytesIn = 0;
  #bytesOut = 0;
  #framesIn = 0;
  #framesOut = 0;

  constructor(settings: Settings, remoteAddress: string, identity: PeerIdentity | undefined) {
    this.#settings = settings;
    this.remoteAddress = remoteAddress;
    this.identity = identity;
    this.secure = identity !== undefined;
  }

  start(handler: PipeHandler): void {
    if (this.#handler) throw new DwcpError('ERR_DWCP_INVALID_ARG', 'The pipe was started before');
    this.#handler = handler;
    process.nextTick(() => {
      this.#delivering = true;
      if (this.#state === 'closed') this.#tellClosed();
      else this.#arrive();
    });
  }

  send(frames: readonly OutgoingFrame[]): boolean {
    if (this.#state !== 'open') throw new DwcpError('ERR_DWCP_CLOSED', 'The pipe is closed');
    const copies = frames.map(copyFrame);
    let sizeBytes = 0;
    for (const frame of copies) sizeBytes += headerSizeBytes + frame.payload.length;
    this.#framesOut += copies.length;
    this.#bytesOut += sizeBytes;
    this.#enqueue({ frames: copies, sizeBytes, dueMs: 0 });
    this.#blocked = this.#queuedBytes >= this.#settings.highWaterBytes;
    return !this.#blocked;
  }

  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.#enqueue({ frames: [], sizeBytes: 0, dueMs: 0 });
  }

  destroy(error?: DwcpError): void {
    if (this.#state === 'closed') return;
    this.#finish(error);
    const reset = new DwcpError('ERR_DWCP_LINK_DOWN', 'The simulated peer vanished');
    this.#later(() => this.peer.#finish(reset));
  }

  stats(): PipeStats {
    return {
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
      framesIn: this.#framesIn,
      framesOut: this.#framesOut,
      bufferedBytes: this.#queuedBytes,
    };
  }

  #enqueue(parcel: Parcel): void {
    this.#queue.push(parcel);
    this.#queuedBytes += parcel.sizeBytes;
    this.#scheduleTake();
  }

  #scheduleTake(): void {
    if (this.#takeDue) return;
    this.#takeDue = true;
    process.nextTick(() => {
      this.#takeDue = false;
      this.#take();
    });
  }

  /** The simulated kernel takes what fits its buffer. */
  #take(): void {
    const dueMs = this.#settings.clock.monotonic() + this.#settings.latencyMs;
    while (this.#queue.length > 0 && this.peer.#arrivingBytes < this.#settings.socketBufferBytes) {
      const parcel = this.#queue.shift()!;
      this.#queuedBytes -= parcel.sizeBytes;
      this.peer.#arrivingBytes += parcel.sizeBytes;
      this.peer.#arriving.push({ ...parcel, dueMs });
    }
    this.peer.#scheduleArrival();
    if (!this.#blocked || this.#queuedBytes >= this.#settings.highWaterBytes) return;
    this.#blocked = false;
    if (this.#state === 'open' && this.#delivering) this.#handler!.onWritable();
  }

  #scheduleArrival(): void {
    if (this.#arrivalDue || this.#arriving.length === 0) return;
    this.#arrivalDue = true;
    const delayMs = this.#arriving[0]!.dueMs - this.#settings.clock.monotonic();
    const arrive = (): void => {
      this.#arrivalDue = false;
      this.#arrive();
    };
    if (delayMs <= 0) process.nextTick(arrive);
    else this.#settings.clock.setTimer(arrive, delayMs);
  }

  #arrive(): void {
    const now = this.#settings.clock.monotonic();
    while (this.#delivering && this.#state !== 'closed') {
      const parcel = this.#arriving[0];
      if (!parcel || parcel.dueMs > now) break;
      this.#arriving.shift();
      this.#arrivingBytes -= parcel.sizeBytes;
      if (parcel.frames.length === 0) this.#ended();
      else if (this.#state === 'open') this.#deliver(parcel);
    }
    if (!this.#delivering || this.#state === 'closed') return;
    this.#scheduleArrival();
    this.peer.#scheduleTake();
  }

  #deliver(parcel: Parcel): void {
    this.#bytesIn += parcel.sizeBytes;
    this.#framesIn += parcel.frames.length;
    this.#handler!.onFrames(parcel.frames);
  }

  /** The peer closed in order: so do we, and it learns that a latency later. */
  #ended(): void {
    this.#finish(undefined);
    this.#later(() => this.peer.#finish(undefined));
  }

  #finish(error: DwcpError | undefined): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#error = error;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#arriving = [];
    process.nextTick(() => this.#tellClosed());
  }

  #tellClosed(): void {
    if (this.#told || !this.#delivering) return;
    this.#told = true;
    this.#handler!.onClose(this.#error);
  }

  #later(fn: () => void): void {
    if (this.#settings.latencyMs <= 0) process.nextTick(fn);
    else this.#settings.clock.setTimer(fn, this.#settings.latencyMs);
  }
}

function copyFrame(frame: OutgoingFrame): Frame {
  return { ...frame, payload: Buffer.concat(frame.payload) };
}

/**
 * Two ends of one pipe: the dialling one, then the accepting one.
 * @example
 * const [a, b] = simulatedPipePair({ clock: new SimulatedClock(), latencyMs: 40 });
 */
export function simulatedPipePair(options: SimulatedPipeOptions = {}): [FramePipe, FramePipe] {
  const settings: Settings = {
    clock: options.clock ?? systemClock,
    latencyMs: options.latencyMs ?? 0,
    highWaterBytes: options.highWaterBytes ?? defaultLimits.link.pipeHighWaterBytes,
    socketBufferBytes: options.socketBufferBytes ?? 4 * 1024 * 1024,
  };
  const dialer = new SimulatedPipe(settings, 'simulated:acceptor', options.acceptorIdentity);
  const acceptor = new SimulatedPipe(settings, 'simulated:dialer', options.dialerIdentity);
  dialer.peer = acceptor;
  acceptor.peer = dialer;
  return [dialer, acceptor];
}

/**
 * A network in memory; every transport made by it can reach every listener on it.
 * @example
 * const network = new SimulatedNetwork({ clock, latencyMs: 40 });
 * const node = await createNode({ region: 'eu', clock, transport: network.transport() });
 */
export class SimulatedNetwork {
  readonly #options: SimulatedPipeOptions;
  readonly #listeners = new Map<string, (pipe: FramePipe) => void>();
  #nextPort = 40_000;

  constructor(options: SimulatedPipeOptions = {}) {
    this.#options = options;
  }

  /** A transport on this network. Hosts are any strings; port 0 picks one. */
  transport(): PipeTransport {
    return {
      tier: 'simulated',
      listen: (address, onPipe) => {
        const port = address.port === 0 ? this.#nextPort++ : address.port;
        const bound = { host: address.host, port };
        if (this.#listeners.has(key(bound))) {
          return Promise.reject(new DwcpError('ERR_DWCP_CONNECT', `${key(bound)} is taken`));
        }
        this.#listeners.set(key(bound), onPipe);
        const close = (): Promise<void> => {
          this.#listeners.delete(key(bound));
          return Promise.resolve();
        };
        return Promise.resolve({ address: bound, close });
      },
      connect: (address, { signal }) => this.#connect(address, signal),
    };
  }

  async #connect(address: Address, signal: AbortSignal | undefined): Promise<FramePipe> {
    await this.#delay();
    if (signal?.aborted) {
      throw new DwcpError('ERR_DWCP_ABORTED', undefined, { cause: signal.reason });
    }
    const onPipe = this.#listeners.get(key(address));
    if (!onPipe) throw new DwcpError('ERR_DWCP_CONNECT', `Nobody listens on ${key(address)}`);
    const [dialer, acceptor] = simulatedPipePair(this.#options);
    onPipe(acceptor);
    return dialer;
  }

  /** A round trip, as a handshake takes. */
  #delay(): Promise<void> {
    const { clock = systemClock, latencyMs = 0 } = this.#options;
    return new Promise((resolve) => {
      if (latencyMs > 0) clock.setTimer(resolve, 2 * latencyMs);
      else resolve();
    });
  }
}

function key(address: Address): string {
  return `${address.host}:${address.port}`;
}
