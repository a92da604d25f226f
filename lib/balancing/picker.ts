/**
 * The adaptive picker: full scan of a cost per endpoint (5 distinct draws beyond 48 endpoints), 1 %
 * exploration within the nearest region, rendezvous affinity for keys, and silence: an endpoint with a
 * late, unanswered request gets no new calls until it answers a trial. Suspect and silent endpoints are
 * used only when nothing else is left. A pure state machine: endpoints are handed in, time and
 * randomness are arguments, and it does no I/O.
 */
import type { Clock } from '../clock.ts';
import type { Random } from '../random.ts';
import { rendezvous } from './affinity.ts';
import { EndpointRecord, type Endpoint } from './endpoint.ts';
import { ServiceTimes } from './hedge.ts';
import { Lease, type LeaseOwner } from './lease.ts';

/** Options of {@link Picker}. */
export interface PickerOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** The caller's own region: endpoints there count as near until measured. */
  readonly region: string;
  /** Share of picks that ignore cost so that no endpoint starves; 0.01 by default. */
  readonly exploration?: number | undefined;
}

/** Options of one pick. */
export interface PickOptions {
  /** Endpoints tried already; never returned. */
  readonly exclude?: ReadonlySet<string> | undefined;
  /** Affinity key: the same key goes to the same near, healthy endpoint. */
  readonly key?: string | undefined;
  /** How long an endpoint must have been silent before this call may be its trial, ms; 0 by default. */
  readonly trialAfterMs?: number | undefined;
}

/** One endpoint for `stats()`. */
export interface EndpointStats {
  readonly id: string;
  readonly region: string;
  readonly state: Endpoint['state'];
  readonly silent: boolean;
  readonly inFlight: number;
  readonly rttMs: number;
  readonly latencyMs: number;
  readonly success: number;
  readonly cost: number;
}

const scanMax = 48;
const draws = 5;
const poolGain = 0.02;
const poolServiceMinMs = 0.1;

/**
 * Picks the endpoint that will answer soonest.
 * @example
 * const picker = new Picker({ clock: systemClock, random: systemRandom, region: 'eu' });
 * picker.add({ id: 'a', region: 'eu', state: 'alive' });
 * const lease = picker.pick();
 * lease?.done(true, 12);
 */
