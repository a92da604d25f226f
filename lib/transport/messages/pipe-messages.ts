/**
 * The batch API over any `FramePipe`: what runs where the engine does not, and over TLS. Frames and bytes are
 * the same; a batch is one call of the pipe's handler.
 */
import { DwcpError } from '../../errors.ts';
import { tooLong } from '../envelope.ts';
import {
  type Frame,
  FrameFlag,
  FrameKind,
  type FramePipe,
  type OutgoingFrame,
  type PipeTransport,
} from '../frame-pipe.ts';
import {
  type Batch,
  deliver,
  type MessageConnection,
  type MessageHandlers,
  type MessageHead,
  type MessageListener,
  type RetainedMessage,
} from './batch.ts';
import { cutMessage, MessageJoin, tooLarge } from './message-join.ts';
import { checkMessage, queueFull, type ResolvedOptions } from './options.ts';

/** Listens through a transport. */
export async function listenOnPipes(
  transport: PipeTransport,
  options: ResolvedOptions,
): Promise<MessageListener> {
  const onPipe = (pipe: FramePipe): void => void new PipeConnection(pipe, options);
  const listener = await transport.listen(options, onPipe);
  return { ...listener, tier: transport.tier };
}

/** Dials through a transport. */
export async function connectOnPipes(
  transport: PipeTransport,
  options: ResolvedOptions,
  signal: AbortSignal | undefined,
): Promise<MessageConnection> {
  return new PipeConnection(await transport.connect(options, { signal }), options);
}

/** {@link MessageConnection} over a pipe. */
class PipeConnection implements MessageConnection {
  readonly tier: FramePipe['tier'];
  readonly remoteAddress: string;
  context: unknown;
  readonly #pipe: FramePipe;
  readonly #options: ResolvedOptions;
  readonly #batch: FrameBatch;
  /** Puts messages of several frames together, where they are allowed. */
  readonly join: MessageJoin | undefined;
  #closed = false;

  constructor(pipe: FramePipe, options: ResolvedOptions) {
    this.#pipe = pipe;
    this.#options = options;
    this.tier = pipe.tier;
    this.remoteAddress = pipe.remoteAddress;
    const { maxMessageBytes, target } = options;
    this.join = maxMessageBytes > 0 ? new MessageJoin(maxMessageBytes, target) : undefined;
    this.#batch = new FrameBatch(this);
    const { handlers } = options;
    pipe.start({
      onFrames: (frames) => this.#deliver(frames, handlers),
      onWritable: () => handlers.onDrain?.(this),
      onClose: (error) => {
        this.#closed = true;
        handlers.onClose?.(this, error);
      },
    });
    handlers.onOpen?.(this);
  }

  get bufferedBytes(): number {
    return this.#closed ? 0 : this.#pipe.stats().bufferedBytes;
  }

  get closed(): boolean {
    return this.#closed;
  }

  send(payload: Uint8Array, head: MessageHead = {}): boolean {
    checkMessage(payload, head);
    const { maxFramePayloadBytes: maxPayloadBytes } = this.#options.limits;
    const { framed, maxQueueBytes, maxMessageBytes } = this.#options;
    if (this.#closed) throw new DwcpError('ERR_DWCP_CLOSED', 'The pipe is closed');
    if (maxMessageBytes > 0) {
      if (payload.length > maxMessageBytes) throw tooLarge(maxMessageBytes);
    } else if (framed && payload.length > maxPayloadBytes) {
      throw tooLong(payload.length, { maxPayloadBytes, checksum: true });
    }
    if (this.bufferedBytes + payload.length > maxQueueBytes) throw queueFull(maxQueueBytes);
    const full = {
      kind: head.kind ?? FrameKind.data,
      flags: head.flags ?? 0,
      channel: head.channel ?? 0,
      stream: head.stream ?? 0,
    };
    if (!this.join || full.kind !== FrameKind.data) {
      return this.#pipe.send([{ ...full, payload: [payload] }]);
    }
    const frames: OutgoingFrame[] = [];
    cutMessage(payload, maxPayloadBytes, full.flags, (piece, flags) => {
      frames.push({ ...full, flags, payload: [piece] });
    });
    return this.#pipe.send(frames);
  }

  close(): void {
    this.#closed = true;
    this.#pipe.close();
  }

  destroy(error?: DwcpError): void {
    this.#closed = true;
    this.#pipe.destroy(error);
  }

  #deliver(frames: readonly Frame[], handlers: MessageHandlers): void {
    const batch = this.#batch.begin(frames);
    deliver(batch, handlers);
    // Parts a handler did not look at are put together all the same.
    if (this.join) while (batch.next());
  }
}

/** {@link Batch} over frames. */
class FrameBatch implements Batch {
  readonly connection: PipeConnection;
  #frames: readonly Frame[] = [];
  /** The message under the cursor when it came in several frames. */
  #whole: Buffer | undefined;
  #at = -1;

  constructor(connection: PipeConnection) {
    this.connection = connection;
  }

  begin(frames: readonly Frame[]): this {
    this.#frames = frames;
    this.#at = -1;
    return this;
  }

  next(): boolean {
    do {
      this.#whole = undefined;
      // What came for a connection that was closed in this batch is dropped.
      if (this.connection.closed || ++this.#at >= this.#frames.length) return false;
    } while (this.#isPart());
    return true;
  }

  /** Takes a frame that is not a message of its own; true unless it completes one. */
  #isPart(): boolean {
    const { join } = this.connection;
    if (!join || this.kind !== FrameKind.data) return false;
    if (!join.underWay && (this.flags & FrameFlag.end) !== 0) return false;
    try {
      this.#whole = join.take(this, this.#frame.payload);
    } catch (error) {
      this.connection.destroy(error as DwcpError);
      return true;
    }
    return this.#whole === undefined;
  }

  get #payload(): Uint8Array {
    return this.#whole ?? this.#frame.payload;
  }

  get #frame(): Frame {
    return this.#frames[this.#at]!;
  }

  get kind(): FrameKind {
    return this.#frame.kind;
  }

  get flags(): number {
    return this.#frame.flags;
  }

  get channel(): number {
    return this.#frame.channel;
  }

  get stream(): number {
    return this.#frame.stream;
  }

  get sizeBytes(): number {
    return this.#payload.length;
  }

  byteAt(offset: number): number {
    return this.#payload[offset] ?? 0;
  }

  view(): Buffer {
    const { buffer, byteOffset, length } = this.#payload;
    return Buffer.from(buffer, byteOffset, length);
  }

  copy(): Buffer {
    return Buffer.from(this.#payload);
  }

  retain(): RetainedMessage {
    return { payload: this.#whole ?? this.copy(), release: () => {} };
  }

  forward(to: MessageConnection = this.connection): boolean {
    return to.send(this.#payload, this);
  }
}
