/**
 * `FramePipe` over a connected node:net or node:tls socket. One tick is one write: frames are copied
 * into a buffer as they are handed over (write-queue.ts).
 * The pipe owns the socket. It reads nothing between being handed out and `start`.
 */
import type { Socket } from 'node:net';
import type { Clock, Timer } from '../clock.ts';
import { DwcpError } from '../errors.ts';
import type { LinkLimits } from '../limits.ts';
import { encodePreface, FrameEncoder, prefaceSizeBytes } from './envelope.ts';
import type {
  Frame,
  FramePipe,
  OutgoingFrame,
  PeerIdentity,
  PipeHandler,
  PipeStats,
} from './frame-pipe.ts';
import { FrameParser } from './frame-parser.ts';
import { WriteQueue } from './write-queue.ts';

/** What a {@link SocketPipe} is made of. */
export interface SocketPipeOptions {
  readonly tier: 'net' | 'tls';
  readonly secure: boolean;
  readonly identity: PeerIdentity | undefined;
  readonly clock: Clock;
  readonly limits: LinkLimits;
  /** Accepted: its listener watches whether the preface comes in time. */
  readonly inbound?: boolean;
}

/** A pipe over one socket. */
export class SocketPipe implements FramePipe {
  readonly tier: 'net' | 'tls';
  readonly secure: boolean;
  readonly identity: PeerIdentity | undefined;
  readonly remoteAddress: string;

  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #limits: LinkLimits;
  readonly #encoder: FrameEncoder;
  readonly #writes: WriteQueue;
  readonly #parser: FrameParser;
  #handler: PipeHandler | undefined;
  #delivering = false;
  /** Frames read together with the preface, before anybody listened. */
  #early: Frame[] = [];
  #onReady: (() => void) | undefined;
  #onNeverReady: ((error: DwcpError | undefined) => void) | undefined;
  /** Runs until the preface came, later until the peer answered our close. */
  #deadline: Timer | undefined;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #error: DwcpError | undefined;
  #reported = false;
  #blocked = false;
  #bytesIn = 0;
  #bytesOut = 0;
  #framesIn = 0;
  #framesOut = 0;

