/**
 * The batch API over any `FramePipe`: what runs where the engine does not, and over TLS. Frames and bytes are
 * the same; a batch is one call of the pipe's handler.
 */
import { DwcpError } from '../../errors.ts';
import { tooLong } from '../envelope.ts';
import { type Frame, FrameKind, type FramePipe, type PipeTransport } from '../frame-pipe.ts';
import {
  type Batch,
  deliver,
  type MessageConnection,
  type MessageHandlers,
  type MessageHead,
  type MessageListener,
  type RetainedMessage,
} from './batch.ts';
import { queueFull, type ResolvedOptions } from './options.ts';

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
  #closed = false;

  constructor(pipe: FramePipe, options: ResolvedOptions) {
    this.#pipe = pipe;
    this.#options = options;
    this.tier = pipe.tier;
    this.remoteAddress = pipe.remoteAddress;
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
    const { maxFramePayloadBytes: maxPayloadBytes } = this.#options.limits;
    const { framed, maxQueueBytes } = this.#options;
    if (this.#closed) throw new DwcpError('ERR_DWCP_CLOSED', 'The pipe is closed');
    if (framed && payload.length > maxPayloadBytes) {
      throw tooLong(payload.length, { maxPayloadBytes, checksum: true });
    }
    if (this.bufferedBytes + payload.length > maxQueueBytes) throw queueFull(maxQueueBytes);
    return this.#pipe.send([
      {
        kind: head.kind ?? FrameKind.data,
        flags: head.flags ?? 0,
        channel: head.channel ?? 0,
        stream: head.stream ?? 0,
        payload: [payload],
      },
    ]);
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
    deliver(this.#batch.begin(frames), handlers);
  }
}

/** {@link Batch} over frames. */
class FrameBatch implements Batch {
  readonly connection: MessageConnection;
  #frames: readonly Frame[] = [];
  #at = -1;

  constructor(connection: MessageConnection) {
    this.connection = connection;
  }

  begin(frames: readonly Frame[]): this {
    this.#frames = frames;
    this.#at = -1;
    return this;
  }

  next(): boolean {
    // What came for a connection that was closed in this batch is dropped.
    return !this.connection.closed && ++this.#at < this.#frames.length;
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
    return this.#frame.payload.length;
  }

  byteAt(offset: number): number {
    return this.#frame.payload[offset] ?? 0;
  }

  view(): Buffer {
    const { buffer, byteOffset, length } = this.#frame.payload;
    return Buffer.from(buffer, byteOffset, length);
  }

  copy(): Buffer {
    return Buffer.from(this.#frame.payload);
  }

  retain(): RetainedMessage {
    return { payload: this.copy(), release: () => {} };
  }

  forward(to: MessageConnection = this.connection): boolean {
    return to.send(this.#frame.payload, this);
  }
}
