/**
 * The batch API: everything one wake-up brought, read through a cursor, without an object or a Buffer per
 * message. The same over every tier; only the engine's makes no views of its own.
 */
import type { DwcpError } from '../../errors.ts';
import type { Address, FrameKind, FramePipe } from '../frame-pipe.ts';
import type { HalfOpenStats } from '../half-open.ts';

/** The header fields of a message; without frames all are 0, and `kind` is data. */
export interface MessageHead {
  readonly kind?: FrameKind | undefined;
  readonly flags?: number | undefined;
  readonly channel?: number | undefined;
  readonly stream?: number | undefined;
}

/** A payload kept beyond its batch. */
export interface RetainedMessage {
  /** The bytes; good until `release`. */
  readonly payload: Buffer;
  /** Gives the memory back. Idempotent. */
  release(): void;
}

/** The message under the cursor. Good until the handler returns; nothing of it may be used later. */
export interface Message {
  readonly connection: MessageConnection;
  readonly kind: FrameKind;
  readonly flags: number;
  readonly channel: number;
  readonly stream: number;
  /** Size of the payload, bytes. */
  readonly sizeBytes: number;
  /** One byte of the payload, without making a view. */
  byteAt(offset: number): number;
  /** The payload as a view of the engine's memory, good until the handler returns. */
  view(): Buffer;
  /** The payload as the caller's own. */
  copy(): Buffer;
  /**
   * Keeps the payload beyond the handler. It holds a slab of 128 KiB back: whoever keeps many for long
   * stops the engine's receiving, and their peers.
   */
  retain(): RetainedMessage;
  /**
   * Sends the message on without touching its payload in JavaScript, by default back where it came from.
   * Returns and throws like {@link MessageConnection.send}.
   */
  forward(to?: MessageConnection): boolean;
}

/** A cursor over messages; it begins before the first. */
export interface Batch extends Message {
  /** Moves to the next message; false at the end. */
  next(): boolean;
}

/** One connection of the batch API. */
export interface MessageConnection {
  readonly tier: FramePipe['tier'];
  /** `host:port` of the peer. */
  readonly remoteAddress: string;
  /** Bytes handed over and not yet taken by the kernel. */
  readonly bufferedBytes: number;
  readonly closed: boolean;
  /** The user's own. */
  context: unknown;
  /**
   * Sends one message; the payload is borrowed until the call returns. False means: hold back until `onDrain`.
   * @throws ERR_DWCP_INVALID_ARG, ERR_DWCP_CLOSED, ERR_DWCP_LIMIT for a frame above 64 KiB or when `maxQueueBytes` would be passed
   */
  send(payload: Uint8Array, head?: MessageHead): boolean;
  /** Sends what is queued, then closes. */
  close(): void;
  /** Closes at once; `onClose` gets the error. */
  destroy(error?: DwcpError): void;
}

/** Who listens; give `onBatch` or `onMessage`. */
export interface MessageHandlers {
  /**
   * Everything a wake-up brought for this listener. What it throws is uncaught, and the rest of the batch is
   * lost; `onMessage` loses nothing.
   */
  readonly onBatch?: ((batch: Batch) => void) | undefined;
  readonly onMessage?: ((message: Message) => void) | undefined;
  readonly onOpen?: ((connection: MessageConnection) => void) | undefined;
  /** The queue fell below `highWaterBytes` after `send` returned false. */
  readonly onDrain?: ((connection: MessageConnection) => void) | undefined;
  readonly onClose?:
    ((connection: MessageConnection, error: DwcpError | undefined) => void) | undefined;
}

/** A listening socket of the batch API. */
export interface MessageListener {
  readonly address: Address;
  readonly tier: FramePipe['tier'];
  /** Numbers of the connections that have not spoken yet. */
  halfOpen?(): HalfOpenStats;
  /** Stops accepting; connections live on. */
  close(): Promise<void>;
}

/** Gives a batch to whichever handler there is. */
export function deliver(batch: Batch, { onBatch, onMessage }: MessageHandlers): void {
  if (onBatch) return onBatch(batch);
  while (batch.next()) {
    try {
      onMessage?.(batch);
    } catch (error) {
      process.nextTick(() => {
        throw error;
      });
    }
  }
}
