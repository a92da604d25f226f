/**
 * What one session knows of one namespace: what the peer has, and which keys it still needs. The unit
 * is the key, not the version: a key that changes again while it waits is sent once, as it then is.
 * Every wait is a `Job`; jobs move dirty -> preparing -> in flight -> done, and come back when the peer
 * could not take an update. Bounded: past `MAX_DIRTY` keys the list is dropped and the dot index is
 * scanned again when there is room.
 */
import { VersionVector } from '../conflict/index.ts';
import type { Dot } from '../conflict/index.ts';
import { Fifo } from './fifo.ts';
import { dotName } from './key-record.ts';

/** Keys that may wait for one peer and namespace. */
export const MAX_DIRTY = 65_536;

/** One key on its way to the peer. */
export interface Job {
  readonly key: string;
  /** Send whole values: a base was missing at the peer. */
  whole: boolean;
  /** Updates sent and not answered. */
  pending: number;
  /** A large value is in flight: its successor waits to be a delta against it. */
  large: boolean;
  state: 'dirty' | 'preparing' | 'inFlight' | 'delayed';
  /** How often it was put off. */
  retries: number;
  /** Monotonic ms before which it is not tried again. */
  notBeforeMs: number;
}

/** An update sent and not answered. */
export interface InFlight {
  readonly job: Job;
  readonly dot: Dot;
  readonly sizeBytes: number;
  readonly sentMs: number;
}

/** Progress of bringing the peer up to a snapshot of what is here. */
export type Scan =
  | { readonly state: 'none' }
  /** Keys of lacking dots are being listed, then sent. */
  | { readonly state: 'running' | 'listed'; readonly snapshot: VersionVector }
  | { readonly state: 'done' };

/** State of one namespace in a session. */
export class SessionNamespace {
  readonly ns: number;
  readonly name: string;
  readonly fingerprint: string;
  /** The peer's id of the namespace, once it has declared it. */
  peerNs: number | undefined;
  /** True when updates may be sent: both have it, policies agree, the peer may read. */
  open = false;
  /** True when the peer may write. */
  writable = false;
  /** Dots whose effect the peer is known to have. */
  known: VersionVector = new VersionVector();
  scan: Scan = { state: 'none' };
  /** The dirty list overflowed: scan again. */
  overflowed = false;
  /** Jobs the running scan waits for before the peer is up to its snapshot. */
  readonly awaited: Set<Job> = new Set();
  readonly inFlight: Map<string, InFlight> = new Map();
  /** What was here one and two exchanges ago: by now the peer should have said that it has it. */
  recently: VersionVector = new VersionVector();
  before: VersionVector = new VersionVector();
  /** What the peer was last told. */
  told: VersionVector = new VersionVector();
  readonly #dirty = new Map<string, Job>();
  /** The dirty jobs, each once, in their order. */
  readonly #queue = new Fifo<Job>();
  /** Waiting for an earlier job of the same key. */
  readonly #parked = new Map<string, Job>();
  readonly #delayed = new Set<Job>();
  /** Preparing or in flight, by key. */
  readonly #active = new Map<string, Job[]>();

  constructor(ns: number, name: string, fingerprint: string) {
    this.ns = ns;
    this.name = name;
    this.fingerprint = fingerprint;
  }

  /** Keys waiting. */
  get waiting(): number {
    return this.#dirty.size + this.#parked.size + this.#delayed.size;
  }

  /** True when nothing waits and nothing is under way. */
  get idle(): boolean {
    return this.waiting === 0 && this.#active.size === 0;
  }

  /** Marks a key as needed by the peer. */
  add(key: string): Job | undefined {
    const waiting = this.#dirty.get(key) ?? this.#parked.get(key);
    if (waiting) return waiting;
    if (this.waiting >= MAX_DIRTY) {
      this.#overflow();
      return undefined;
    }
    const job: Job = {
      key,
      whole: false,
      pending: 0,
      large: false,
      state: 'dirty',
      retries: 0,
      notBeforeMs: 0,
    };
    this.#enqueue(job);
    return job;
  }

  /** The next key to prepare; those that must wait for an earlier job of theirs are passed over. */
  take(): Job | undefined {
    for (let job = this.#queue.shift(); job; job = this.#queue.shift()) {
      const { key } = job;
      this.#dirty.delete(key);
      if (this.#mustWait(key)) {
        this.#parked.set(key, job);
        continue;
      }
      job.state = 'preparing';
      const active = this.#active.get(key);
      if (active) active.push(job);
      else this.#active.set(key, [job]);
      return job;
    }
    return undefined;
  }

  /** An update of the job was sent. */
  sent(job: Job, dot: Dot, sizeBytes: number, sentMs: number): void {
    job.state = 'inFlight';
    job.pending++;
    this.inFlight.set(dotName(dot), { job, dot, sizeBytes, sentMs });
  }

  /** Nothing more will come of the job. */
  finish(job: Job): void {
    this.awaited.delete(job);
    this.#leave(job);
  }

  /** Forgets all jobs: the peer takes nothing. */
  clear(): void {
    this.#dirty.clear();
    this.#queue.clear();
    this.#parked.clear();
    this.#delayed.clear();
    this.#active.clear();
    this.inFlight.clear();
    this.awaited.clear();
  }

  /** The job waits until `notBeforeMs` and is tried again. */
  retry(job: Job, notBeforeMs: number): void {
    this.#leave(job);
    const waiting = this.#dirty.get(job.key) ?? this.#parked.get(job.key);
    if (waiting) {
      waiting.whole ||= job.whole;
      if (this.awaited.delete(job)) this.awaited.add(waiting);
      return;
    }
    job.pending = 0;
    job.large = false;
    job.notBeforeMs = notBeforeMs;
    job.state = notBeforeMs > 0 ? 'delayed' : 'dirty';
    if (notBeforeMs > 0) this.#delayed.add(job);
    else this.#enqueue(job);
  }

  /** Makes delayed jobs that are due dirty again. */
  wake(nowMs: number): void {
    for (const job of this.#delayed) {
      if (job.notBeforeMs > nowMs) continue;
      this.#delayed.delete(job);
      this.retry(job, 0);
    }
  }

  /** All jobs that are not done. */
  *jobs(): Generator<Job> {
    yield* this.#dirty.values();
    yield* this.#parked.values();
    yield* this.#delayed;
    for (const active of this.#active.values()) yield* active;
  }

  #mustWait(key: string): boolean {
    const active = this.#active.get(key);
    if (!active) return false;
    return active.some((job) => job.state === 'preparing' || job.large);
  }

  #enqueue(job: Job): void {
    this.#dirty.set(job.key, job);
    this.#queue.push(job);
  }

  #leave(job: Job): void {
    const active = this.#active.get(job.key)?.filter((each) => each !== job);
    if (active && active.length > 0) this.#active.set(job.key, active);
    else this.#active.delete(job.key);
    const parked = this.#parked.get(job.key);
    if (!parked || this.#mustWait(job.key)) return;
    this.#parked.delete(job.key);
    this.#enqueue(parked);
  }

  #overflow(): void {
    this.overflowed = true;
    this.#dirty.clear();
    this.#queue.clear();
    this.#parked.clear();
    this.#delayed.clear();
    this.awaited.clear();
    if (this.scan.state !== 'done') this.scan = { state: 'none' };
  }
}
