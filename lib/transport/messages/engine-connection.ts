/** One connection of the batch API over the I/O engine: no Buffer and no native call per message. */
import type { Timer } from '../../clock.ts';
import { DwcpError } from '../../errors.ts';
import { CommandType } from '../engine/layout.ts';
import type { Engine } from '../engine/engine.ts';
import { closedError, outOfMemory } from '../engine/system-error.ts';
import { headerSizeBytes, tooLong } from '../envelope.ts';
import { FrameKind } from '../frame-pipe.ts';
import type { MessageConnection, MessageHead } from './batch.ts';
import { cutMessage, MessageJoin, tooLarge } from './message-join.ts';
import { checkMessage, queueFull, type ResolvedOptions } from './options.ts';

/** Bytes of a chunk that is sent in pieces, each well below a slab. */
const pieceBytes = 64 * 1024;

/** {@link MessageConnection} over a slot of the engine. */
export class EngineConnection implements MessageConnection {
  readonly tier: 'uring' | 'epoll';
  readonly slot: number;
  readonly generation: number;
  context: unknown;
  /** Set by {@link EngineMessages}. */
  remoteAddress = '?:0';
  state: 'opening' | 'open' | 'closing' | 'closed' = 'opening';
  error: DwcpError | undefined;
  /** The user was told of it. */
  announced = false;
  /** Puts messages of several frames together, where they are allowed. */
  readonly join: MessageJoin | undefined;
  /** Runs until the peer's preface came, later until it answered our close. */
  deadline: Timer | undefined;
  readonly #engine: Engine;
  readonly #options: ResolvedOptions;
  /** Of one message, where there are such. */
  readonly #maxSizeBytes: number;
  #handedBytes = 0;

  constructor(engine: Engine, slot: number, generation: number, options: ResolvedOptions) {
    this.#engine = engine;
    this.#options = options;
    this.tier = engine.tier;
    this.slot = slot;
    this.generation = generation;
    const { framed, limits, maxMessageBytes, target } = options;
    const framesMaxBytes = framed ? limits.maxFramePayloadBytes : Infinity;
    this.#maxSizeBytes = maxMessageBytes > 0 ? maxMessageBytes : framesMaxBytes;
    this.join = maxMessageBytes > 0 ? new MessageJoin(maxMessageBytes, target) : undefined;
  }

  get bufferedBytes(): number {
    if (this.state === 'closed') return 0;
    return this.#handedBytes - this.#engine.sentBytes(this.slot);
  }

  get closed(): boolean {
    return this.state !== 'open';
  }

  send(payload: Uint8Array, head: MessageHead = plainHead): boolean {
    checkMessage(payload, head);
    const sizeBytes = payload.length;
    this.check(sizeBytes);
    if (!this.#options.framed) return this.raw(payload);
    const flags = head.flags ?? 0;
    const { maxFramePayloadBytes } = this.#options.limits;
    if (!this.join || (head.kind ?? FrameKind.data) !== FrameKind.data) {
      if (sizeBytes > maxFramePayloadBytes) throw frameTooLong(sizeBytes, maxFramePayloadBytes);
      return this.#frame(head, flags, payload);
    }
    let open = true;
    cutMessage(payload, maxFramePayloadBytes, flags, (piece, cutFlags) => {
      open = this.#frame(head, cutFlags, piece);
    });
    return open;
  }

  close(): void {
    if (this.state === 'opening') return this.destroy();
    if (this.state !== 'open') return;
    this.state = 'closing';
    this.control(CommandType.finish);
    this.armDeadline(() => this.control(CommandType.destroy));
  }

  destroy(error?: DwcpError): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.error = error;
    this.control(CommandType.destroy);
  }

  /** @throws ERR_DWCP_CLOSED, ERR_DWCP_LIMIT */
  check(sizeBytes: number): void {
    if (this.state !== 'open') throw closedError();
    if (sizeBytes > this.#maxSizeBytes) throw this.#tooLong(sizeBytes);
    const { maxQueueBytes } = this.#options;
    if (this.bufferedBytes + sizeBytes > maxQueueBytes) throw queueFull(maxQueueBytes);
  }

  #tooLong(sizeBytes: number): DwcpError {
    const { limits, maxMessageBytes } = this.#options;
    if (maxMessageBytes > 0) return tooLarge(maxMessageBytes);
    return frameTooLong(sizeBytes, limits.maxFramePayloadBytes);
  }

  #frame(head: MessageHead, flags: number, payload: Uint8Array): boolean {
    const { kind = FrameKind.data, channel = 0, stream = 0 } = head;
    const sizeBytes = payload.length;
    const what = (kind << 8) | (channel << 16);
    const at = this.#engine.frame(this.slot, this.generation, what, flags, stream, sizeBytes);
    if (at < 0) {
      this.destroy(outOfMemory());
      throw closedError();
    }
    this.#engine.write(at, payload);
    return this.handed(headerSizeBytes + sizeBytes);
  }

  /** Sends plain bytes. */
  raw(bytes: Uint8Array): boolean {
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      const piece = bytes.subarray(at, at + pieceBytes);
      if (this.#engine.send(this.slot, this.generation, piece)) continue;
      this.destroy(outOfMemory());
      throw closedError();
    }
    return this.handed(bytes.length);
  }

  /** Counts bytes handed over; false when the sender ought to wait. */
  handed(sizeBytes: number): boolean {
    this.#handedBytes += sizeBytes;
    const { highWaterBytes } = this.#options;
    if (this.bufferedBytes < highWaterBytes) return true;
    this.control(CommandType.wantWritable, highWaterBytes - 1);
    return false;
  }

  control(type: number, length = 0): void {
    this.#engine.control(type, this.slot, this.generation, length);
  }

  armDeadline(onDeadline: () => void): void {
    this.deadline?.cancel();
    const { clock, limits } = this.#options;
    this.deadline = clock.setTimer(onDeadline, limits.handshakeTimeoutMs);
    this.deadline.unref();
  }
}

const plainHead: MessageHead = {};

/** Only messages of data are cut into frames. */
function frameTooLong(sizeBytes: number, maxPayloadBytes: number): DwcpError {
  return tooLong(sizeBytes, { maxPayloadBytes, checksum: true });
}