  constructor(socket: Socket, options: SocketPipeOptions) {
    this.tier = options.tier;
    this.secure = options.secure;
    this.identity = options.identity;
    this.remoteAddress = `${socket.remoteAddress ?? '?'}:${socket.remotePort ?? 0}`;
    this.#socket = socket;
    this.#clock = options.clock;
    this.#limits = options.limits;
    const envelope = {
      maxPayloadBytes: options.limits.maxFramePayloadBytes,
      checksum: !options.secure,
    };
    this.#encoder = new FrameEncoder(envelope);
    this.#parser = new FrameParser(envelope);
    this.#writes = new WriteQueue(socket, () => this.#onWritten());
    this.#listen(socket);
    const { handshakeTimeoutMs } = options.limits;
    if (!options.inbound) this.#armDeadline(() => this.destroy(prefaceLate(handshakeTimeoutMs)));
    const preface = encodePreface();
    this.#write(preface.length, (into, offset) => {
      into.set(preface, offset);
    });
  }

  /** Calls one of the two once: the peer's preface was read, or the pipe closed before. */
  onReady(ready: () => void, never: (error: DwcpError | undefined) => void = () => {}): void {
    this.#onReady = ready;
    this.#onNeverReady = never;
    this.#socket.resume();
  }

  start(handler: PipeHandler): void {
    if (this.#handler) throw new DwcpError('ERR_DWCP_INVALID_ARG', 'The pipe was started before');
    this.#handler = handler;
    process.nextTick(() => this.#begin());
  }

  send(frames: readonly OutgoingFrame[]): boolean {
    if (this.#state !== 'open') throw new DwcpError('ERR_DWCP_CLOSED', 'The pipe is closed');
    this.#write(this.#encoder.sizeOf(frames), (into, offset) =>
      this.#encoder.encodeInto(frames, into, offset),
    );
    this.#framesOut += frames.length;
    this.#blocked = this.#writes.bufferedBytes >= this.#limits.pipeHighWaterBytes;
    return !this.#blocked;
  }

  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.#writes.flush();
    this.#socket.end();
    this.#socket.resume();
    this.#armDeadline(() => this.#socket.destroy());
  }

  destroy(error?: DwcpError): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#error = error;
    this.#socket.destroy();
  }

  stats(): PipeStats {
    return {
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
      framesIn: this.#framesIn,
      framesOut: this.#framesOut,
      bufferedBytes: this.#writes.bufferedBytes,
    };
  }

  #listen(socket: Socket): void {
    socket.setNoDelay(true);
    socket.setKeepAlive(true, this.#limits.keepAliveMs);
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.pause();
    socket.on('end', () => this.#onEnd());
    socket.on('error', (cause) => {
      this.#error ??= new DwcpError('ERR_DWCP_LINK_DOWN', 'The socket failed', { cause });
      // node:tls leaves a socket open after a record that does not verify.
      socket.destroy();
    });
    socket.on('close', () => this.#onClosed());
  }

  #armDeadline(onDeadline: () => void): void {
    this.#deadline?.cancel();
    this.#deadline = this.#clock.setTimer(onDeadline, this.#limits.handshakeTimeoutMs);
    this.#deadline.unref();
  }

  #begin(): void {
    if (this.#reported) return this.#handler!.onClose(this.#error);
    this.#delivering = true;
    const early = this.#early;
    this.#early = [];
    if (early.length > 0 && this.#state === 'open') this.#handler!.onFrames(early);
    if (this.#state !== 'closed') this.#socket.resume();
  }

  #onData(chunk: Buffer): void {
    this.#bytesIn += chunk.length;
    if (this.#state !== 'open') return;
    const hadPreface = this.#parser.version !== undefined;
    const frames: Frame[] = this.#delivering ? [] : this.#early;
    const before = frames.length;
    let broken: unknown;
    try {
      this.#parser.push(chunk, frames);
    } catch (error) {
      broken = error;
    }
    this.#framesIn += frames.length - before;
    if (!hadPreface && this.#parser.version !== undefined) this.#ready();
    if (this.#delivering && frames.length > 0) this.#handler!.onFrames(frames);
    if (broken !== undefined) this.destroy(broken as DwcpError);
  }

  #ready(): void {
    this.#deadline?.cancel();
    if (!this.#delivering) this.#socket.pause();
    this.#onNeverReady = undefined;
    this.#onReady?.();
  }

  #onEnd(): void {
    if (this.#state !== 'open') return;
    try {
      this.#parser.end();
    } catch (error) {
      this.#error = error as DwcpError;
    }
    this.#state = 'closing';
    this.#writes.flush();
    this.#armDeadline(() => this.#socket.destroy());
  }

  #onClosed(): void {
    this.#state = 'closed';
    this.#writes.discard();
    this.#deadline?.cancel();
    this.#reported = true;
    this.#onNeverReady?.(this.#error);
    if (this.#delivering) this.#handler!.onClose(this.#error);
  }

  #write(sizeBytes: number, fill: (into: Buffer, offset: number) => void): void {
    this.#bytesOut += sizeBytes;
    this.#writes.append(sizeBytes, fill);
  }

  #onWritten(): void {
    if (!this.#blocked || this.#state !== 'open') return;
    if (this.#writes.bufferedBytes >= this.#limits.pipeHighWaterBytes) return;
    this.#blocked = false;
    this.#handler?.onWritable();
  }
}

function prefaceLate(timeoutMs: number): DwcpError {
  return new DwcpError(
    'ERR_DWCP_DEADLINE',
    `No ${prefaceSizeBytes}-byte preface within ${timeoutMs} ms`,
  );
}
