/**
 * One stream of a `Connection`: joins a sending and a receiving half and talks to the user.
 * Invariants: handlers are called in wire order; `onClose` exactly once and last; after it nothing is
 * sent and nothing delivered. What arrives before a handler is set waits, bounded by credit.
 */
import { onAbort } from '../abort.ts';
import { DwcpError, type ErrorCode, errorCodes, invalidArg, isDwcpError } from '../errors.ts';
import type { LinkLimits } from '../limits.ts';
import type { Frame, Priority } from './frame-pipe.ts';
import type { InMessage, Inbound, LateTaker } from './inbound.ts';
import { OutMessage, type Outbound } from './outbound.ts';
import type { SendOptions, Stream } from './stream.ts';

/** What a stream asks of its connection. */
export interface StreamHost {
  readonly limits: LinkLimits;
  /** Unsent bytes of all streams. */
  readonly sendQueueBytes: number;
  /** A message was queued; it may be sent now. */
  queued(outbound: Outbound, sizeBytes: number): void;
  /** A queued message will not be sent. */
  unqueued(sizeBytes: number): void;
  /** The stream is over; `reset` is told to the peer unless the peer or the link ended it. */
  closed(stream: ConnectionStream, reset: DwcpError | undefined): void;
}

type MessageHandler = (message: Buffer) => void | Promise<void>;
type CloseHandler = (error: DwcpError | undefined) => void;

/** The implementation of {@link Stream}. */
export class ConnectionStream implements Stream, LateTaker {
  readonly id: number;
  readonly channel: number;
  readonly outbound: Outbound;
  readonly inbound: Inbound;
  readonly #host: StreamHost;
  readonly #priority: Priority;
  #messageHandler: MessageHandler | undefined;
  #endHandler: (() => void) | undefined;
  #closeHandler: CloseHandler | undefined;
  /** Messages that came before a handler. */
  #waiting: InMessage[] = [];
  #endTold = false;
  #closed = false;
  #error: DwcpError | undefined;

  constructor(host: StreamHost, outbound: Outbound, inbound: Inbound, priority: Priority) {
    this.id = outbound.stream;
    this.channel = outbound.channel;
    this.outbound = outbound;
    this.inbound = inbound;
    this.#host = host;
    this.#priority = priority;
  }

  get closed(): boolean {
    return this.#closed;
  }

