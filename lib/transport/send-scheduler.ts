/**
 * Which stream sends the next frame. Four classes, the most urgent first; inside a class streams take
 * turns frame by frame. A class that waits while others send gets a sixteenth of their bytes out of turn, so
 * bulk always moves.
 */
import type { OutgoingFrame } from './frame-pipe.ts';
import { payloadSizeBytes } from './envelope.ts';
import type { OutMessage, Outbound } from './outbound.ts';
import { Ring } from './ring.ts';

/** A waiting class is owed one byte for this many that others send. */
const starvationShare = 16;
/** It is served out of turn once it is owed a full frame's worth. */
const starvationBytes = starvationShare * 64 * 1024;

/** Picks frames from streams. */
export class SendScheduler {
  readonly #rings: readonly Ring<Outbound>[] = [new Ring(), new Ring(), new Ring(), new Ring()];
  /** Streams in all rings. */
  #waiting = 0;
  /** Bytes others sent while this class waited, less what it was served out of turn for them. */
  readonly #passedBytes = [0, 0, 0, 0];

  /** True when no stream waits. */
  get idle(): boolean {
    return this.#waiting === 0;
  }

  /** Tells that a stream may have become able to send. */
  add(outbound: Outbound): void {
    const priority = outbound.readyClass;
    if (priority === undefined || outbound.scheduled) return;
    outbound.scheduled = true;
    this.#rings[priority]!.push(outbound);
    this.#waiting++;
  }

  /** The next frame, or undefined when no stream can send. */
  next(
    maxPayloadBytes: number,
    done: (message: OutMessage, outbound: Outbound) => void,
  ): OutgoingFrame | undefined {
    while (this.#waiting > 0) {
      const priority = this.#pickClass();
      const outbound = this.#rings[priority]!.shift()!;
      this.#waiting--;
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
    return undefined;
  }

  #pickClass(): number {
    let first = -1;
    for (let priority = 0; priority < this.#rings.length; priority++) {
      const { size } = this.#rings[priority]!;
      if (size === 0) continue;
      if (size === this.#waiting) return priority; // nobody else waits
      if (first < 0) first = priority;
      else if (this.#passedBytes[priority]! >= starvationBytes) return priority;
    }
    return first;
  }

  #account(served: number, frame: OutgoingFrame): void {
    if (this.#waiting === this.#rings[served]!.size) {
      this.#passedBytes[served] = 0;
      return;
    }
    const sizeBytes = payloadSizeBytes(frame);
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
