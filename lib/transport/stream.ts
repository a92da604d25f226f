/** The stream side of `Connection`: whole messages over frames, with credit, priority and cancel. */
import type { DwcpError, ErrorCode } from '../errors.ts';
import type { Priority } from './frame-pipe.ts';

/** Options of {@link Stream.send}. */
export interface SendOptions {
  /** Priority class of this message; the stream's own when absent. */
  readonly priority?: Priority | undefined;
  /** Half-closes the stream with this message. */
  readonly end?: boolean | undefined;
  /** Cancels the message while frames of it still wait; the stream is reset if some were sent. */
  readonly signal?: AbortSignal | undefined;
}

/** One stream of a connection. Messages in one direction keep their order. */
export interface Stream {
  readonly id: number;
  readonly channel: number;
  /**
   * Sends one message. The parts are borrowed until the promise settles, which is when the last frame
   * was handed to the pipe. Rejects with ERR_DWCP_STREAM_RESET, ERR_DWCP_LINK_DOWN, ERR_DWCP_ABORTED
   * or ERR_DWCP_LIMIT (send queue full).
   */
  send(parts: Uint8Array | readonly Uint8Array[], options?: SendOptions): Promise<void>;
  /**
   * As {@link send}, told by a call instead of a promise: `onSettled` gets the error, or undefined when the
   * last frame was handed to the pipe; never called before `post` returned.
   */
  post(
    parts: Uint8Array | readonly Uint8Array[],
    options: SendOptions,
    onSettled: (error: DwcpError | undefined) => void,
  ): void;
  /** Half-close: no further message from this side. */
  end(): void;
  /** Ends the stream at once in both directions. */
  reset(code: ErrorCode, text?: string): void;
  /**
   * Receives each message, owned by the receiver. Credit of a message is returned when the promise the
   * handler returned settles, so a slow handler slows the sender. Set it in the turn the stream appears.
   */
  onMessage(handler: (message: Buffer) => void | Promise<void>): void;
  /** The peer half-closed. */
  onEnd(handler: () => void): void;
  /** The stream is over; `error` is undefined when both sides ended in order. Called exactly once. */
  onClose(handler: (error: DwcpError | undefined) => void): void;
}
