/**
 * What the balancer knows of one endpoint: shrunk EWMA latency, EWMA success, leases in flight, and
 * whether it fell silent. Pure: time comes in with every call. Evidence decays with a time constant of
 * 10 s towards the prior (round trip + the pool's mean service time), so nothing is held against an
 * endpoint for ever. Owned by `Picker`, which is the only writer.
 */

/** Health verdict on an endpoint, from membership or probes. */
export type EndpointState = 'alive' | 'suspect' | 'dead';

/** An endpoint as its owner describes it; read live at every pick, so getters fit. */
export interface Endpoint {
  readonly id: string;
  readonly region: string;
  readonly state: EndpointState;
  /** Measured round trip, ms; undefined before the first measurement. */
  readonly rttMs?: number | undefined;
  /** Monotonic ms when anything was last heard from it; undefined when nobody can tell. */
  readonly heardMs?: number | undefined;
}

const decayMs = 10_000;
const priorWeight = 10;
const weightMax = 25;
const latencyGain = 0.05;
/** One answer counts for at most this many times the estimate: a single stall must not starve. */
const outlierFactor = 4;
const successGain = 0.1;
const successMin = 0.01;
/** A stream is mostly idle: it counts for this share of a call. */
const standingShare = 1 / 16;
const trialFirstMs = 100;
const trialLastMs = 5_000;

/** Round trip assumed before any measurement, ms. */
const assumedRttMs = { sameRegion: 1, otherRegion: 100 } as const;

/** One call under way on an endpoint. */
export interface InFlight {
  readonly startMs: number;
}

/** The balancer's record of one endpoint. */
export class EndpointRecord {
  endpoint: Endpoint;
  /** Insertion order is start order, so the first is the oldest. */
  readonly leases: Set<InFlight> = new Set();
  /** Streams that were taken and live on. */
  standing = 0;
  readonly #sameRegion: boolean;
  #latencyMs = 0;
  #weight = 0;
  #success = 1;
  #updatedMs: number;
  #answeredMs = Number.NEGATIVE_INFINITY;
  #silentSinceMs: number | undefined;
  #trialDelayMs = trialFirstMs;

  constructor(endpoint: Endpoint, sameRegion: boolean, nowMs: number) {
    this.endpoint = endpoint;
    this.#sameRegion = sameRegion;
    this.#updatedMs = nowMs;
  }

  get id(): string {
    return this.endpoint.id;
  }

  get inFlight(): number {
    return this.leases.size + this.standing;
  }

  /** True from the first late, unanswered request until an answer comes. */
  get silent(): boolean {
    return this.#silentSinceMs !== undefined;
  }

  /** The round trip, measured or assumed, ms. */
  get rttMs(): number {
    const { sameRegion, otherRegion } = assumedRttMs;
    return this.endpoint.rttMs ?? (this.#sameRegion ? sameRegion : otherRegion);
  }

  /** Expected latency of one call now: the EWMA, shrunk to the prior by how much evidence is left. */
  latencyMs(nowMs: number, poolServiceMs: number): number {
    const weight = this.#weight * this.#fade(nowMs);
    const prior = this.rttMs + poolServiceMs;
    return (weight * this.#latencyMs + priorWeight * prior) / (weight + priorWeight);
  }

  /** Expected share of calls that succeed now. */
  success(nowMs: number): number {
    return Math.max(successMin, 1 - (1 - this.#success) * this.#fade(nowMs));
  }

  /**
   * What it costs to send one more call here, ms: the round trip once, the service time once per call
   * in flight, over success squared, plus how overdue the oldest unanswered call is.
   */
  cost(nowMs: number, poolServiceMs: number): number {
    const latency = this.latencyMs(nowMs, poolServiceMs);
    const rtt = Math.min(this.rttMs, latency);
    let service = Math.max(latency - rtt, 0.02);
    if (Math.abs(service / poolServiceMs - 1) <= 0.25) service = poolServiceMs;
    const success = this.success(nowMs);
    const load = this.leases.size + this.standing * standingShare + 1;
    return (rtt + service * load) / (success * success) + this.#overdue(nowMs, latency);
  }

  /** An answer came: good (feeds latency) or a failure (feeds success only). */
  answered(ok: boolean, latencyMs: number, nowMs: number): void {
    this.#answeredMs = nowMs;
    this.#silentSinceMs = undefined;
    this.#trialDelayMs = trialFirstMs;
    this.#settle(nowMs);
    this.#success += successGain * ((ok ? 1 : 0) - this.#success);
    if (ok) this.#sample(latencyMs);
  }

  /** No answer and none will come (link lost, deadline): a failure that says nothing about liveness. */
  failed(nowMs: number): void {
    this.#settle(nowMs);
    this.#success -= successGain * this.#success;
  }

  /** The caller stopped waiting after `waitedMs`: latency is at least that, success stays open. */
  abandoned(waitedMs: number, nowMs: number): void {
    this.#settle(nowMs);
    if (waitedMs > this.#latencyMs || this.#weight === 0) {
      if (waitedMs > this.rttMs) this.#sample(waitedMs);
    }
  }

  /** A call started at `startMs` is late. True when nothing was answered since: it fell silent. */
  late(startMs: number, nowMs: number): boolean {
    if (this.#answeredMs >= startMs) return false;
    if (this.#silentSinceMs !== undefined) {
      if (startMs < this.#silentSinceMs) return true;
      this.#trialDelayMs = Math.min(this.#trialDelayMs * 2, trialLastMs);
    }
    this.#silentSinceMs = nowMs;
    return true;
  }

  /** Whether a silent endpoint has earned one trial call: it was heard, and it had its pause. */
  trialDue(nowMs: number, afterMs = 0): boolean {
    if (this.#silentSinceMs === undefined || this.leases.size > 0) return false;
    const heardMs = this.endpoint.heardMs;
    if (heardMs !== undefined && heardMs <= this.#silentSinceMs) return false;
    return nowMs - this.#silentSinceMs >= Math.max(afterMs, this.#trialDelayMs);
  }

  #overdue(nowMs: number, latencyMs: number): number {
    for (const oldest of this.leases) return Math.max(0, nowMs - oldest.startMs - latencyMs);
    return 0;
  }

  #fade(nowMs: number): number {
    return Math.exp(-Math.max(0, nowMs - this.#updatedMs) / decayMs);
  }

  #settle(nowMs: number): void {
    const fade = this.#fade(nowMs);
    this.#weight *= fade;
    this.#success = 1 - (1 - this.#success) * fade;
    this.#updatedMs = nowMs;
  }

  #sample(latencyMs: number): void {
    const gain = Math.max(latencyGain, 1 / (this.#weight + 1));
    const known = this.#weight >= 1;
    const highest = known ? outlierFactor * Math.max(this.#latencyMs, this.rttMs) : latencyMs;
    this.#latencyMs += gain * (Math.min(latencyMs, highest) - this.#latencyMs);
    this.#weight = Math.min(this.#weight + 1, weightMax);
  }
}
