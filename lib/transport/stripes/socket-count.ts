/**
 * How many sockets a link should have: as many as still raise what arrives by more than a tenth. Pure: fed with one
 * sample per interval.
 *
 * Where loss holds loss-based sockets down while no queue builds, each has a rate of its own and more of them bring more; a
 * newcomer's fast start and slow decline hide that from any short comparison. So there the count doubles
 * at once, and is tried at half later. Elsewhere a step doubles it, waits until the newcomers are up to speed, and is taken
 * back when it brought less than a tenth. One bbr socket nearly fills a path and a second disturbs it for a while: it
 * is tried late, and seldom.
 */

/** What one interval saw. */
export interface FlowSample {
  /** Sockets that stand. */
  readonly sockets: number;
  /** Confirmed by the peer, bytes per second. */
  readonly bytesPerSecond: number;
  /** There was always something under way. */
  readonly backlogged: boolean;
  /** Congestion control; undefined when nobody can tell. */
  readonly congestion: string | undefined;
  /** Segments were sent again in the interval; undefined when nobody can tell. */
  readonly lossy: boolean | undefined;
  /** Round trips are much longer than the path: a queue builds. */
  readonly queueing: boolean;
}

/** Bounds of {@link SocketCount}. */
export interface SocketBounds {
  /** With bbr. */
  readonly maxPaced: number;
  /** With any other. */
  readonly max: number;
}

/** What a step must bring. */
const gain = 1.1;
/** Sockets of a loss-based algorithm to begin with. */
const firstSockets = 4;
/** Intervals between a step and its judgement. */
const settleIntervals = 2;
/** Intervals one judgement averages. */
const measureIntervals = 3;
/** Intervals without a try after a step that brought nothing, and before bbr gets a second socket. */
const restIntervals = 60;
const pacedStartIntervals = 24;
/** Loss is believed for so many intervals. */
const lossyIntervals = 4;

/** See the file header. */
export class SocketCount {
  readonly #bounds: SocketBounds;
  #wanted = 1;
  /** What is to be compared with. */
  #before: { readonly sockets: number; readonly bytesPerSecond: number } | undefined;
  #waits = 0;
  #samples: number[] = [];
  #lossyFor = 0;
  #started = false;

  constructor(bounds: SocketBounds) {
    this.#bounds = bounds;
  }

  /** How many there should be now. */
  get wanted(): number {
    return this.#wanted;
  }

  /** Takes one interval's sample; returns how many there should be. */
  next(sample: FlowSample): number {
    if (!sample.backlogged) {
      this.#samples = [];
      return this.#wanted;
    }
    const paced = sample.congestion === 'bbr';
    const max = paced ? this.#bounds.maxPaced : this.#bounds.max;
    if (!this.#started) return this.#start(paced, sample.congestion, max);
    this.#lossyFor = sample.lossy === true ? lossyIntervals : Math.max(0, this.#lossyFor - 1);
    const held = !paced && this.#lossyFor > 0 && !sample.queueing;
    if (this.#waits > 0) {
      this.#waits--;
      return this.#wanted;
    }
    if (sample.sockets < this.#wanted && held) return this.#wanted;
    if (held && this.#wanted < max && !this.#before) return this.#step(max);
    this.#samples.push(sample.bytesPerSecond);
    if (this.#samples.length < measureIntervals) return this.#wanted;
    return this.#judge(average(this.#samples.splice(0)), max);
  }

  #start(paced: boolean, congestion: string | undefined, max: number): number {
    this.#started = true;
    if (!paced && congestion !== undefined) this.#wanted = Math.min(firstSockets, max);
    this.#waits = paced ? pacedStartIntervals : settleIntervals;
    return this.#wanted;
  }

  /** Compares what was before a step with what came of it, or takes the next. */
  #judge(rate: number, max: number): number {
    const before = this.#before;
    this.#before = undefined;
    if (before && before.sockets < this.#wanted && rate < before.bytesPerSecond * gain) {
      return this.#rest(before.sockets);
    }
    if (before && before.sockets > this.#wanted) {
      // Half of them bring as much: the others were too many.
      return this.#rest(rate * gain < before.bytesPerSecond ? before.sockets : this.#wanted);
    }
    this.#before = { sockets: this.#wanted, bytesPerSecond: rate };
    if (this.#wanted < max) return this.#step(max);
    if (this.#wanted < firstSockets) return this.#rest(this.#wanted);
    this.#wanted = Math.ceil(this.#wanted / 2);
    this.#waits = settleIntervals;
    return this.#wanted;
  }

  #step(max: number): number {
    this.#wanted = Math.min(this.#wanted * 2, max);
    this.#waits = this.#wanted === max ? restIntervals / 2 : settleIntervals - 1;
    if (this.#before) this.#waits = settleIntervals;
    return this.#wanted;
  }

  #rest(sockets: number): number {
    this.#before = undefined;
    this.#wanted = sockets;
    this.#waits = restIntervals;
    return sockets;
  }
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
