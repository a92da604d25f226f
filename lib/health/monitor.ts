/**
 * The driver of the failure detectors: looks at every link of a source a few times per ping interval,
 * measures its own lateness, and judges only in a turn that is on time, so after the poll phase handed over
 * what peers had sent meanwhile. Owns one detector per peer and one timer; peers that stay dead are forgotten.
 */
import { EventEmitter } from 'node:events';
import type { Clock, Timer } from '../clock.ts';
import { Detector, defaultDetectorOptions } from './detector.ts';
import type { DetectorOptions, SuspicionReason, Verdict } from './detector.ts';
import { StallLog } from './stall-log.ts';

/** What the monitor reads of a link; `Link` of the links room fits. */
export interface HealthLink {
  readonly peer: { readonly nodeId: string; readonly region: string };
  readonly lastHeardMs: number;
  readonly pingPendingSinceMs: number | undefined;
  readonly rttMs: number | undefined;
}

/** Where links come from; `Links` of the links room fits. */
export interface HealthSource {
  all(): readonly HealthLink[];
  /** When given, a closed link is judged at once instead of at the next look. */
  on?(event: 'up' | 'down', listener: (link: HealthLink) => void): unknown;
  off?(event: 'up' | 'down', listener: (link: HealthLink) => void): unknown;
}

/** Health of one peer, a copy. */
export interface PeerHealth {
  readonly nodeId: string;
  readonly region: string;
  readonly verdict: Verdict;
  readonly reason: SuspicionReason | undefined;
  /** How long the verdict stands, ms. */
  readonly forMs: number;
  /** Silence, own stalls taken off, ms. */
  readonly silenceMs: number;
  /** Silence that would be suspect, ms. */
  readonly thresholdMs: number;
  readonly rttMs: number | undefined;
}

/** What `status()` shows of health. */
export interface HealthSnapshot {
  readonly peers: readonly PeerHealth[];
  /** Lateness of this process's own loop at the last look, ms. */
  readonly loopLagMs: number;
  /** Own stalls noted so far: number and total ms. */
  readonly stalls: { readonly count: number; readonly totalMs: number };
}

/** Events of {@link HealthMonitor}: each change of verdict. */
export interface HealthEvents {
  suspect: [peer: PeerHealth];
  alive: [peer: PeerHealth];
  dead: [peer: PeerHealth];
}

/** Options of {@link HealthMonitor}. */
export interface HealthOptions extends Partial<DetectorOptions> {
  readonly source: HealthSource;
  readonly clock: Clock;
  /** Time between looks, ms; a fifth of the ping interval by default. */
  readonly lookMs?: number;
  /** A look this much late is a stall of our own, ms. */
  readonly stallMs?: number;
  /** Dead peers are forgotten after this, ms. */
  readonly forgetAfterMs?: number;
}

interface Watched {
  readonly nodeId: string;
  region: string;
  link: HealthLink | undefined;
  readonly detector: Detector;
  sinceMs: number;
}

/**
 * Watches all peers of a source.
 * @example
 * const health = new HealthMonitor({ source: links, clock: systemClock, intervalMs: 250 });
 * health.on('suspect', ({ nodeId }) => balancer.avoid(nodeId));
 */
export class HealthMonitor extends EventEmitter<HealthEvents> {
  readonly #source: HealthSource;
  readonly #clock: Clock;
  readonly #detector: DetectorOptions;
  readonly #lookMs: number;
  readonly #stallMs: number;
  readonly #forgetAfterMs: number;
  readonly #stalls = new StallLog();
  readonly #peers = new Map<string, Watched>();
  readonly #onLink = (link: HealthLink): void => this.#linkChanged(link);
  #timer: Timer | undefined;
  #dueMs: number;
  #loopLagMs = 0;
  #postponed = false;
  #closed = false;

