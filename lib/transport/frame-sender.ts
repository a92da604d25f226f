/**
 * The sending side of a connection: what leaves next, and when. Control frames go first, then data by class
 * (send-scheduler.ts). At most `pipeHighWaterBytes` are in the pipe, so an urgent frame overtakes
 * everything that still waits here; what one tick queued leaves in one batch.
 */
import { DwcpError } from '../errors.ts';
import type { LinkLimits } from '../limits.ts';
import { headerSizeBytes, payloadSizeBytes } from './envelope.ts';
import { FrameKind, type FramePipe, type OutgoingFrame } from './frame-pipe.ts';
import type { OutMessage, Outbound } from './outbound.ts';
import { encodeReset } from './reset-codes.ts';
import { Ring } from './ring.ts';
import { SendScheduler } from './send-scheduler.ts';

/** Control frames that may wait; a peer that provokes more without reading is cut off. */
const maxControlFrames = 65_536;
/** With less room than this in the pipe, a data frame waits rather than being cut small. */
const minRoomBytes = 4096;

/** What a sender needs of its connection. */
export interface FrameSenderOptions {
  readonly pipe: FramePipe;
  readonly limits: LinkLimits;
  /** The half-close of a stream was handed over. */
  readonly onFinished: (stream: number) => void;
  /** The peer must be cut off. */
  readonly onFlood: (error: DwcpError) => void;
}

/** Queues and hands over frames. */
export class FrameSender {
  readonly #options: FrameSenderOptions;
  readonly #scheduler = new SendScheduler();
  #control: OutgoingFrame[] = [];
  /** Messages that are whole with the batch being filled. */
  readonly #handed = new Ring<OutMessage>();
  #queueBytes = 0;
  #pumpDue = false;
  #writable = true;
  #stopped = false;

  constructor(options: FrameSenderOptions) {
    this.#options = options;
  }

  /** Payload bytes of messages not handed over yet. */
  get queueBytes(): number {
    return this.#queueBytes;
  }

  /** A stream queued a message. */
  queued(outbound: Outbound, sizeBytes: number): void {
    this.#queueBytes += sizeBytes;
    this.ready(outbound);
  }

  /** Queued bytes will not be sent. */
  unqueued(sizeBytes: number): void {
    this.#queueBytes -= sizeBytes;
  }

  /** A stream may have become able to send. */
  ready(outbound: Outbound): void {
    this.#scheduler.add(outbound);
    this.#schedulePump();
  }

  control(kind: FrameKind, payload: Uint8Array, stream = 0, channel = 0): void {
    if (this.#stopped) return;
    if (this.#control.length >= maxControlFrames) {
      const flood = 'The peer provokes answers and does not read them';
      this.#options.onFlood(new DwcpError('ERR_DWCP_LIMIT', flood));
      return;
    }
    this.#control.push({ kind, flags: 0, channel, stream, payload: [payload] });
    this.#schedulePump();
  }

  reset(stream: number, channel: number, error: DwcpError): void {
    this.control(FrameKind.reset, encodeReset(error.code, error.message), stream, channel);
  }

  credit(stream: number, channel: number, bytes: number): void {
    const payload = Buffer.allocUnsafe(4);
    payload.writeUInt32LE(bytes, 0);
    this.control(FrameKind.credit, payload, stream, channel);
  }

  /** The pipe takes frames again. */
  writable(): void {
    this.#writable = true;
    this.pump();
  }

  /** Hands over what the pipe takes now. */
  pump(): void {
    const { pipe, limits } = this.#options;
    while (this.#writable && !this.#stopped && !this.#idle()) {
      const frames = this.#fill(limits.pipeHighWaterBytes - pipe.stats().bufferedBytes);
      if (frames.length === 0) return;
      this.#hand(frames);
    }
  }

  #idle(): boolean {
    return this.#control.length === 0 && this.#scheduler.idle;
  }

  /** Sends nothing from now on. */
  stop(): void {
    this.#stopped = true;
    this.#control = [];
  }

  #schedulePump(): void {
    if (this.#pumpDue) return;
    this.#pumpDue = true;
    process.nextTick(this.#duePump);
  }

  readonly #duePump = (): void => {
    this.#pumpDue = false;
    this.pump();
  };

  #hand(frames: readonly OutgoingFrame[]): void {
    let down: DwcpError | undefined;
    try {
      this.#writable = this.#options.pipe.send(frames);
    } catch (cause) {
      // The pipe is closing and says so with onClose in a moment.
      this.#writable = false;
      down = new DwcpError('ERR_DWCP_LINK_DOWN', 'The link closed', { cause });
    }
    for (let left = this.#handed.size; left > 0; left--) this.#handed.shift()!.onSettled(down);
  }

  /** A batch of about `roomBytes`, control frames first. */
  #fill(roomBytes: number): OutgoingFrame[] {
    const frames = this.#control;
    this.#control = [];
    // A writable pipe takes at least one small frame, or nobody would wake us.
    let leftBytes = Math.max(roomBytes, minRoomBytes);
    for (const frame of frames) leftBytes -= headerSizeBytes + payloadSizeBytes(frame);
    const { limits, pipe } = this.#options;
    const maxPayloadBytes = Math.min(limits.maxFramePayloadBytes, pipe.maxPayloadBytes ?? Infinity);
    while (leftBytes >= minRoomBytes) {
      const maxBytes = Math.min(maxPayloadBytes, leftBytes - headerSizeBytes);
      const frame = this.#scheduler.next(maxBytes, this.#onHanded);
      if (!frame) break;
      frames.push(frame);
      const sizeBytes = payloadSizeBytes(frame);
      this.#queueBytes -= sizeBytes;
      leftBytes -= headerSizeBytes + sizeBytes;
    }
    return frames;
  }

  readonly #onHanded = (message: OutMessage, outbound: Outbound): void => {
    this.#handed.push(message);
    if (message.fin) this.#options.onFinished(outbound.stream);
  };
}
