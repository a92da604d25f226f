/**
 * The sending half of a stream: a queue of messages, cut into frames as the scheduler asks for them.
 * Invariants: messages leave in the order they were queued; at most `creditBytes` of payload is sent
 * beyond what the peer granted; the first frame carries `open`, the last of a message `end`.
 */
import { DwcpError } from '../errors.ts';
import { FrameFlag, FrameKind, type OutgoingFrame, type Priority } from './frame-pipe.ts';
import { Ring } from './ring.ts';

const priorityShift = 6;
const sequenceShift = 3;

/** The priority class in a frame's flags. */
export function priorityOf(flags: number): Priority {
  return (flags >>> priorityShift) as Priority;
}

/** The number of a data frame in its flags, 0 to 3. */
export function sequenceOf(flags: number): number {
  return (flags & FrameFlag.sequenceMask) >>> sequenceShift;
}

const nothing = (): void => {};

/** One message on its way out, or a bare half-close when it has no `parts`. */
export class OutMessage {
  readonly parts: readonly Uint8Array[];
  readonly sizeBytes: number;
  readonly priority: Priority;
  readonly fin: boolean;
  /** Set by whoever waits for the message. */
  onSettled: (error: DwcpError | undefined) => void = nothing;
  /** False for a bare half-close. */
  readonly isMessage: boolean;
  sentBytes = 0;
  started = false;
  #part = 0;
  #partOffset = 0;

  constructor(parts: readonly Uint8Array[] | undefined, priority: Priority, fin: boolean) {
    this.isMessage = parts !== undefined;
    this.parts = parts ?? [];
    this.priority = priority;
    this.fin = fin;
    let sizeBytes = 0;
    for (const part of this.parts) sizeBytes += part.length;
    this.sizeBytes = sizeBytes;
  }

  get remainingBytes(): number {
    return this.sizeBytes - this.sentBytes;
  }

  /** Views of the next `sizeBytes` bytes; the parts themselves when that is all. */
  take(sizeBytes: number): readonly Uint8Array[] {
    if (sizeBytes === this.sizeBytes) {
      this.sentBytes = sizeBytes;
      return this.parts;
    }
    const views: Uint8Array[] = [];
    let wanted = sizeBytes;
    while (wanted > 0) {
      const part = this.parts[this.#part]!;
      const end = Math.min(part.length, this.#partOffset + wanted);
      if (end > this.#partOffset) views.push(part.subarray(this.#partOffset, end));
      wanted -= end - this.#partOffset;
      this.#partOffset = end;
      if (end === part.length) {
        this.#part++;
        this.#partOffset = 0;
      }
    }
    this.sentBytes += sizeBytes;
    return views;
  }
}

/** The sending half of one stream. */
export class Outbound {
  readonly stream: number;
  readonly channel: number;
  /** In a ring of the scheduler. */
  scheduled = false;
  creditBytes: number;
  #opened: boolean;
  #sequence = 0;
  readonly #queue = new Ring<OutMessage>();
  #ended = false;
  #finished = false;

  /** `opened` is false on the side that opens the stream: its first frame announces it. */
  constructor(stream: number, channel: number, creditBytes: number, opened: boolean) {
    this.stream = stream;
    this.channel = channel;
    this.creditBytes = creditBytes;
    this.#opened = opened;
  }

  /** True once the peer may know of the stream. */
  get opened(): boolean {
    return this.#opened;
  }

  /** The half-close was queued. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The half-close was handed to the pipe. */
  get finished(): boolean {
    return this.#finished;
  }

  /** The class of the message that is next, or undefined when there is none or no credit for it. */
  get readyClass(): Priority | undefined {
    const head = this.#queue.peek();
    if (!head || (head.remainingBytes > 0 && this.creditBytes <= 0)) return undefined;
    return head.priority;
  }

  queue(message: OutMessage): void {
    if (message.fin) this.#ended = true;
    this.#queue.push(message);
  }

  /** Takes an unstarted message back. False when it was started or handed already. */
  withdraw(message: OutMessage): boolean {
    if (message.started || !this.#queue.remove(message)) return false;
    if (message.fin) this.#ended = false;
    return true;
  }

  /** The next frame of at most `maxPayloadBytes`; `done` is called with a message it completes. */
  next(
    maxPayloadBytes: number,
    done: (message: OutMessage, outbound: Outbound) => void,
  ): OutgoingFrame {
    const message = this.#queue.peek()!;
    const creditBytes = Math.max(0, this.creditBytes);
    const sizeBytes = Math.min(message.remainingBytes, creditBytes, maxPayloadBytes);
    const payload = message.take(sizeBytes);
    message.started = true;
    this.creditBytes -= sizeBytes;
    let flags = (message.priority << priorityShift) | (this.#sequence << sequenceShift);
    this.#sequence = (this.#sequence + 1) & 3;
    if (!this.#opened) flags |= FrameFlag.open;
    this.#opened = true;
    if (message.remainingBytes === 0) {
      if (message.isMessage) flags |= FrameFlag.end;
      if (message.fin) flags |= FrameFlag.fin;
      this.#finished = message.fin;
      this.#queue.shift();
      done(message, this);
    }
    return { kind: FrameKind.data, flags, channel: this.channel, stream: this.stream, payload };
  }

  /** Drops everything queued and returns it. */
  clear(): OutMessage[] {
    this.#ended = true;
    return this.#queue.clear();
  }
}
