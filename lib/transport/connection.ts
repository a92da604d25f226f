/**
 * Streams over one `FramePipe`: the one implementation that runs over sockets and in simulations.
 * The connection owns the pipe; the handshake (Hello) is over before it begins. It dispatches what comes in
 * (inbound.ts assembles and grants credit) and leaves what goes out to frame-sender.ts.
 * A peer's mistake ends its stream; one that breaks framing ends the link.
 */
import type { Clock } from '../clock.ts';
import { DwcpError, type ErrorCode, invalidArg } from '../errors.ts';
import { resolveLinkLimits, type LinkLimits } from '../limits.ts';
import { ConnectionStream, type StreamHost } from './connection-stream.ts';
import { checkKindAndFlags } from './envelope.ts';
import {
  type Frame,
  FrameFlag,
  FrameKind,
  type FramePipe,
  type PipeStats,
  Priority,
} from './frame-pipe.ts';
import { FrameSender } from './frame-sender.ts';
import { Inbound, type InboundContext } from './inbound.ts';
import { InboundBudget } from './inbound-budget.ts';
import { Outbound, priorityOf } from './outbound.ts';
import { PingProbe } from './ping-probe.ts';
import { decodeReset } from './reset-codes.ts';
import type { Stream } from './stream.ts';
import { StreamTable } from './stream-table.ts';

/** Credit of a new stream unless the peer announces another: part of the wire format. */
const wireInitialCreditBytes = 256 * 1024;
/** Credit a stream may have at most: the wire has 32 bits, and adding must not overflow them. */
const maxCreditBytes = 0x7fffffff;

/**
 * Others make room for urgent frames so many ms after the last one: longer than calls take on a busy machine, or room
 * would end with the first slow one.
 */
const urgentForMs = 250;

/** Options of {@link Connection}. */
export interface ConnectionOptions {
  readonly pipe: FramePipe;
  /** The dialer opens odd stream ids, the acceptor even ones. */
  readonly role: 'dialer' | 'acceptor';
  readonly clock: Clock;
  readonly limits?: Partial<LinkLimits> | undefined;
  /** The peer opened a stream; set its handlers before returning. */
  readonly onStream: (stream: Stream) => void;
  /** The link is gone; called once, after the streams' own `onClose`. */
  readonly onClose?: ((error: DwcpError | undefined) => void) | undefined;
  /** The peer will open nothing new and wants no new streams. */
  readonly onGoaway?: (() => void) | undefined;
}

/** Numbers of a connection. */
export interface ConnectionStats extends PipeStats {
  readonly rttMs: number | undefined;
  /** Streams open now. */
  readonly streams: number;
  readonly streamsOpened: number;
  readonly streamsAccepted: number;
  /** Bytes of messages not handed to the pipe yet. */
  readonly sendQueueBytes: number;
  /** Bytes received and not handled yet. */
  readonly inboundBytes: number;
  /** Frames for streams that were over already. */
  readonly strayFrames: number;
  /** What the peer did wrong, by code. */
  readonly violations: Readonly<Partial<Record<ErrorCode, number>>>;
}

/**
 * A connection of streams.
 * @example
 * const connection = new Connection({ pipe, role: 'dialer', clock: systemClock, onStream });
 * const stream = connection.open(1);
 * await stream.send(Buffer.from('hi'), { end: true });
 */
