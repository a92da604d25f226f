/**
 * `FramePipe` over a connection of the I/O engine: the same states as `SocketPipe`, without a socket object,
 * a stream or a Buffer per chunk. Frames of one wake-up are views of the engine's memory, valid until the
 * handler returns; what is sent is copied once, into memory the kernel reads.
 */
import type { Clock, Timer } from '../../clock.ts';
import { DwcpError } from '../../errors.ts';
import type { LinkLimits } from '../../limits.ts';
import {
  encodePreface,
  headerSizeBytes,
  payloadSizeBytes,
  prefaceSizeBytes,
  tooLong,
} from '../envelope.ts';
import type {
  Frame,
  FrameKind,
  FramePipe,
  OutgoingFrame,
  PathSample,
  PeerIdentity,
  PipeHandler,
  PipeStats,
} from '../frame-pipe.ts';
import type { Engine, EngineOwner } from './engine.ts';
import { CommandType, Field, rowFields, RowType } from './layout.ts';
import { samplePath, tuneLongPath } from './long-path.ts';
import { agreePreface } from './preface.ts';
import {
  brokenError,
  closedError,
  handshakeLate,
  outOfMemory,
  prefaceLate,
  socketError,
} from './system-error.ts';
import { closedInHandshake, handshakeFault, recordFault } from './tls-error.ts';

/** What an {@link EnginePipe} is made of. */
export interface EnginePipeOptions {
  readonly engine: Engine;
  readonly slot: number;
  readonly generation: number;
  readonly clock: Clock;
  readonly limits: LinkLimits;
  /** Judges the peer's certificate, DER; without it the connection is plaintext. */
  readonly admit?: ((certificate: Buffer, resumed: boolean) => PeerIdentity) | undefined;
  /** Accepted: its listener watches whether the preface comes in time. */
  readonly inbound?: boolean;
  /** A dialled connection stands. */
  readonly onOpen?: () => void;
  /** The peer was refused, or refused us; `onGone` follows once it was told. */
  readonly onRefused?: ((error: DwcpError) => void) | undefined;
  /** The peer's preface was read. */
  readonly onReady?: () => void;
  /** The connection is gone; after it nothing more is called. */
  readonly onGone?: (error: DwcpError | undefined) => void;
}

/** A pipe over one connection of the engine. */
export class EnginePipe implements FramePipe, EngineOwner {
  readonly tier: 'uring' | 'epoll';
  readonly secure: boolean;

  readonly #options: EnginePipeOptions;
  readonly #engine: Engine;
  readonly #slot: number;
  readonly #generation: number;
  readonly #envelope: { readonly maxPayloadBytes: number; readonly checksum: boolean };
  #identity: PeerIdentity | undefined;
  #remoteAddress = '?:0';
  #handler: PipeHandler | undefined;
  #started = false;
  #connected = false;
  #ready = false;
  /** Runs until the preface came, later until the peer answered our close. */
  #deadline: Timer | undefined;
  #state: 'opening' | 'open' | 'closing' | 'closed' = 'opening';
  #error: DwcpError | undefined;
  /** Refused, while the peer is told so. */
  #lingers = false;
  #gone = false;
  #bytesIn = 0;
  #bytesOut = 0;
  #framesIn = 0;
  #framesOut = 0;

  constructor(options: EnginePipeOptions) {
    this.#options = options;
    this.#engine = options.engine;
    this.tier = options.engine.tier;
    this.#slot = options.slot;
    this.#generation = options.generation;
    this.secure = options.admit !== undefined;
    const { maxFramePayloadBytes: maxPayloadBytes } = options.limits;
    this.#envelope = { maxPayloadBytes, checksum: !this.secure };
  }

  get identity(): PeerIdentity | undefined {
    return this.#identity;
  }

  get remoteAddress(): string {
    return this.#remoteAddress;
  }

