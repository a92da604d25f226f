/**
 * Messages above one frame: cut into frames of the largest size by the sender, put together here. A frame without the
 * `end` flag is a part; nothing may come between the parts of a message, so one message is under way per connection and
 * memory is bounded by the largest message.
 */
import { Assembly } from '../assembly.ts';
import { DwcpError } from '../../errors.ts';
import { FrameFlag } from '../frame-pipe.ts';

/** What is known of a message before it is whole. */
export interface MessageBegin {
  readonly flags: number;
  readonly channel: number;
  readonly stream: number;
}

/** Memory for a message, or undefined: the library takes its own. */
export type TargetOf = (begin: MessageBegin) => Uint8Array | undefined;

/** The message of one connection that is being put together. */
export class MessageJoin {
  readonly #maxBytes: number;
  readonly #targetOf: TargetOf | undefined;
  #begin: MessageBegin | undefined;
  #target: Uint8Array | undefined;
  #filledBytes = 0;
  #assembly: Assembly | undefined;

  constructor(maxBytes: number, targetOf: TargetOf | undefined) {
    this.#maxBytes = maxBytes;
    this.#targetOf = targetOf;
  }

  /** True when a message was begun and not ended. */
  get underWay(): boolean {
    return this.#begin !== undefined;
  }

  /**
   * Takes a frame; returns the message it completes.
   * @throws ERR_DWCP_LIMIT, ERR_DWCP_PROTOCOL; the connection must be closed then
   */
  take(frame: MessageBegin, payload: Uint8Array): Buffer | undefined {
    const begin = this.#begin ?? this.#start(frame);
    if (begin.stream !== frame.stream || begin.channel !== frame.channel) {
      throw new DwcpError('ERR_DWCP_PROTOCOL', 'A frame came between the parts of a message');
    }
    const sizeBytes = this.#filledBytes + payload.length;
    const mostBytes = Math.min(this.#maxBytes, this.#target?.length ?? this.#maxBytes);
    if (sizeBytes > mostBytes) throw tooLarge(mostBytes);
    if (this.#target) this.#target.set(payload, this.#filledBytes);
    else this.#assembly!.append(payload);
    this.#filledBytes = sizeBytes;
    return (frame.flags & FrameFlag.end) === 0 ? undefined : this.#finish();
  }

  #start(frame: MessageBegin): MessageBegin {
    const begin = { flags: frame.flags, channel: frame.channel, stream: frame.stream };
    this.#begin = begin;
    this.#filledBytes = 0;
    this.#target = this.#targetOf?.(begin);
    this.#assembly = this.#target ? undefined : new Assembly(this.#maxBytes);
    return begin;
  }

  #finish(): Buffer {
    const target = this.#target;
    const assembly = this.#assembly;
    this.#begin = undefined;
    this.#target = undefined;
    this.#assembly = undefined;
    if (target) return Buffer.from(target.buffer, target.byteOffset, this.#filledBytes);
    for (;;) {
      const whole = assembly!.finish();
      if (whole) return whole;
    }
  }
}

/** Cuts a payload: calls `send` with each piece of at most `pieceBytes` and its flags. */
export function cutMessage(
  payload: Uint8Array,
  pieceBytes: number,
  flags: number,
  send: (piece: Uint8Array, flags: number) => void,
): void {
  for (let at = 0; at + pieceBytes < payload.length; at += pieceBytes) {
    send(payload.subarray(at, at + pieceBytes), flags & ~FrameFlag.end);
  }
  const left = payload.length === 0 ? 0 : ((payload.length - 1) % pieceBytes) + 1;
  send(payload.subarray(payload.length - left), flags | FrameFlag.end);
}

/** A message above the limit, on either side. */
export function tooLarge(maxBytes: number): DwcpError {
  const message = `The message is longer than ${maxBytes} bytes`;
  return new DwcpError('ERR_DWCP_LIMIT', message, {
    detail: { limit: 'maxMessageBytes', bytes: maxBytes },
  });
}
