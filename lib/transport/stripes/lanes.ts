/** The sockets of a striped link, one lane each: which carries what is urgent, and which has room for bulk. */
import type { FramePipe, OutgoingFrame, PipeStats } from '../frame-pipe.ts';

/** From so many lanes on the first is left to what is urgent. */
const spareMainFrom = 3;

/** One socket. */
export interface Lane {
  readonly id: number;
  readonly pipe: FramePipe;
  /** False from when `send` said so until the pipe is writable again. */
  writable: boolean;
}

type Totals = { -readonly [K in Exclude<keyof PipeStats, 'bufferedBytes'>]: number };

/** See the file header. */
export class Lanes {
  readonly #depthBytes: number;
  #lanes: Lane[] = [];
  #nextId = 0;
  #turn = 0;
  /** Of lanes that are gone. */
  readonly #gone = { bytesIn: 0, bytesOut: 0, framesIn: 0, framesOut: 0 };

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
    if (this.#lanes.length === before) return false;
    addTo(this.#gone, lane.pipe.stats());
    return true;
  }

  /** Numbers of all lanes there ever were; `waitingBytes` have none yet. */
  stats(waitingBytes: number): PipeStats {
    const sum = { ...this.#gone };
    let leastBytes = Infinity;
    for (const { pipe } of this.#lanes) {
      const stats = pipe.stats();
      addTo(sum, stats);
      leastBytes = Math.min(leastBytes, stats.bufferedBytes);
    }
    // What goes next goes to the emptiest: this is what it waits behind.
    const bufferedBytes = waitingBytes + (leastBytes === Infinity ? 0 : leastBytes);
    return { ...sum, bufferedBytes };
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

  #hasRoom(lane: Lane): boolean {
    if (!lane.writable) return false;
    return this.#lanes.length === 1 || lane.pipe.stats().bufferedBytes < this.#depthBytes;
  }
}

function addTo(sum: Totals, stats: PipeStats): void {
  sum.bytesIn += stats.bytesIn;
  sum.bytesOut += stats.bytesOut;
  sum.framesIn += stats.framesIn;
  sum.framesOut += stats.framesOut;
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
