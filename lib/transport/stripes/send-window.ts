/**
 * What was sent as chunks and may have to be sent again: numbered, copied once, kept until the peer has it. Bounded by the
 * window of both ends; urgent frames may go half of it further, so that bulk never shuts them out.
 */
import { DwcpError } from '../../errors.ts';
import { FrameKind, type OutgoingFrame } from '../frame-pipe.ts';
import { corrupt, encodeChunk, maxOffset } from './chunk.ts';
import type { Range } from './control.ts';

/** A chunk on its way. */
export interface Sent {
  readonly offset: number;
  readonly end: number;
  readonly frame: OutgoingFrame;
  /** Which socket has it; undefined while it waits for one. */
  lane: number | undefined;
  sentMs: number;
  /** How often it was handed to a socket. */
  times: number;
  acked: boolean;
}

/** See the file header. */
export class SendWindow {
  readonly #windowBytes: number;
  /** In order of offsets; the first was not acknowledged. */
  #unacked: Sent[] = [];
  /** Where the newest chunk of a stream ends, as long as the peer may not have it. */
  readonly #ends = new Map<number, number>();
  #base = 0;
  #next = 0;
  #resent = 0;
  #highestAcked = 0;

  constructor(windowBytes: number) {
    this.#windowBytes = windowBytes;
  }

  /** Bytes the peer may not have yet. */
  get bytes(): number {
    return this.#next - this.#base;
  }

  /** No room for bulk. */
  get full(): boolean {
    return this.bytes >= this.#windowBytes;
  }

  /** Chunks handed to a second socket. */
  get resent(): number {
    return this.#resent;
  }

  /** Bytes the peer has in one piece. */
  get base(): number {
    return this.#base;
  }

  /** Numbers a frame. @throws ERR_DWCP_LIMIT far beyond the window, or at the end of the numbers */
  add(frame: OutgoingFrame): Sent {
    // Credit is for the other direction and waits for nothing here.
    const chained = frame.kind !== FrameKind.credit;
    const last = chained ? (this.#ends.get(frame.stream) ?? 0) : 0;
    const offset = this.#next;
    const chunk = encodeChunk(frame, offset, last > this.#base ? last : 0);
    const end = offset + chunk.payload[0]!.length;
    if (end > maxOffset || end > this.#base + 1.5 * this.#windowBytes) {
      throw new DwcpError('ERR_DWCP_LIMIT', 'The peer does not confirm what it gets', {
        detail: { limit: 'maxReorderBytes' },
      });
    }
    this.#next = end;
    if (chained) this.#ends.set(frame.stream, end);
    const sent = { offset, end, frame: chunk, lane: undefined, sentMs: 0, times: 0, acked: false };
    this.#unacked.push(sent);
    return sent;
  }

  /** Notes that a chunk went to a socket. */
  handed(sent: Sent, lane: number, nowMs: number): void {
    if (sent.times > 0) this.#resent++;
    sent.times++;
    sent.lane = lane;
    sent.sentMs = nowMs;
  }

  /**
   * The peer has everything below `base`, and `ranges`. Returns the bytes it had not confirmed before.
   * @throws ERR_DWCP_FRAME_CORRUPT when it confirms what was never sent
   */
  ack(base: number, ranges: readonly Range[]): number {
    const furthest = ranges.at(-1)?.end ?? base;
    if (base > this.#next || furthest > this.#next) throw corrupt('An ack of bytes never sent');
    let bytes = 0;
    let range = 0;
    let done = 0;
    for (const sent of this.#unacked) {
      if (sent.end > furthest) break;
      while (range < ranges.length && ranges[range]!.end < sent.end) range++;
      const inRange = range < ranges.length && ranges[range]!.start <= sent.offset;
      if (sent.end <= base) done++;
      else if (!inRange) continue;
      if (sent.acked) continue;
      sent.acked = true;
      bytes += sent.end - sent.offset;
      this.#highestAcked = Math.max(this.#highestAcked, sent.sentMs);
    }
    if (done > 0) this.#unacked = this.#unacked.slice(done);
    if (base > this.#base) this.#moveBase(base);
    return bytes;
  }

  /** What a socket that is gone may have taken with it. */
  lostWith(lane: number): Sent[] {
    const lost = this.#unacked.filter((sent) => !sent.acked && sent.lane === lane);
    for (const sent of lost) sent.lane = undefined;
    return lost;
  }

  /** The oldest missing chunks: sent `lateMs` ago, while newer ones arrived. They are asked of another socket. */
  late(nowMs: number, lateMs: number, max: number): Sent[] {
    const late: Sent[] = [];
    for (const sent of this.#unacked) {
      if (late.length >= max) break;
      if (sent.acked || sent.lane === undefined) continue;
      if (nowMs - sent.sentMs < lateMs || sent.sentMs >= this.#highestAcked) continue;
      late.push(sent);
    }
    return late;
  }

  #moveBase(base: number): void {
    this.#base = base;
    if (this.#ends.size < 64 && base < this.#next) return;
    for (const [stream, end] of this.#ends) if (end <= base) this.#ends.delete(stream);
  }
}
