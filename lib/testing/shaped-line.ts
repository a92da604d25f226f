/**
 * One direction of a shaped link: parcels wait for the line, fly for the delay, and arrive in order.
 * Departures follow a virtual clock (nextDepartMs), so late timers do not lower the rate; one timer serves
 * the whole line.
 */
import type { Clock, Timer } from '../clock.ts';
import type { Random } from '../random.ts';
import { type DirectionProfile, isHeld } from './link-profile.ts';

/** Bytes under way at once, whatever the delay; a line without a rate must be bounded too. */
const maxFlyingBytes = 32 * 1024 * 1024;
/** Most bytes that arrive in one call, so that a receiver can stop the line in time. */
const arrivalBytes = 256 * 1024;
const defaultQueueBytes = 256 * 1024;

interface Waiting<T> {
  readonly item: T;
  readonly sizeBytes: number;
  readonly moreDelayMs: number;
}

interface Flying<T> extends Waiting<T> {
  readonly dueMs: number;
}

/** What a line needs. */
export interface ShapedLineOptions<T> {
  readonly clock: Clock;
  readonly random: Random;
  /** Takes what arrives; false stops the line until `resume`. */
  readonly onArrival: (items: readonly T[]) => boolean;
  /** The queue fell below its bound after `full` was true. */
  readonly onRoom: () => void;
}

/** A first-in first-out line with delay and rate. */
export class ShapedLine<T> {
  readonly #options: ShapedLineOptions<T>;
  #profile: DirectionProfile;
  #waiting: Waiting<T>[] = [];
  #waitingBytes = 0;
  #flying: Flying<T>[] = [];
  #flyingBytes = 0;
  #nextDepartMs = 0;
  #lastDueMs = 0;
  #timer: Timer | undefined;
  #timerDueMs = 0;
  #stopped = false;
  #pumping = false;
  #wasFull = false;

  constructor(profile: DirectionProfile, options: ShapedLineOptions<T>) {
    this.#profile = profile;
    this.#options = options;
  }

  /** Bytes that have not left yet. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  get empty(): boolean {
    return this.#waiting.length === 0 && this.#flying.length === 0;
  }

  /** True when items would pass untouched: callers may skip the line. */
  get transparent(): boolean {
    const { delayMs, jitterMs, rateBytesPerSecond } = this.#profile;
    const shapes = (delayMs ?? 0) + (jitterMs ?? 0) > 0 || rateBytesPerSecond !== undefined;
    return !shapes && this.empty && !this.#stopped && !isHeld(this.#profile);
  }

  /** True when the sender should hold back; `onRoom` follows. */
  get full(): boolean {
    const full =
      this.#waitingBytes >= (this.#profile.queueBytes ?? defaultQueueBytes) ||
      this.#flyingBytes >= maxFlyingBytes;
    this.#wasFull ||= full;
    return full;
  }

  /** Changes the line; what flies keeps its due time, what waits follows the new rate. */
  setProfile(profile: DirectionProfile): void {
    this.#profile = profile;
    this.#pump();
  }

  /** Queues an item, to be followed by `run`. `moreDelayMs` is added to the delay of the profile. */
  push(item: T, sizeBytes: number, moreDelayMs = 0): void {
    if (this.#waiting.length === 0) {
      this.#nextDepartMs = Math.max(this.#nextDepartMs, this.#options.clock.monotonic());
    }
    this.#waiting.push({ item, sizeBytes, moreDelayMs });
    this.#waitingBytes += sizeBytes;
  }

  /** Moves what can move. */
  run(): void {
    this.#pump();
  }

  /** Arrivals are wanted again after `onArrival` returned false. */
  resume(): void {
    this.#stopped = false;
    this.#pump();
  }

  /** Forgets everything on the line. */
  clear(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#waiting = [];
    this.#flying = [];
    this.#waitingBytes = 0;
    this.#flyingBytes = 0;
  }

  #pump(): void {
    if (this.#pumping || isHeld(this.#profile)) return;
    this.#pumping = true;
    const now = this.#options.clock.monotonic();
    this.#depart(now);
    this.#arrive(now);
    this.#depart(now);
    this.#pumping = false;
    this.#arm();
    if (this.#wasFull && !this.full) {
      this.#wasFull = false;
      this.#options.onRoom();
    }
  }

  #depart(now: number): void {
    const { rateBytesPerSecond, delayMs = 0, jitterMs = 0 } = this.#profile;
    let taken = 0;
    while (taken < this.#waiting.length && this.#flyingBytes < maxFlyingBytes) {
      if (rateBytesPerSecond !== undefined && this.#nextDepartMs > now) break;
      const parcel = this.#waiting[taken++]!;
      let leftMs = now;
      if (rateBytesPerSecond !== undefined) {
        this.#nextDepartMs += (parcel.sizeBytes / rateBytesPerSecond) * 1000;
        leftMs = this.#nextDepartMs;
      }
      const spreadMs = jitterMs > 0 ? this.#options.random.next() * jitterMs : 0;
      const dueMs = Math.max(this.#lastDueMs, leftMs + delayMs + spreadMs + parcel.moreDelayMs);
      this.#lastDueMs = dueMs;
      this.#waitingBytes -= parcel.sizeBytes;
      this.#flyingBytes += parcel.sizeBytes;
      this.#flying.push({ ...parcel, dueMs });
    }
    if (taken > 0) this.#waiting.splice(0, taken);
  }

  #arrive(now: number): void {
    while (!this.#stopped) {
      let due = 0;
      let dueBytes = 0;
      while (due < this.#flying.length && this.#flying[due]!.dueMs <= now) {
        if (dueBytes >= arrivalBytes) break;
        dueBytes += this.#flying[due++]!.sizeBytes;
      }
      if (due === 0) return;
      const arrived = this.#flying.splice(0, due);
      this.#flyingBytes -= dueBytes;
      this.#stopped = !this.#options.onArrival(arrived.map((parcel) => parcel.item));
    }
  }

  #arm(): void {
    const departMs =
      this.#waiting.length > 0 && this.#flyingBytes < maxFlyingBytes
        ? this.#nextDepartMs
        : Infinity;
    const arriveMs = this.#stopped ? Infinity : (this.#flying[0]?.dueMs ?? Infinity);
    const dueMs = Math.min(departMs, arriveMs);
    if (this.#timer && this.#timerDueMs <= dueMs) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (dueMs === Infinity) return;
    this.#timerDueMs = dueMs;
    this.#timer = this.#options.clock.setTimer(
      () => {
        this.#timer = undefined;
        this.#pump();
      },
      Math.max(0, dueMs - this.#options.clock.monotonic()),
    );
  }
}
