/**
 * Which stream sends the next frame. Four classes, the most urgent first; inside a class streams take
 * turns frame by frame. A class that waits while others send gets a sixteenth of their bytes out of turn, so
 * bulk always moves.
 */
import type { OutgoingFrame } from './frame-pipe.ts';
import type { OutMessage, Outbound } from './outbound.ts';

/** A waiting class is owed one byte for this many that others send. */
const starvationShare = 16;
/** It is served out of turn once it is owed a full frame's worth. */
const starvationBytes = starvationShare * 64 * 1024;

/** A first-in first-out queue without shifting costs. */
class Ring {
  #items: (Outbound | undefined)[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  push(item: Outbound): void {
    this.#items.push(item);
  }

  shift(): Outbound | undefined {
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined;
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    } else if (this.#head >= this.#items.length) {
      this.#items.length = 0;
      this.#head = 0;
    }
    return item;
  }
}

/** Picks frames from streams. */
export class SendScheduler {
  readonly #rings: readonly Ring[] = [new Ring(), new Ring(), new Ring(), new Ring()];
  /** Bytes others sent while this class waited, less what it was served out of turn for them. */
  readonly #passedBytes = [0, 0, 0, 0];

  /** Tells that a stream may have become able to send. */
  add(outbound: Outbound): void {
    const priority = outbound.readyClass;
    if (priority === undefined || outbound.scheduled) return;
    outbound.scheduled = true;
    this.#rings[priority]!.push(outbound);
  }

  /** The next frame, or undefined when no stream can send. */
  next(
    maxPayloadBytes: number,
    done: (message: OutMessage, outbound: Outbound) => void,
  ): OutgoingFrame | undefined {
    for (;;) {
      const priority = this.#pickClass();
      if (priority < 0) return undefined;
      const outbound = this.#rings[priority]!.shift()!;
      outbound.scheduled = false;
      if (outbound.readyClass !== priority) {
        // What was at its head was cancelled, or credit was taken back.
        this.add(outbound);
        continue;
      }
      const frame = outbound.next(maxPayloadBytes, done);
      this.add(outbound);
      this.#account(priority, frame);
      return frame;
    }
  }

  #pickClass(): number {
    let first = -1;
    for (let priority = 0; priority < this.#rings.length; priority++) {
      if (this.#rings[priority]!.size === 0) continue;
      if (first < 0) first = priority;
      else if (this.#passedBytes[priority]! >= starvationBytes) return priority;
    }
    return first;
  }

  #account(served: number, frame: OutgoingFrame): void {
    let sizeBytes = 0;
    for (const part of frame.payload) sizeBytes += part.length;
    let outOfTurn = false;
    for (let priority = 0; priority < this.#rings.length; priority++) {
      if (priority === served || this.#rings[priority]!.size === 0) continue;
      if (priority < served) outOfTurn = true;
      else this.#passedBytes[priority]! += sizeBytes;
    }
    const owed = this.#passedBytes[served]! - sizeBytes * starvationShare;
    this.#passedBytes[served] = outOfTurn ? Math.max(0, owed) : 0;
  }
}