  start(handler: PipeHandler): void {
    if (this.#handler) throw new DwcpError('ERR_DWCP_INVALID_ARG', 'The pipe was started before');
    this.#handler = handler;
    process.nextTick(() => this.#begin());
  }

  send(frames: readonly OutgoingFrame[]): boolean {
    if (this.#state !== 'open') throw closedError();
    const { pipeHighWaterBytes } = this.#options.limits;
    const { maxPayloadBytes } = this.#envelope;
    for (let i = 0; i < frames.length; i++) {
      const sizeBytes = payloadSizeBytes(frames[i]!);
      if (sizeBytes > maxPayloadBytes) throw tooLong(sizeBytes, this.#envelope);
    }
    for (let i = 0; i < frames.length; i++) this.#sendOne(frames[i]!);
    if (this.#bufferedBytes() < pipeHighWaterBytes) return true;
    this.#control(CommandType.wantWritable, pipeHighWaterBytes - 1);
    return false;
  }

  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.#control(CommandType.finish);
    this.#armDeadline(() => this.#control(CommandType.destroy));
  }

  destroy(error?: DwcpError): void {
    if (this.#state === 'closed' && !this.#lingers) return;
    this.#lingers = false;
    this.#state = 'closed';
    this.#error ??= error;
    this.#control(CommandType.destroy);
  }

  stats(): PipeStats {
    return {
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
      framesIn: this.#framesIn,
      framesOut: this.#framesOut,
      bufferedBytes: this.#bufferedBytes(),
    };
  }

  path(): PathSample | undefined {
    return this.#gone ? undefined : samplePath(this.#engine, this.#slot, this.#generation);
  }

  onRows(first: number, end: number): void {
    let frames: Frame[] = [];
    const { rows } = this.#engine;
    for (let row = first; row < end; row++) {
      const at = row * rowFields;
      if ((rows[at + Field.what]! & 0xff) === RowType.frame) {
        frames.push(this.#frameOf(at));
      } else {
        if (frames.length > 0) this.#deliver(frames);
        frames = [];
        this.#onEvent(at);
      }
    }
    if (frames.length > 0) this.#deliver(frames);
  }

  #bufferedBytes(): number {
    return this.#gone ? 0 : this.#bytesOut - this.#engine.sentBytes(this.#slot);
  }

  #control(type: number, length = 0): void {
    this.#engine.control(type, this.#slot, this.#generation, length);
  }

  #armDeadline(onDeadline: () => void, afterMs = Infinity): void {
    this.#deadline?.cancel();
    const { clock, limits } = this.#options;
    this.#deadline = clock.setTimer(onDeadline, Math.min(afterMs, limits.handshakeTimeoutMs));
    this.#deadline.unref();
  }

  #sendOne(frame: OutgoingFrame): void {
    const sizeBytes = payloadSizeBytes(frame);
    const { kind, flags, channel, stream, payload } = frame;
    const what = (kind << 8) | (channel << 16);
    const engine = this.#engine;
    let at = engine.frame(this.#slot, this.#generation, what, flags, stream, sizeBytes);
    if (at < 0) {
      this.destroy(outOfMemory());
      throw closedError();
    }
    for (let i = 0; i < payload.length; i++) {
      engine.write(at, payload[i]!);
      at += payload[i]!.length;
    }
    this.#bytesOut += headerSizeBytes + sizeBytes;
    this.#framesOut++;
  }

  #begin(): void {
    if (this.#gone) return this.#handler!.onClose(this.#error);
    this.#started = true;
    if (this.#ready && this.#state === 'open') this.#control(CommandType.resume);
  }

  #frameOf(at: number): Frame {
    const { rows } = this.#engine;
    const what = rows[at + Field.what]!;
    const length = rows[at + Field.length]!;
    if (this.#state === 'open') this.#bytesIn += headerSizeBytes + length;
    return {
      kind: ((what >>> 8) & 0xff) as FrameKind,
      flags: rows[at + Field.flags]!,
      channel: what >>> 16,
      stream: rows[at + Field.stream]!,
      payload: length === 0 ? empty : this.#engine.view(rows[at + Field.address]!, length),
    };
  }

  #deliver(frames: readonly Frame[]): void {
    if (this.#state !== 'open') return;
    this.#framesIn += frames.length;
    this.#handler!.onFrames(frames);
  }

  #onEvent(at: number): void {
    const { rows } = this.#engine;
    switch (rows[at + Field.what]! & 0xff) {
      case RowType.opened:
        return this.#onOpened();
      case RowType.preface:
        return this.#onPreface(rows[at + Field.stream]!, rows[at + Field.length]!);
      case RowType.broken:
        return this.#onBroken(at);
      case RowType.ended:
        return this.#onEnded();
      case RowType.secured:
        return this.#onSecured(at);
      case RowType.refused:
        return this.#onRefused(at);
      case RowType.writable:
        if (this.#state === 'open') this.#handler?.onWritable();
        return;
      case RowType.closed:
        return this.#onClosed(rows[at + Field.flags]!);
      default:
    }
  }

  #onOpened(): void {
    if (this.#state !== 'opening') return;
    this.#connected = true;
    this.#remoteAddress = this.#engine.peer(this.#slot, this.#generation) ?? this.#remoteAddress;
    tuneLongPath(this.#engine, this.#slot, this.#generation);
    if (this.secure) {
      const { inbound, limits } = this.#options;
      const { handshakeTimeoutMs } = limits;
      if (inbound) return;
      return this.#armDeadline(() => this.destroy(handshakeLate(handshakeTimeoutMs)));
    }
    this.#greet();
    this.#options.onOpen?.();
  }

  /** Who the peer is; only now is anything said to it. */
  #onSecured(at: number): void {
    if (this.#state !== 'opening') return;
    const { rows } = this.#engine;
    const certificate = this.#engine.bytes(rows[at + Field.address]!, rows[at + Field.length]!);
    try {
      this.#identity = this.#options.admit!(certificate, rows[at + Field.flags] === 1);
    } catch (error) {
      this.#options.onRefused?.(error as DwcpError);
      return this.destroy(error as DwcpError);
    }
    this.#greet();
  }

  /** TLS failed; the alert that tells the peer why still goes out. */
  #onRefused(at: number): void {
    if (this.#state === 'closed') return;
    const { rows } = this.#engine;
    const length = rows[at + Field.length]!;
    const words = length > 0 ? this.#engine.bytes(rows[at + Field.address]!, length) : empty;
    const fault = this.#ready ? recordFault : handshakeFault;
    const number = (rows[at + Field.what]! >>> 8) & 0xff;
    this.#error = fault(number, rows[at + Field.stream]!, Buffer.from(words).toString('latin1'));
    this.#state = 'closed';
    this.#options.onRefused?.(this.#error);
    this.#lingers = true;
    this.#control(CommandType.finish);
    this.#armDeadline(() => this.destroy(), alertMs);
  }

  /** Sends our preface and waits for the peer's. */
  #greet(): void {
    this.#state = 'open';
    this.#bytesOut += prefaceSizeBytes;
    if (!this.#engine.send(this.#slot, this.#generation, encodePreface())) {
      return this.destroy(outOfMemory());
    }
    const { inbound, limits } = this.#options;
    const { handshakeTimeoutMs } = limits;
    if (!inbound) this.#armDeadline(() => this.destroy(prefaceLate(handshakeTimeoutMs)));
    this.#control(CommandType.resume);
  }

  #onPreface(low: number, high: number): void {
    this.#bytesIn += prefaceSizeBytes;
    if (this.#state !== 'open') return;
    const refusal = agreePreface(low, high);
    if (refusal) return this.destroy(refusal);
    this.#deadline?.cancel();
    this.#ready = true;
    if (this.#started) this.#control(CommandType.resume);
    this.#options.onReady?.();
  }

  #onBroken(at: number): void {
    if (this.#state === 'closed') return;
    this.destroy(brokenError(this.#engine.rows, at, this.#envelope));
  }

  #onEnded(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.#armDeadline(() => this.#control(CommandType.destroy));
  }

  #onClosed(errno: number): void {
    const own = this.#state === 'closed';
    this.#state = 'closed';
    this.#gone = true;
    this.#deadline?.cancel();
    if (!own && errno !== 0) this.#error = socketError(errno);
    if (!own && this.secure && this.#connected && !this.#ready) {
      this.#error = closedInHandshake(this.#error);
    }
    this.#options.onGone?.(this.#error);
    if (this.#started) this.#handler!.onClose(this.#error);
  }
}

const empty = new Uint8Array(0);
/** How long a refused peer may take to read why. */
const alertMs = 1000;