export class Picker {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #region: string;
  readonly #exploration: number;
  readonly #records = new Map<string, EndpointRecord>();
  readonly #times = new ServiceTimes();
  readonly #owner: LeaseOwner = {
    now: () => this.#clock.monotonic(),
    learn: (serviceMs) => this.#learn(serviceMs),
  };
  #poolServiceMs = 1;

  constructor(options: PickerOptions) {
    this.#clock = options.clock;
    this.#random = options.random;
    this.#region = options.region;
    this.#exploration = options.exploration ?? 0.01;
  }

  /** Adds an endpoint, or replaces the description of a known one and keeps what was learnt. */
  add(endpoint: Endpoint): void {
    const known = this.#records.get(endpoint.id);
    if (known) known.endpoint = endpoint;
    else {
      const near = endpoint.region === this.#region;
      const record = new EndpointRecord(endpoint, near, this.#clock.monotonic());
      this.#records.set(endpoint.id, record);
    }
  }

  /** Forgets an endpoint; its leases may still be closed. */
  remove(id: string): void {
    this.#records.delete(id);
  }

  has(id: string): boolean {
    return this.#records.has(id);
  }

  get size(): number {
    return this.#records.size;
  }

  /** Leases an endpoint; undefined when every one is dead or excluded. */
  pick(options: PickOptions = {}): Lease | undefined {
    const nowMs = this.#clock.monotonic();
    const healthy: EndpointRecord[] = [];
    const doubtful: EndpointRecord[] = [];
    for (const record of this.#records.values()) {
      const { state } = record.endpoint;
      if (state === 'dead' || options.exclude?.has(record.id)) continue;
      if (state === 'suspect') doubtful.push(record);
      else if (!record.silent) healthy.push(record);
      else if (record.trialDue(nowMs, options.trialAfterMs)) return this.#lease(record, nowMs);
      else doubtful.push(record);
    }
    const candidates = healthy.length > 0 ? healthy : doubtful;
    const record = this.#choose(candidates, options.key, nowMs);
    return record && this.#lease(record, nowMs);
  }

  /** How long after sending to `id` an answer counts as late, ms. */
  hedgeDelayMs(id: string): number {
    return (this.#records.get(id)?.rttMs ?? 0) + this.#times.hedgeDelayMs;
  }

  /** A snapshot of every endpoint. */
  stats(): EndpointStats[] {
    const nowMs = this.#clock.monotonic();
    return [...this.#records.values()].map((record) => ({
      id: record.id,
      region: record.endpoint.region,
      state: record.endpoint.state,
      silent: record.silent,
      inFlight: record.inFlight,
      rttMs: record.rttMs,
      latencyMs: record.latencyMs(nowMs, this.#poolServiceMs),
      success: record.success(nowMs),
      cost: record.cost(nowMs, this.#poolServiceMs),
    }));
  }

  #lease(record: EndpointRecord, nowMs: number): Lease {
    return new Lease(record, nowMs, this.#times.hedgeDelayMs + record.rttMs, this.#owner);
  }

  #learn(serviceMs: number): void {
    this.#times.record(serviceMs);
    const next = this.#poolServiceMs + poolGain * (serviceMs - this.#poolServiceMs);
    this.#poolServiceMs = Math.max(poolServiceMinMs, next);
  }

  #choose(
    candidates: EndpointRecord[],
    key: string | undefined,
    nowMs: number,
  ): EndpointRecord | undefined {
    if (candidates.length <= 1) return candidates[0];
    if (key !== undefined) return rendezvous(key, this.#nearest(candidates));
    if (this.#random.next() < this.#exploration) return this.#draw(this.#nearest(candidates));
    if (candidates.length > scanMax) return this.#cheapest(this.#sample(candidates), nowMs);
    return this.#cheapest(candidates, nowMs);
  }

  #cheapest(candidates: readonly EndpointRecord[], nowMs: number): EndpointRecord | undefined {
    const offset = Math.floor(this.#random.next() * candidates.length);
    let best: EndpointRecord | undefined;
    let bestCost = Number.POSITIVE_INFINITY;
    for (let i = 0; i < candidates.length; i += 1) {
      const record = candidates[(i + offset) % candidates.length]!;
      const cost = record.cost(nowMs, this.#poolServiceMs);
      if (cost < bestCost) [best, bestCost] = [record, cost];
    }
    return best;
  }

  /** The endpoints of the caller's region, or else of the region with the shortest round trip. */
  #nearest(candidates: EndpointRecord[]): EndpointRecord[] {
    let region = this.#region;
    if (!candidates.some((record) => record.endpoint.region === region)) {
      const nearest = candidates.reduce((a, b) => (b.rttMs < a.rttMs ? b : a));
      region = nearest.endpoint.region;
    }
    return candidates.filter((record) => record.endpoint.region === region);
  }

  #draw(candidates: readonly EndpointRecord[]): EndpointRecord | undefined {
    return candidates[Math.floor(this.#random.next() * candidates.length)];
  }

  /** 5 distinct draws from the nearest region and 2 from everywhere (partial Fisher-Yates). */
  #sample(candidates: EndpointRecord[]): EndpointRecord[] {
    const near = this.#nearest(candidates);
    return [...this.#distinct(near, draws), ...this.#distinct(candidates, 2)];
  }

  #distinct(pool: EndpointRecord[], count: number): EndpointRecord[] {
    const drawn = Math.min(count, pool.length);
    for (let i = 0; i < drawn; i += 1) {
      const j = i + Math.floor(this.#random.next() * (pool.length - i));
      [pool[i], pool[j]] = [pool[j]!, pool[i]!];
    }
    return pool.slice(0, drawn);
  }
}