  constructor(options: HealthOptions) {
    super();
    const { source, clock, lookMs, stallMs, forgetAfterMs, ...detector } = options;
    this.#source = source;
    this.#clock = clock;
    this.#detector = { ...defaultDetectorOptions, ...detector };
    this.#lookMs = lookMs ?? Math.max(5, this.#detector.intervalMs / 5);
    this.#stallMs = stallMs ?? Math.max(5, this.#lookMs / 2);
    this.#forgetAfterMs = forgetAfterMs ?? 600_000;
    this.#dueMs = clock.monotonic();
    source.on?.('up', this.#onLink);
    source.on?.('down', this.#onLink);
    this.#schedule(this.#lookMs);
  }

  /** Health of one peer; undefined for one never linked, or forgotten. */
  status(nodeId: string): PeerHealth | undefined {
    const watched = this.#peers.get(nodeId);
    return watched && this.#describe(watched, this.#clock.monotonic());
  }

  /** True when new work may go to the peer. */
  isAlive(nodeId: string): boolean {
    return this.#peers.get(nodeId)?.detector.verdict === 'alive';
  }

  snapshot(): HealthSnapshot {
    const nowMs = this.#clock.monotonic();
    return {
      peers: [...this.#peers.values()].map((watched) => this.#describe(watched, nowMs)),
      loopLagMs: this.#loopLagMs,
      stalls: { count: this.#stalls.count, totalMs: this.#stalls.totalMs },
    };
  }

  /** Stops looking. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#source.off?.('up', this.#onLink);
    this.#source.off?.('down', this.#onLink);
  }

  #schedule(delayMs: number): void {
    if (this.#closed) return;
    this.#timer?.cancel();
    this.#dueMs = this.#clock.monotonic() + delayMs;
    this.#timer = this.#clock.setTimer(() => this.#look(), delayMs);
    this.#timer.unref();
  }

  #look(): void {
    const nowMs = this.#clock.monotonic();
    const late = this.#noteStall(nowMs);
    if (late && !this.#postponed) {
      // The poll phase runs before the next timer does, and reads what peers sent during the stall.
      // Only once in a row: a loop that is always late must still judge, if slower.
      this.#postponed = true;
      return this.#schedule(1);
    }
    this.#postponed = false;
    this.#gather();
    for (const watched of this.#peers.values()) this.#judge(watched, nowMs);
    this.#schedule(this.#lookMs);
  }

  /** Takes time past the due moment as a stall of our own; true when it is long enough to matter. */
  #noteStall(nowMs: number): boolean {
    this.#loopLagMs = Math.max(0, nowMs - this.#dueMs);
    if (this.#loopLagMs < this.#stallMs) return false;
    this.#stalls.add(this.#dueMs, nowMs);
    this.#dueMs = nowMs;
    return true;
  }

  #gather(): void {
    for (const watched of this.#peers.values()) watched.link = undefined;
    for (const link of this.#source.all()) this.#watch(link).link = link;
  }

  #watch(link: HealthLink): Watched {
    const { nodeId, region } = link.peer;
    let watched = this.#peers.get(nodeId);
    if (watched === undefined) {
      const runningMs = (fromMs: number, toMs: number): number =>
        this.#stalls.runningMs(fromMs, toMs);
      watched = {
        nodeId,
        region,
        link,
        detector: new Detector(link.lastHeardMs, runningMs, this.#detector),
        sinceMs: this.#clock.monotonic(),
      };
      this.#peers.set(nodeId, watched);
    }
    watched.region = region;
    return watched;
  }

  /** A link opened or closed: evidence that needs no silence to be believed. */
  #linkChanged(link: HealthLink): void {
    const nowMs = this.#clock.monotonic();
    this.#noteStall(nowMs);
    const watched = this.#watch(link);
    watched.link = this.#source.all().find(({ peer }) => peer.nodeId === watched.nodeId);
    this.#judge(watched, nowMs);
  }

  #judge(watched: Watched, nowMs: number): void {
    const before = watched.detector.verdict;
    const { link } = watched;
    const verdict = watched.detector.judge({
      nowMs,
      lastHeardMs: link?.lastHeardMs,
      pingPendingSinceMs: link?.pingPendingSinceMs,
      rttMs: link?.rttMs,
    });
    if (verdict !== before) {
      watched.sinceMs = nowMs;
      this.emit(verdict, this.#describe(watched, nowMs));
    } else if (verdict === 'dead' && nowMs - watched.sinceMs > this.#forgetAfterMs) {
      this.#peers.delete(watched.nodeId);
    }
  }

  #describe(watched: Watched, nowMs: number): PeerHealth {
    const { nodeId, region, detector, link } = watched;
    return {
      nodeId,
      region,
      verdict: detector.verdict,
      reason: detector.reason,
      forMs: nowMs - watched.sinceMs,
      silenceMs: detector.silenceMs,
      thresholdMs: detector.thresholdMs,
      rttMs: link?.rttMs,
    };
  }
}