  send(parts: Uint8Array | readonly Uint8Array[], options: SendOptions = noOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      this.post(parts, options, (error) => (error ? reject(error) : resolve()));
    });
  }

  post(
    parts: Uint8Array | readonly Uint8Array[],
    options: SendOptions,
    onSettled: (error: DwcpError | undefined) => void,
  ): void {
    const refusal = this.#refusal(options);
    if (refusal) return queueMicrotask(() => onSettled(refusal));
    const list = parts instanceof Uint8Array ? [parts] : checkParts(parts);
    const message = new OutMessage(list, options.priority ?? this.#priority, options.end ?? false);
    const full = this.#full(message.sizeBytes);
    if (full) return queueMicrotask(() => onSettled(full));
    message.onSettled = onSettled;
    if (options.signal) this.#cancelOn(options.signal, message);
    this.#queue(message);
  }

  end(): void {
    if (this.#closed || this.outbound.ended) return;
    this.#queue(new OutMessage(undefined, this.#priority, true));
  }

  reset(code: ErrorCode, text = ''): void {
    if (!Object.hasOwn(errorCodes, code)) invalidArg('code', 'an error code of dwcp', code);
    const error = new DwcpError(code, text === '' ? undefined : text);
    this.close(error, error);
  }

  onMessage(handler: MessageHandler): void {
    this.#messageHandler = handler;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const message of waiting) this.#deliver(message);
    this.#tellEnd();
    if (this.#closed) queueMicrotask(() => this.#tellClose());
  }

  onEnd(handler: () => void): void {
    this.#endHandler = handler;
    this.#tellEnd();
  }

  onClose(handler: CloseHandler): void {
    this.#closeHandler = handler;
    if (this.#closed) queueMicrotask(() => this.#tellClose());
  }

  /** Takes a data frame of this stream. @throws what {@link Inbound.accept} throws */
  receive(frame: Frame): void {
    const message = this.inbound.accept(frame, this);
    if (message) this.joined(message);
    else this.#onProgress();
  }

  joined(message: InMessage): void {
    this.#deliver(message);
    this.#onProgress();
  }

  /** Both directions ended in order: the stream is over. */
  closeIfDone(): void {
    if (this.inbound.finished && this.outbound.finished) this.close(undefined, undefined);
  }

  /** Ends the stream; `reset` goes to the peer, `error` to the user. */
  close(error: DwcpError | undefined, reset: DwcpError | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#error = error;
    this.inbound.close();
    for (const message of this.outbound.clear()) {
      this.#host.unqueued(message.remainingBytes);
      message.onSettled(error ?? new DwcpError('ERR_DWCP_CLOSED', 'The stream ended'));
    }
    this.#host.closed(this, reset);
    queueMicrotask(() => this.#tellClose());
  }

  /** A handler of the user failed: the stream is reset with its error. */
  fail(cause: unknown): void {
    const code = isDwcpError(cause) ? cause.code : 'ERR_DWCP_REMOTE';
    const text = cause instanceof Error ? cause.message : 'The handler failed';
    const error = new DwcpError(code, text, { cause });
    this.close(error, error);
  }

  #refusal({ signal }: SendOptions): DwcpError | undefined {
    if (this.#closed) return this.#error ?? new DwcpError('ERR_DWCP_CLOSED', 'The stream ended');
    if (this.outbound.ended) return new DwcpError('ERR_DWCP_CLOSED', 'This side half-closed');
    return signal?.aborted ? aborted(signal) : undefined;
  }

  #full(sizeBytes: number): DwcpError | undefined {
    const { maxMessageBytes, maxSendQueueBytes } = this.#host.limits;
    if (sizeBytes > maxMessageBytes) return overLimit('maxMessageBytes', maxMessageBytes);
    const queuedBytes = this.#host.sendQueueBytes + sizeBytes;
    return queuedBytes > maxSendQueueBytes
      ? overLimit('maxSendQueueBytes', maxSendQueueBytes)
      : undefined;
  }

  #queue(message: OutMessage): void {
    this.outbound.queue(message);
    this.#host.queued(this.outbound, message.sizeBytes);
  }

  #cancelOn(signal: AbortSignal, message: OutMessage): void {
    const { onSettled } = message;
    const cancel = (): void => {
      const error = aborted(signal);
      if (this.outbound.withdraw(message)) {
        this.#host.unqueued(message.sizeBytes);
        message.onSettled(error);
      } else this.close(error, error);
    };
    message.onSettled = (error) => {
      unlisten();
      onSettled(error);
    };
    const unlisten = onAbort(signal, cancel);
  }

  #onProgress(): void {
    if (!this.inbound.finished) return;
    this.#tellEnd();
    this.closeIfDone();
  }

  #deliver(message: InMessage): void {
    if (!this.#messageHandler) {
      this.#waiting.push(message);
      return;
    }
    let settled: void | Promise<void>;
    try {
      settled = this.#messageHandler(message.bytes);
    } catch (error) {
      this.inbound.settle(message);
      this.fail(error);
      return;
    }
    // Whatever else a handler gives back, as arrow functions do, means nothing.
    if (typeof settled?.then !== 'function') {
      this.inbound.settle(message);
      return;
    }
    settled.then(
      () => this.inbound.settle(message),
      (error: unknown) => {
        this.inbound.settle(message);
        this.fail(error);
      },
    );
  }

  #tellEnd(): void {
    if (this.#endTold || !this.inbound.finished || this.#waiting.length > 0) return;
    if (!this.#endHandler) return;
    this.#endTold = true;
    this.#endHandler();
  }

  #tellClose(): void {
    // After an orderly end, messages nobody took yet are still delivered, and before onClose.
    if (this.#error === undefined && this.#waiting.length > 0) return;
    for (const message of this.#waiting.splice(0)) this.inbound.settle(message);
    const handler = this.#closeHandler;
    this.#closeHandler = undefined;
    handler?.(this.#error);
  }
}

const noOptions: SendOptions = {};

function checkParts(parts: readonly Uint8Array[]): readonly Uint8Array[] {
  if (Array.isArray(parts) && parts.every((part) => part instanceof Uint8Array)) return parts;
  return invalidArg('parts', 'a Uint8Array or an array of them', parts);
}

function aborted(signal: AbortSignal): DwcpError {
  return new DwcpError('ERR_DWCP_ABORTED', 'The send was aborted', { cause: signal.reason });
}

function overLimit(name: string, bytes: number): DwcpError {
  return new DwcpError('ERR_DWCP_LIMIT', `The message does not fit ${name} (${bytes} bytes)`, {
    detail: { limit: name, bytes },
  });
}
