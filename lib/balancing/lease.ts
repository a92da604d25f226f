/**
 * One call on one endpoint, from pick to outcome. Exactly one of `done`, `fail` and `abandon` counts;
 * later ones are ignored, so callers may close a lease from every path.
 */
import type { Endpoint, EndpointRecord, InFlight } from './endpoint.ts';

/** What a lease needs of its picker. */
export interface LeaseOwner {
  now(): number;
  /** Takes the service time of an answered call, ms. */
  learn(serviceMs: number): void;
}

/**
 * A picked endpoint, held while the call runs. Made by `Picker.pick`; close it once.
 * @example
 * const lease = picker.pick();
 * const reply = await send(lease.endpoint);
 * lease.done(reply.ok, clock.monotonic() - lease.startMs);
 */
export class Lease implements InFlight {
  readonly startMs: number;
  /** Wait this long for an answer, ms, then call {@link late}. */
  readonly hedgeDelayMs: number;
  readonly #record: EndpointRecord;
  readonly #owner: LeaseOwner;
  #standing = false;

  constructor(record: EndpointRecord, startMs: number, hedgeDelayMs: number, owner: LeaseOwner) {
    this.#record = record;
    this.startMs = startMs;
    this.hedgeDelayMs = hedgeDelayMs;
    this.#owner = owner;
    record.leases.add(this);
  }

  get endpoint(): Endpoint {
    return this.#record.endpoint;
  }

  /** The endpoint answered after `latencyMs`; `ok` is false when the answer was a failure. */
  done(ok: boolean, latencyMs: number): void {
    if (this.#stood()) return;
    if (!this.#record.leases.delete(this)) return;
    this.#record.answered(ok, latencyMs, this.#owner.now());
    if (ok) this.#owner.learn(Math.max(0, latencyMs - this.#record.rttMs));
  }

  /**
   * The endpoint took the request after `latencyMs` and goes on with it, as with a stream. The lease lives
   * on without being overdue; close it when the stream ends.
   */
  stand(latencyMs: number): void {
    if (!this.#record.leases.has(this)) return;
    this.done(true, latencyMs);
    this.#standing = true;
    this.#record.standing += 1;
  }

  /** Ends a lease that stands; true when it did. */
  #stood(): boolean {
    if (!this.#standing) return false;
    this.#standing = false;
    this.#record.standing -= 1;
    return true;
  }

  /** The endpoint is gone or let the deadline pass. */
  fail(): void {
    if (this.#stood()) return this.#record.failed(this.#owner.now());
    if (this.#record.leases.delete(this)) this.#record.failed(this.#owner.now());
  }

  /** The caller stopped waiting: it was cancelled, or another endpoint was faster. */
  abandon(): void {
    if (this.#stood()) return;
    if (!this.#record.leases.delete(this)) return;
    const nowMs = this.#owner.now();
    this.#record.abandoned(nowMs - this.startMs, nowMs);
  }

  /**
   * Says that the answer is overdue. True when the endpoint answered nothing since this call began: it
   * counts as silent from now on and gets no new calls until it answers one.
   */
  late(): boolean {
    return this.#record.leases.has(this) && this.#record.late(this.startMs, this.#owner.now());
  }
}
