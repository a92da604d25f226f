/**
 * Numbered frames from `send` until the peer has them: those that wait for a lane, the oldest first, and those that may have to be
 * sent again. Bulk goes over whichever lane has room, everything else over the main one and ahead of bulk.
 * Bounded by the window; what waits here by `pipeHighWaterBytes` of the connection above.
 */
import type { Clock } from '../../clock.ts';
import { type OutgoingFrame, Priority } from '../frame-pipe.ts';
import { priorityOf } from '../outbound.ts';
import type { Range } from './control.ts';
import { type Lane, type Lanes, sendOn } from './lanes.ts';
import { type Sent, SendWindow } from './send-window.ts';

/** A chunk is late after so many round trips, and not before so many ms. */
const lateRtts = 4;
const leastLateMs = 250;
/** Late chunks sent again at one look. */
const maxLate = 4;

/** See the file header. */
export class ChunkQueue {
  readonly #lanes: Lanes;
  readonly #clock: Clock;
  readonly #window: SendWindow;
  /** Chunks no lane has; urgent ones apart. */
  #waiting: Sent[] = [];
  #urgent: Sent[] = [];
  #waitingBytes = 0;

  constructor(lanes: Lanes, windowBytes: number, clock: Clock) {
    this.#lanes = lanes;
    this.#clock = clock;
    this.#window = new SendWindow(windowBytes);
  }

  /** Bulk that no lane has, bytes. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Bytes the peer may not have yet. */
  get unackedBytes(): number {
    return this.#window.bytes;
  }

  /** Chunks handed to a second lane. */
  get resent(): number {
    return this.#window.resent;
  }

  /** Whether bulk would go out at once. */
  get hasRoom(): boolean {
    return this.#waiting.length === 0 && !this.#window.full && this.#lanes.roomy() !== undefined;
  }

  /** Numbers a frame. @throws ERR_DWCP_LIMIT far beyond the window */
  add(frame: OutgoingFrame): void {
    const sent = this.#window.add(frame);
    if (!isBulk(frame)) {
      this.#urgent.push(sent);
      return;
    }
    this.#waiting.push(sent);
    this.#waitingBytes += sizeOf(sent);
  }

  /** Returns the bytes that the peer had not confirmed before. @throws ERR_DWCP_FRAME_CORRUPT */
  ack(base: number, ranges: readonly Range[]): number {
    return this.#window.ack(base, ranges);
  }

  /** Hands over what the lanes take. */
  pump(): void {
    this.#pumpUrgent();
    let taken = 0;
    while (taken < this.#waiting.length) {
      const sent = this.#waiting[taken]!;
      if (!sent.acked) {
        const lane = this.#lanes.roomy();
        if (!lane) break;
        if (!this.#transmit(sent, lane)) continue;
      }
      this.#waitingBytes -= sizeOf(sent);
      taken++;
    }
    if (taken > 0) this.#waiting.splice(0, taken);
  }

  /** A lane is gone: what it may have taken with it goes over others, first of all. */
  requeue(lane: Lane): void {
    const lost = this.#window.lostWith(lane.id);
    const bulk = lost.filter(({ frame }) => isBulk(frame));
    this.#waitingBytes += bulk.reduce((sum, sent) => sum + sizeOf(sent), 0);
    this.#waiting = [...bulk, ...this.#waiting];
    this.#urgent = [...lost.filter(({ frame }) => !isBulk(frame)), ...this.#urgent];
  }

  /** Sends over another lane what newer chunks overtook long ago. */
  resendLate(rttMs: number): void {
    const lateMs = Math.max(lateRtts * rttMs, leastLateMs);
    for (const sent of this.#window.late(this.#clock.monotonic(), lateMs, maxLate)) {
      const lane = this.#lanes.roomy(sent.lane);
      if (lane) this.#transmit(sent, lane);
    }
  }

  #pumpUrgent(): void {
    for (let sent = this.#urgent[0]; sent; sent = this.#urgent[0]) {
      const { main } = this.#lanes;
      if (!main || (!sent.acked && !this.#transmit(sent, main))) return;
      this.#urgent.shift();
    }
  }

  #transmit(sent: Sent, lane: Lane): boolean {
    if (!sendOn(lane, [sent.frame])) return false;
    this.#window.handed(sent, lane.id, this.#clock.monotonic());
    return true;
  }
}

const sizeOf = ({ offset, end }: Sent): number => end - offset;

/** Whether a frame may go over any lane. */
export function isBulk(frame: OutgoingFrame): boolean {
  // Control frames have no class: their bits are zero, the most urgent.
  return priorityOf(frame.flags) === Priority.bulk;
}