export class Connection implements StreamHost {
  readonly limits: LinkLimits;
  readonly pipe: FramePipe;
  readonly #options: ConnectionOptions;
  readonly #clock: Clock;
  readonly #sender: FrameSender;
  readonly #budget: InboundBudget;
  readonly #inboundContext: InboundContext;
  readonly #streams: StreamTable;
  readonly #probe = new PingProbe();
  readonly #violations: Partial<Record<ErrorCode, number>> = {};
  #peerCreditBytes = wireInitialCreditBytes;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #goawaySent = false;
  #goawayReceived = false;
  #lastHeardMs: number;
  /** When a data frame of an urgent class last came. */
  #urgentMs = -Infinity;
  #strayFrames = 0;
  #waiters: (() => void)[] = [];

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.pipe = options.pipe;
    this.#clock = options.clock;
    this.limits = resolveLinkLimits(options.limits);
    this.#budget = new InboundBudget(this.limits.maxAssemblyBytes, this.limits.maxMessageBytes);
    this.#inboundContext = {
      clock: options.clock,
      limits: this.limits,
      budget: this.#budget,
      minRttMs: () => this.#pathMs(),
      urgent: () => this.#lastHeardMs - this.#urgentMs < urgentForMs,
    };
    this.#streams = new StreamTable(options.role, this.limits.maxStreams);
    this.#lastHeardMs = this.#clock.monotonic();
    this.#sender = new FrameSender({
      pipe: this.pipe,
      limits: this.limits,
      onFinished: (id) => this.#streams.get(id)?.closeIfDone(),
      onFlood: (error) => this.destroy(error),
    });
    this.#greet();
    this.pipe.start({
      onFrames: (frames) => this.#onFrames(frames),
      onWritable: () => this.#sender.writable(),
      onClose: (error) => this.#onPipeClosed(error),
    });
  }

  /** Monotonic ms when the peer was last heard. */
  get lastHeardMs(): number {
    return this.#lastHeardMs;
  }

  /** Monotonic ms since which the oldest unanswered ping waits. */
  get pingPendingSinceMs(): number | undefined {
    return this.#probe.pendingSinceMs;
  }

  /** Smoothed round trip, ms. */
  get rttMs(): number | undefined {
    return this.#probe.rttMs;
  }

  /** Unsent bytes of all streams. */
  get sendQueueBytes(): number {
    return this.#sender.queueBytes;
  }

  /** True once either side said goaway: nothing new can be opened. */
  get draining(): boolean {
    return this.#goawaySent || this.#goawayReceived;
  }

  /**
   * Opens a stream. Nothing is sent before its first message.
   * @throws ERR_DWCP_LINK_DOWN when the link is closed or draining, ERR_DWCP_LIMIT at `maxStreams`,
   *   ERR_DWCP_INVALID_ARG
   */
  open(channel: number, options: { readonly priority?: Priority | undefined } = {}): Stream {
    if (this.#state !== 'open' || this.draining) {
      throw new DwcpError('ERR_DWCP_LINK_DOWN', 'The link is closed or closing');
    }
    const { priority = Priority.rpc } = options;
    if ((channel & 0xffff) !== channel) invalidArg('channel', 'an integer of 16 bits', channel);
    if (!isPriority(priority)) invalidArg('options.priority', 'a Priority', priority);
    return this.#add(this.#streams.allocate(), channel, priority, false);
  }

  /** Sends a ping; the answer updates `rttMs` and `lastHeardMs`. */
  ping(): void {
    if (this.#state !== 'open') return;
    const payload = this.#probe.next(this.#clock.monotonic());
    if (payload) this.#sender.control(FrameKind.ping, payload);
  }

  /** Announces that nothing new will be opened. The link closes when both sides have no streams. */
  goaway(): void {
    if (this.#goawaySent || this.#state !== 'open') return;
    this.#goawaySent = true;
    this.#sender.control(FrameKind.goaway, Buffer.alloc(0));
    this.#closeIfDrained();
  }

  /** Says goaway, waits up to `timeoutMs` for streams to end, then closes. Idempotent. */
  close(options: { readonly timeoutMs?: number | undefined } = {}): Promise<void> {
    if (this.#state === 'closed') return Promise.resolve();
    this.goaway();
    const timer = this.#clock.setTimer(
      () => this.destroy(),
      options.timeoutMs ?? this.limits.handshakeTimeoutMs,
    );
    return new Promise((resolve) => {
      this.#waiters.push(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  /** Closes at once; streams get ERR_DWCP_LINK_DOWN with `error` as its cause. */
  destroy(error?: DwcpError): void {
    if (this.#state === 'closed') return;
    this.#onPipeClosed(error);
    this.pipe.destroy(error);
  }

  stats(): ConnectionStats {
    return {
      ...this.pipe.stats(),
      rttMs: this.rttMs,
      streams: this.#streams.size,
      streamsOpened: this.#streams.opened,
      streamsAccepted: this.#streams.accepted,
      sendQueueBytes: this.sendQueueBytes,
      inboundBytes: this.#budget.bytes,
      strayFrames: this.#strayFrames,
      violations: { ...this.#violations },
    };
  }

  queued(outbound: Outbound, sizeBytes: number): void {
    this.#sender.queued(outbound, sizeBytes);
  }

  unqueued(sizeBytes: number): void {
    this.#sender.unqueued(sizeBytes);
  }

  closed(stream: ConnectionStream, reset: DwcpError | undefined): void {
    this.#streams.remove(stream.id);
    if (reset && stream.outbound.opened) this.#sender.reset(stream.id, stream.channel, reset);
    this.#closeIfDrained();
  }

  /** Announces an unusual initial credit, and takes a first measure of the round trip. */
  #greet(): void {
    const creditBytes = this.limits.initialCreditBytes;
    if (creditBytes !== wireInitialCreditBytes) this.#sender.credit(0, 0, creditBytes);
    this.ping();
  }

  /** Time from here to the peer and back, with the waits of a pipe of several sockets; undefined until known. */
  #pathMs(): number | undefined {
    const { minRttMs } = this.#probe;
    return minRttMs === undefined ? undefined : minRttMs * (1 + (this.pipe.waitRtts ?? 0));
  }

  #add(id: number, channel: number, priority: Priority, opened: boolean): ConnectionStream {
    const toleratedBytes = Math.max(this.limits.initialCreditBytes, wireInitialCreditBytes);
    const outbound = new Outbound(id, channel, this.#peerCreditBytes, opened);
    const inbound = new Inbound(this.#inboundContext, toleratedBytes, (bytes) =>
      this.#sender.credit(id, channel, bytes),
    );
    const stream = new ConnectionStream(this, outbound, inbound, priority);
    this.#streams.add(stream);
    return stream;
  }

  #onFrames(frames: readonly Frame[]): void {
    this.#lastHeardMs = this.#clock.monotonic();
    for (const frame of frames) {
      if (this.#state !== 'open') return;
      try {
        this.#onFrame(frame);
      } catch (error) {
        if (!(error instanceof DwcpError)) throw error;
        this.#count(error);
        this.destroy(error);
      }
    }
  }

  /** Handles one frame. @throws what breaks the link */
  #onFrame(frame: Frame): void {
    checkKindAndFlags(frame.kind, frame.flags);
    switch (frame.kind) {
      case FrameKind.data:
        return this.#onData(frame);
      case FrameKind.credit:
        return this.#onCredit(frame);
      case FrameKind.reset:
        return this.#onReset(frame);
      case FrameKind.ping:
        checkLink(frame, 8);
        return this.#sender.control(FrameKind.pong, Buffer.from(frame.payload));
      case FrameKind.pong:
        checkLink(frame, 8);
        return this.#onPong(asBuffer(frame.payload));
      case FrameKind.hello:
        throw new DwcpError('ERR_DWCP_FRAME_KIND', 'A hello after the handshake');
      case FrameKind.chunk:
      case FrameKind.bundle:
        throw new DwcpError('ERR_DWCP_FRAME_KIND', 'The link has one socket, as far as was agreed');
      case FrameKind.goaway:
        checkLink(frame, 0);
        return this.#onGoaway();
    }
  }

  #onPong(payload: Buffer): void {
    if (!this.#probe.answered(payload, this.#lastHeardMs)) this.#strayFrames++;
    else if (this.#probe.wantsMore) this.ping();
  }

  #onGoaway(): void {
    if (this.#goawayReceived) return;
    this.#goawayReceived = true;
    this.#options.onGoaway?.();
    this.goaway();
    this.#closeIfDrained();
  }

  #onData(frame: Frame): void {
    if (frame.stream === 0) throw corrupt('Data on stream 0');
    if (priorityOf(frame.flags) <= Priority.rpc) this.#urgentMs = this.#lastHeardMs;
    let stream = this.#streams.get(frame.stream);
    if ((frame.flags & FrameFlag.open) !== 0) {
      if (stream) return this.#violate(stream, protocol('The stream is open already'));
      stream = this.#accept(frame);
    }
    if (!stream) return this.#onUnknownStream(frame);
    if (stream.channel !== frame.channel) {
      return this.#violate(stream, protocol('The stream belongs to another channel'));
    }
    try {
      stream.receive(frame);
    } catch (error) {
      if (!(error instanceof DwcpError)) throw error;
      this.#violate(stream, error);
    }
  }

  #accept(frame: Frame): ConnectionStream | undefined {
    const refusal = this.#streams.refuse(frame.stream);
    if (refusal) {
      this.#count(refusal);
      this.#streams.saw(frame.stream);
      this.#sender.reset(frame.stream, frame.channel, refusal);
      return undefined;
    }
    const stream = this.#add(frame.stream, frame.channel, priorityOf(frame.flags), true);
    try {
      this.#options.onStream(stream);
    } catch (cause) {
      stream.fail(cause);
    }
    return stream.closed ? undefined : stream;
  }

  #onUnknownStream(frame: Frame): void {
    this.#strayFrames++;
    // Frames of a stream that ended here may still be on their way; others were never announced.
    if ((frame.flags & FrameFlag.open) !== 0 || this.#streams.mayBePast(frame.stream)) return;
    const error = protocol('The stream was never opened');
    this.#count(error);
    this.#streams.saw(frame.stream);
    this.#sender.reset(frame.stream, frame.channel, error);
  }

  #onCredit({ stream: id, payload }: Frame): void {
    if (payload.length !== 4) throw corrupt('A credit frame has 4 bytes');
    const bytes = asBuffer(payload).readUInt32LE(0);
    if (id === 0) {
      if (bytes > maxCreditBytes) throw corrupt('Initial credit above 2 GiB');
      const changeBytes = bytes - this.#peerCreditBytes;
      this.#peerCreditBytes = bytes;
      for (const stream of this.#streams.all()) this.#addCredit(stream, changeBytes);
    } else {
      const stream = this.#streams.get(id);
      if (stream) this.#addCredit(stream, bytes);
      else this.#strayFrames++;
    }
  }

  #addCredit(stream: ConnectionStream, bytes: number): void {
    stream.outbound.creditBytes += bytes;
    if (stream.outbound.creditBytes > maxCreditBytes) {
      this.#violate(stream, protocol('Credit above 2 GiB'));
      return;
    }
    this.#sender.ready(stream.outbound);
  }

  #onReset({ stream: id, payload }: Frame): void {
    if (id === 0 || payload.length < 2) throw corrupt('A reset frame needs a stream and a reason');
    const stream = this.#streams.get(id);
    if (!stream) {
      this.#strayFrames++;
      return;
    }
    const cause = decodeReset(payload);
    stream.close(new DwcpError('ERR_DWCP_STREAM_RESET', cause.message, { cause }), undefined);
  }

  #violate(stream: ConnectionStream, error: DwcpError): void {
    this.#count(error);
    stream.close(error, error);
  }

  #count(error: DwcpError): void {
    this.#violations[error.code] = (this.#violations[error.code] ?? 0) + 1;
  }

  #closeIfDrained(): void {
    if (!this.#goawaySent || !this.#goawayReceived || this.#streams.size > 0) return;
    if (this.#state !== 'open') return;
    // The last frames were queued in this tick and leave with the pump before the close.
    process.nextTick(() => {
      this.#sender.pump();
      if (this.#state !== 'open') return;
      this.#state = 'closing';
      this.#sender.stop();
      this.pipe.close();
    });
  }

  #onPipeClosed(error: DwcpError | undefined): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#sender.stop();
    const down = new DwcpError('ERR_DWCP_LINK_DOWN', error?.message, { cause: error });
    for (const stream of this.#streams.all()) stream.close(down, undefined);
    queueMicrotask(() => {
      this.#options.onClose?.(error);
      for (const waiter of this.#waiters.splice(0)) waiter();
    });
  }
}

function checkLink(frame: Frame, sizeBytes: number): void {
  if (frame.stream !== 0) throw corrupt('A link frame names a stream');
  if (frame.payload.length === sizeBytes) return;
  throw corrupt(`A frame of kind ${frame.kind} has ${sizeBytes} bytes`);
}

function corrupt(message: string): DwcpError {
  return new DwcpError('ERR_DWCP_FRAME_CORRUPT', message);
}

function protocol(message: string): DwcpError {
  return new DwcpError('ERR_DWCP_PROTOCOL', message);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

function isPriority(value: unknown): boolean {
  return Object.values<unknown>(Priority).includes(value);
}
