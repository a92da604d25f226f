/** The sockets of a striped link, one lane each: which carries what is urgent, and which has room for bulk. */
import type { FramePipe, OutgoingFrame } from '../frame-pipe.ts';

/** From so many lanes on the first is left to what is urgent. */
const spareMainFrom = 3;

/** One socket. */
export interface Lane {
  readonly id: number;
  readonly pipe: FramePipe;
  /** False from when `send` said so until the pipe is writable again. */
  writable: boolean;
}

/** See the file header. */
export class Lanes {
  readonly #depthBytes: number;
  #lanes: Lane[] = [];
  #nextId = 0;
  #turn = 0;

  /** A lane among several holds about `depthBytes`, so that none hoards what others could carry sooner. */
  constructor(depthBytes: number) {
    this.#depthBytes = depthBytes;
  }

  get size(): number {
    return this.#lanes.length;
  }

  get all(): readonly Lane[] {
    return this.#lanes;
  }

  /** The lane of urgent frames: the oldest. */
  get main(): Lane | undefined {
    return this.#lanes[0];
  }

  add(pipe: FramePipe): Lane {
    const lane = { id: this.#nextId++, pipe, writable: true };
    this.#lanes.push(lane);
    return lane;
  }

  /** False when it was gone. */
  remove(lane: Lane): boolean {
    const before = this.#lanes.length;
    this.#lanes = this.#lanes.filter((each) => each !== lane);
    return this.#lanes.length < before;
  }

  /** A lane with room for bulk, other than `not`; they take turns. */
  roomy(not?: number): Lane | undefined {
    const first = this.#lanes.length >= spareMainFrom ? 1 : 0;
    const count = this.#lanes.length - first;
    for (let i = 0; i < count; i++) {
      const lane = this.#lanes[first + ((this.#turn + i) % count)]!;
      if (lane.id === not || !this.#hasRoom(lane)) continue;
      this.#turn = (this.#turn + i + 1) % count;
      return lane;
    }
    return undefined;
  }

  /** Bytes of all lanes that the kernel has not taken. */
  get bufferedBytes(): number {
    return this.#lanes.reduce((sum, { pipe }) => sum + pipe.stats().bufferedBytes, 0);
  }

  #hasRoom(lane: Lane): boolean {
    if (!lane.writable) return false;
    return this.#lanes.length === 1 || lane.pipe.stats().bufferedBytes < this.#depthBytes;
  }
}

/** Sends on one lane; false when the lane is closing, which it tells in a moment. */
export function sendOn(lane: Lane, frames: readonly OutgoingFrame[]): boolean {
  try {
    lane.writable = lane.pipe.send(frames);
    return true;
  } catch {
    lane.writable = false;
    return false;
  }
}
