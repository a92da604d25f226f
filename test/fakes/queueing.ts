/**
 * A discrete-event simulation of servers with slots and FIFO queues under Poisson load, driven by the
 * shipped picker or by a reference policy. Virtual time, one seed per run.
 */
import { Picker } from '../../lib/balancing/index.ts';
import type { Clock } from '../../lib/clock.ts';
import { seededRandom, type Random } from '../../lib/random.ts';

/** One request's way out of a policy: where it goes and whom to tell when it ends. */
export interface Choice {
  readonly server: number;
  readonly done: (ok: boolean, latencyMs: number) => void;
}

/** A client-side policy; `queues` shows true queue lengths to omniscient ones only. */
export type Policy = (queues: readonly number[]) => Choice;

export interface SimulationOptions {
  readonly seed: number;
  readonly clients: number;
  readonly durationMs: number;
  readonly load?: number;
  readonly serviceMs: (random: Random) => number;
  /** Factor on the service time of each server at a time, or 'fail' for a failure after 1 ms. */
  readonly fault: (server: number, nowMs: number) => number | 'fail';
  /** How long a server stands still from now on, ms. */
  readonly pauseMs?: (server: number, nowMs: number) => number;
  readonly policy: 'picker' | 'jsq' | 'least-connections' | 'p2c';
}

export interface SimulationResult {
  readonly p50: number;
  readonly p99: number;
  readonly errorShare: number;
  /** Requests per server after warm-up. */
  readonly served: readonly number[];
}

export const servers = 20;
const slots = 4;
const meanMs = 10;
const warmUpMs = 2_000;

/** Lognormal of mean 10 ms and sigma 1. */
export function lognormal(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random.next()));
  const normal = radius * Math.cos(2 * Math.PI * random.next());
  return Math.exp(Math.log(meanMs) - 0.5 + normal);
}

/** Pareto of mean 10 ms and shape 1.5, cut at 10 s. */
export function pareto(random: Random): number {
  return Math.min(10_000, (meanMs / 3) * (1 - random.next()) ** (-1 / 1.5));
}

interface Event {
  readonly atMs: number;
  readonly run: () => void;
}

/** A binary heap of events by time. */
class Agenda {
  readonly #heap: Event[] = [];

  push(event: Event): void {
    const heap = this.#heap;
    let i = heap.push(event) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (heap[parent]!.atMs <= event.atMs) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = event;
  }

  pop(): Event | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (!last || heap.length === 0) return top;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.atMs < heap[child]!.atMs) child += 1;
      if (heap[child]!.atMs >= last.atMs) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
    return top;
  }
}

interface Job {
  readonly startMs: number;
  readonly serviceMs: number;
  readonly choice: Choice;
  readonly ok: boolean;
}

/** Runs one simulation. */
export function simulate(options: SimulationOptions): SimulationResult {
  const random = seededRandom(options.seed);
  const agenda = new Agenda();
  let nowMs = 0;
  const queues = Array.from({ length: servers }, (): Job[] => []);
  const busy = Array.from({ length: servers }, () => 0);
  const lengths = Array.from({ length: servers }, () => 0);
  const policies = Array.from({ length: options.clients }, () =>
    makePolicy(options.policy, random, () => nowMs),
  );
  const latencies: number[] = [];
  const served = Array.from({ length: servers }, () => 0);
  let errors = 0;
  const startNext = (server: number): void => {
    const job = queues[server]!.shift();
    if (!job) return;
    busy[server]! += 1;
    const pauseMs = options.pauseMs?.(server, nowMs) ?? 0;
    agenda.push({ atMs: nowMs + pauseMs + job.serviceMs, run: () => finish(server, job) });
  };
  const finish = (server: number, job: Job): void => {
    busy[server]! -= 1;
    lengths[server]! -= 1;
    const latencyMs = nowMs - job.startMs;
    job.choice.done(job.ok, latencyMs);
    if (job.startMs > warmUpMs) {
      served[server]! += 1;
      if (job.ok) latencies.push(latencyMs);
      else errors += 1;
    }
    startNext(server);
  };
  const meanGapMs = meanMs / (servers * slots * (options.load ?? 0.7));
  const arrive = (): void => {
    const choice = policies[Math.floor(random.next() * policies.length)]!(lengths);
    const fault = options.fault(choice.server, nowMs);
    const serviceMs = fault === 'fail' ? 1 : options.serviceMs(random) * fault;
    queues[choice.server]!.push({ startMs: nowMs, serviceMs, choice, ok: fault !== 'fail' });
    lengths[choice.server]! += 1;
    if (busy[choice.server]! < slots) startNext(choice.server);
    const gapMs = -Math.log(1 - random.next()) * meanGapMs;
    if (nowMs + gapMs < options.durationMs) agenda.push({ atMs: nowMs + gapMs, run: arrive });
  };
  agenda.push({ atMs: 0, run: arrive });
  for (let event = agenda.pop(); event; event = agenda.pop()) {
    nowMs = event.atMs;
    event.run();
  }
  latencies.sort((a, b) => a - b);
  const at = (q: number): number => latencies[Math.floor(q * (latencies.length - 1))] ?? 0;
  const errorShare = errors / (errors + latencies.length);
  return { p50: at(0.5), p99: at(0.99), errorShare, served };
}

function makePolicy(name: SimulationOptions['policy'], random: Random, now: () => number): Policy {
  if (name === 'picker') return pickerPolicy(random, now);
  const inFlight = Array.from({ length: servers }, () => 0);
  const any = (): number => Math.floor(random.next() * servers);
  const least = (loads: readonly number[]): number => {
    const offset = any();
    let best = offset;
    for (let i = 0; i < servers; i += 1) {
      const server = (i + offset) % servers;
      if (loads[server]! < loads[best]!) best = server;
    }
    return best;
  };
  const twoChoices = (): number => {
    const a = any();
    const b = (a + 1 + Math.floor(random.next() * (servers - 1))) % servers;
    return inFlight[b]! < inFlight[a]! ? b : a;
  };
  return (queues) => {
    const server = name === 'jsq' ? least(queues) : name === 'p2c' ? twoChoices() : least(inFlight);
    inFlight[server]! += 1;
    return { server, done: () => (inFlight[server]! -= 1) };
  };
}

function pickerPolicy(random: Random, now: () => number): Policy {
  const clock: Clock = {
    now,
    monotonic: now,
    setTimer: () => ({ cancel: () => {}, unref: () => {} }),
  };
  const picker = new Picker({ clock, random, region: 'one' });
  for (let i = 0; i < servers; i += 1) {
    picker.add({ id: String(i), region: 'one', state: 'alive', rttMs: 0.2 });
  }
  return () => {
    const lease = picker.pick()!;
    return {
      server: Number(lease.endpoint.id),
      done: (ok, latencyMs) => lease.done(ok, latencyMs + 0.2),
    };
  };
}
