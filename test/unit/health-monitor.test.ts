/** The health driver over a source of links, with the real clock where the event loop itself matters. */
import { once } from 'node:events';
import { MessageChannel } from 'node:worker_threads';
import test from 'ava';
import { systemClock } from '../../lib/clock.ts';
import type { Clock, Timer } from '../../lib/clock.ts';
import { HealthMonitor } from '../../lib/health/monitor.ts';
import type { HealthLink } from '../../lib/health/monitor.ts';

type Beating = { -readonly [K in keyof HealthLink]: HealthLink[K] };

function peer(nodeId: string, nowMs: number): Beating {
  return {
    peer: { nodeId, region: 'eu' },
    lastHeardMs: nowMs,
    pingPendingSinceMs: undefined,
    rttMs: 1,
  };
}

/** A clock moved by hand; timers run in order of their due time. */
class HandClock implements Clock {
  #nowMs = 1_000;
  #timers: { dueMs: number; fn: () => void }[] = [];
  now = (): number => this.#nowMs;
  monotonic = (): number => this.#nowMs;
  setTimer(fn: () => void, delayMs: number): Timer {
    const timer = { dueMs: this.#nowMs + delayMs, fn };
    this.#timers.push(timer);
    return {
      cancel: () => (this.#timers = this.#timers.filter((other) => other !== timer)),
      unref: () => {},
    };
  }
  /** Moves on, running timers on time. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (;;) {
      this.#timers = this.#timers.toSorted((a, b) => a.dueMs - b.dueMs);
      const [next] = this.#timers;
      if (next === undefined || next.dueMs > endMs) break;
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      this.#timers.shift();
      next.fn();
    }
    this.#nowMs = endMs;
  }
  /** Moves on without running anything: the loop is blocked. */
  block(ms: number): void {
    this.#nowMs += ms;
  }
}

test('a silent peer is suspected within three to four intervals, then dies', (t) => {
  const clock = new HandClock();
  const links = [peer('a', clock.now()), peer('b', clock.now())];
  const health = new HealthMonitor({ source: { all: () => links }, clock, intervalMs: 100 });
  const seen: string[] = [];
  for (const event of ['suspect', 'dead', 'alive'] as const) {
    health.on(event, ({ nodeId }) => seen.push(`${event} ${nodeId}`));
  }
  for (let i = 0; i < 30; i++) {
    for (const link of links) link.lastHeardMs = clock.now();
    clock.advance(100);
  }
  t.deepEqual(seen, []);
  const silentSinceMs = links[1]!.lastHeardMs;
  while (seen.length === 0) {
    links[0]!.lastHeardMs = clock.now();
    clock.advance(10);
  }
  const afterMs = clock.now() - silentSinceMs;
  t.deepEqual(seen, ['suspect b']);
  t.true(afterMs >= 300 && afterMs <= 400, `suspected after ${afterMs} ms`);
  t.false(health.isAlive('b'));
  t.is(health.status('b')?.reason, 'silent');
  for (let i = 0; i < 110; i++) {
    links[0]!.lastHeardMs = clock.now();
    clock.advance(100);
  }
  t.deepEqual(seen, ['suspect b', 'dead b']);
  links[1]!.lastHeardMs = clock.now();
  clock.advance(20);
  t.deepEqual(seen, ['suspect b', 'dead b', 'alive b']);
  health.close();
});

test('a closed link is suspected at once', (t) => {
  const clock = new HandClock();
  let links = [peer('a', clock.now())];
  let down: ((link: HealthLink) => void) | undefined;
  const source = {
    all: () => links,
    on: (event: 'up' | 'down', listener: (link: HealthLink) => void) => {
      if (event === 'down') down = listener;
    },
  };
  const health = new HealthMonitor({ source, clock });
  clock.advance(100);
  t.true(health.isAlive('a'));
  const [gone] = links;
  links = [];
  down?.(gone!);
  t.is(health.status('a')?.verdict, 'suspect');
  t.is(health.status('a')?.reason, 'down');
  health.close();
});

test('dead peers are forgotten in the end', (t) => {
  const clock = new HandClock();
  let links = [peer('a', clock.now())];
  const health = new HealthMonitor({ source: { all: () => links }, clock, forgetAfterMs: 1_000 });
  clock.advance(100);
  links = [];
  clock.advance(10_100);
  t.is(health.status('a')?.verdict, 'dead');
  clock.advance(1_200);
  t.is(health.status('a'), undefined);
  t.deepEqual(health.snapshot().peers, []);
  health.close();
});

test('a loop that is always late still judges', (t) => {
  const clock = new HandClock();
  const links = [peer('a', clock.now())];
  const health = new HealthMonitor({ source: { all: () => links }, clock, intervalMs: 100 });
  clock.advance(100);
  const silentSinceMs = clock.now();
  while (health.isAlive('a')) {
    clock.block(40);
    clock.advance(1);
    t.true(clock.now() - silentSinceMs < 5_000, 'never suspected');
  }
  t.true(health.snapshot().stalls.count > 0);
  health.close();
});

/** Blocks this process's event loop for real. */
function block(ms: number): void {
  const endMs = systemClock.monotonic() + ms;
  while (systemClock.monotonic() < endMs);
}

test('the observer blocked 300 ms, 7 times, with 20 peers: no false suspicion (naive timer: all)', async (t) => {
  const links = Array.from({ length: 20 }, (_, i) => peer(`n${i}`, systemClock.monotonic()));
  // Beats come as I/O would: handed over in the poll phase, here by a message port.
  const { port1, port2 } = new MessageChannel();
  port2.on('message', () => {
    for (const link of links) link.lastHeardMs = systemClock.monotonic();
  });
  const source = { all: () => links };
  const health = new HealthMonitor({ source, clock: systemClock, intervalMs: 50 });
  let suspicions = 0;
  let naive = 0;
  health.on('suspect', () => (suspicions += 1));
  let beats = 0;
  await new Promise<void>((resolve) => {
    const beat = setInterval(() => {
      const nowMs = systemClock.monotonic();
      naive += links.filter(({ lastHeardMs }) => nowMs - lastHeardMs > 150).length;
      port1.postMessage(0);
      beats += 1;
      // A block in the check phase: timers run before anything that came meanwhile is read.
      if (beats % 4 === 0) setImmediate(() => block(300));
      if (beats < 30) return;
      clearInterval(beat);
      resolve();
    }, 25);
  });
  t.is(suspicions, 0);
  t.true(naive >= 100, `the test must be able to fail; a naive timer would suspect ${naive}`);
  t.true(health.snapshot().stalls.totalMs > 1_000);

  // The peers really fall silent: found out although the loop was blocked meanwhile.
  const suspected = once(health, 'suspect');
  block(100);
  await suspected;
  health.close();
  port1.close();
});
