/**
 * The way to one service: a picker over the live nodes that announced it, the attempts waiting on each
 * of them (so that all can be rescued when one falls silent), and the calls waiting for a node to come.
 */
import { Picker, type Endpoint, type EndpointState } from '../balancing/index.ts';
import type { Clock } from '../clock.ts';
import type { Link } from '../links/link.ts';
import type { Random } from '../random.ts';
import type { Directory } from './directory.ts';
import type { HealthView, NodeRef } from './types.ts';

/** What a route needs. */
export interface RouteOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly self: NodeRef;
  readonly directory: Directory;
  readonly health: HealthView | undefined;
}

/** Somebody to tell about an endpoint. */
export interface Waiter {
  /** The endpoint an attempt waits on fell silent. */
  rescue(nodeId: string): void;
  /** Endpoints came. */
  wake(): void;
}

/** A ping unanswered for longer than this beyond two round trips makes a node suspect, ms. */
const pingGraceMs = 50;

/** The smoothed round trip counts for at most this many times the lowest one seen. */
const rttOutlierFactor = 4;

/** A linked node as the picker sees it; every property is read live. */
class LinkEndpoint implements Endpoint {
  readonly link: Link;
  readonly #options: RouteOptions;
  #lowestRttMs = Number.POSITIVE_INFINITY;

  constructor(link: Link, options: RouteOptions) {
    this.link = link;
    this.#options = options;
  }

  get id(): string {
    return this.link.peer.nodeId;
  }

  get region(): string {
    return this.link.peer.region;
  }

  /** A ping that a frozen process answers late must not make it look far away for seconds. */
  get rttMs(): number | undefined {
    const { rttMs } = this.link;
    if (rttMs === undefined) return undefined;
    this.#lowestRttMs = Math.min(this.#lowestRttMs, rttMs);
    return Math.min(rttMs, rttOutlierFactor * this.#lowestRttMs);
  }

  get heardMs(): number {
    return this.link.lastHeardMs;
  }

  get state(): EndpointState {
    const verdict = this.#options.health?.state(this.id) ?? 'alive';
    const pendingSinceMs = this.link.pingPendingSinceMs;
    if (verdict !== 'alive' || pendingSinceMs === undefined) return verdict;
    const waitedMs = this.#options.clock.monotonic() - pendingSinceMs;
    return waitedMs > 2 * (this.link.rttMs ?? 0) + pingGraceMs ? 'suspect' : 'alive';
  }
}

/** The route to one service. */
export class Route {
  readonly service: string;
  readonly picker: Picker;
  /** Calls that no endpoint can take now. */
  readonly waiting: Set<Waiter> = new Set();
  readonly #options: RouteOptions;
  readonly #attempts = new Map<string, Set<Waiter>>();
  #calls = 0;

  constructor(service: string, options: RouteOptions, servedHere: boolean) {
    this.service = service;
    this.#options = options;
    const { clock, random, self } = options;
    this.picker = new Picker({ clock, random, region: self.region });
    for (const link of options.directory.serving(service)) this.#add(link);
    this.own(servedHere);
  }

  /** True when no call uses the route and no node serves it. */
  get unused(): boolean {
    return this.#calls === 0 && this.picker.size === 0;
  }

  hold(): void {
    this.#calls += 1;
  }

  release(): void {
    this.#calls -= 1;
  }

  /** This node began or stopped to serve the service. */
  own(served: boolean): void {
    const { nodeId, region } = this.#options.self;
    if (!served) return this.picker.remove(nodeId);
    this.picker.add({ id: nodeId, region, state: 'alive', rttMs: 0 });
    this.#wake();
  }

  /** A peer's link or announcement changed. */
  changed(nodeId: string): void {
    const link = this.#options.directory.linkFor(nodeId, this.service);
    if (link) {
      this.#add(link);
      this.#wake();
    } else if (nodeId !== this.#options.self.nodeId) this.picker.remove(nodeId);
  }

  /** An attempt of `waiter` begins to wait on a node. */
  enter(nodeId: string, waiter: Waiter): void {
    const waiters = this.#attempts.get(nodeId);
    if (waiters) waiters.add(waiter);
    else this.#attempts.set(nodeId, new Set([waiter]));
  }

  leave(nodeId: string, waiter: Waiter): void {
    const waiters = this.#attempts.get(nodeId);
    waiters?.delete(waiter);
    if (waiters?.size === 0) this.#attempts.delete(nodeId);
  }

  /** A node fell silent: everything that waits on it moves on now. */
  silent(nodeId: string): void {
    for (const waiter of Array.from(this.#attempts.get(nodeId) ?? [])) waiter.rescue(nodeId);
  }

  #add(link: Link): void {
    this.picker.add(new LinkEndpoint(link, this.#options));
  }

  #wake(): void {
    for (const waiter of Array.from(this.waiting)) waiter.wake();
  }
}
