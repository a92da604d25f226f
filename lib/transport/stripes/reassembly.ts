/**
 * Chunks in any order, over any socket, any of them twice: each frame is handed on once, and those of one stream in the
 * order they were sent. Streams do not wait for each other. A chunk that must wait is copied; what waits is bounded.
 * Invariant: everything below `base` was received, and handed on once the direction began.
 */
import { DwcpError } from '../../errors.ts';
import type { Frame } from '../frame-pipe.ts';
import { type Chunk, corrupt } from './chunk.ts';
import type { Range } from './control.ts';

/** Gaps between what came; an honest sender leaves a few per socket. */
const maxRanges = 4096;
/** What a waiting frame costs beside its payload, bytes. */
const frameCostBytes = 256;

/** See the file header. */
export class Reassembly {
  readonly #maxBytes: number;
  #begun = false;
  #base = 0;
  /** Received beyond `base`; sorted, and none touches another. */
  readonly #ranges: { start: number; end: number }[] = [];
  /** By the position it waits for. */
  readonly #waiting = new Map<number, Chunk[]>();
  /** Chunks that wait for everything before them. */
  #barriers: Chunk[] = [];
  /** Ends of chunks that came and wait. */
  readonly #waitingEnds = new Set<number>();
  #heldBytes = 0;
  #duplicates = 0;

  /** Chunks may lie up to `maxBytes` beyond what is complete. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Everything below it came. */
  get base(): number {
    return this.#base;
  }

  /** What came beyond `base`. */
  get ranges(): readonly Range[] {
    return this.#ranges;
  }

  /** True once the peer said that this direction is numbered. */
  get begun(): boolean {
    return this.#begun;
  }

  /** Memory of what waits, bytes. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Chunks that came again. */
  get duplicates(): number {
    return this.#duplicates;
  }

  /** Frames sent before the numbering all came; those that came early are handed on now. */
  begin(out: Frame[]): void {
    if (this.#begun) throw corrupt('A direction begins twice');
    this.#begun = true;
    const early = [...this.#waiting.values()].flat();
    this.#waiting.clear();
    for (const chunk of early) this.#forget(chunk);
    for (const chunk of early.toSorted((a, b) => a.offset - b.offset)) this.#place(chunk, out);
  }

  /**
   * Takes a chunk whose payload is good until the caller returns; appends the frames that are due to `out`.
   * @throws ERR_DWCP_FRAME_CORRUPT when it overlaps another, ERR_DWCP_LIMIT when it lies too far ahead
   */
  accept(chunk: Chunk, out: Frame[]): void {
    if (chunk.end > this.#base + this.#maxBytes) throw tooFar('A chunk lies too far ahead');
    if (!this.#receive(chunk)) {
      this.#duplicates++;
      return;
    }
    this.#place(chunk, out);
    this.#advance();
    if (this.#barriers.length > 0) this.#passBarriers(out);
  }

  /** Notes the chunk's bytes; false when they came before. */
  #receive({ offset, end }: Chunk): boolean {
    if (end <= this.#base) return false;
    const ranges = this.#ranges;
    const at = this.#firstEndingAfter(offset);
    const next = ranges[at];
    if (next && next.start <= offset && end <= next.end) return false;
    if (offset < this.#base || (next && next.start < end)) throw corrupt('Chunks overlap');
    const before = ranges[at - 1];
    const joinsBefore = before?.end === offset;
    const joinsNext = next?.start === end;
    if (joinsBefore && joinsNext) {
      before.end = next.end;
      ranges.splice(at, 1);
    } else if (joinsBefore) before.end = end;
    else if (joinsNext) next.start = offset;
    else if (ranges.length < maxRanges) ranges.splice(at, 0, { start: offset, end });
    else throw tooFar('Too many gaps between chunks');
    return true;
  }

  /** Index of the first range that ends after a position. */
  #firstEndingAfter(position: number): number {
    let [low, high] = [0, this.#ranges.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#ranges[middle]!.end > position) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #advance(): void {
    const first = this.#ranges[0];
    if (first?.start !== this.#base) return;
    this.#base = first.end;
    this.#ranges.shift();
  }

  /** Hands a chunk on, with those that waited for it, or lets it wait. */
  #place(chunk: Chunk, out: Frame[]): void {
    if (!this.#begun || !this.#handedOn(chunk.after)) return this.#hold(chunk);
    if (chunk.barrier && chunk.offset > this.#base) {
      this.#barriers.push(this.#kept(chunk));
      return;
    }
    const due = [chunk];
    for (let next = due.pop(); next; next = due.pop()) {
      out.push(next.frame);
      const followers = this.#waiting.get(next.end);
      if (!followers) continue;
      this.#waiting.delete(next.end);
      for (const follower of followers) this.#forget(follower);
      due.push(...followers);
    }
  }

  #passBarriers(out: Frame[]): void {
    const due = this.#barriers.filter(({ offset }) => offset <= this.#base);
    this.#barriers = this.#barriers.filter(({ offset }) => offset > this.#base);
    for (const chunk of due) {
      this.#heldBytes -= costOf(chunk);
      out.push(chunk.frame);
    }
  }

  #handedOn(position: number): boolean {
    if (position <= this.#base) return !this.#waitingEnds.has(position);
    const range = this.#ranges[this.#firstEndingAfter(position - 1)];
    return range !== undefined && range.start < position && !this.#waitingEnds.has(position);
  }

  #hold(chunk: Chunk): void {
    const held = this.#kept(chunk);
    const others = this.#waiting.get(chunk.after);
    if (others) others.push(held);
    else this.#waiting.set(chunk.after, [held]);
    this.#waitingEnds.add(chunk.end);
  }

  /** A copy to keep, as received payloads are borrowed; counted. */
  #kept(chunk: Chunk): Chunk {
    const heldBytes = this.#heldBytes + costOf(chunk);
    if (heldBytes > this.#maxBytes) throw tooFar('Too much waits for a missing chunk');
    this.#heldBytes = heldBytes;
    return { ...chunk, frame: { ...chunk.frame, payload: Buffer.from(chunk.frame.payload) } };
  }

  #forget(chunk: Chunk): void {
    this.#heldBytes -= costOf(chunk);
    this.#waitingEnds.delete(chunk.end);
  }
}

function costOf({ frame }: Chunk): number {
  return frame.payload.length + frameCostBytes;
}

function tooFar(message: string): DwcpError {
  return new DwcpError('ERR_DWCP_LIMIT', message, { detail: { limit: 'maxReorderBytes' } });
}
