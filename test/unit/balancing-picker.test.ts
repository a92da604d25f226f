/** The picker, endpoint by endpoint, on a simulated clock. */
import test from 'ava';
import {
  Budget,
  Picker,
  ServiceTimes,
  rendezvous,
  type Endpoint,
  type Lease,
} from '../../lib/balancing/index.ts';
import { seededRandom } from '../../lib/random.ts';
import { SimulatedClock } from '../../lib/testing/index.ts';

const seed = 11;
const near: Endpoint = { id: 'near', region: 'eu', state: 'alive', rttMs: 1 };
const far: Endpoint = { id: 'far', region: 'us', state: 'alive', rttMs: 80 };

interface World {
  readonly clock: SimulatedClock;
  readonly picker: Picker;
}

function world(endpoints: readonly Endpoint[], exploration = 0): World {
  const clock = new SimulatedClock();
  const picker = new Picker({ clock, random: seededRandom(seed), region: 'eu', exploration });
  for (const endpoint of endpoints) picker.add(endpoint);
  return { clock, picker };
}

/** The hedge delay after 200 samples. */
function hedgeDelayAfter(sample: () => number): number {
  const times = new ServiceTimes();
  for (let i = 0; i < 200; i += 1) times.record(sample());
  return times.hedgeDelayMs;
}

function take(picker: Picker, exclude?: readonly string[]): Lease {
  const lease = picker.pick({ exclude: new Set(exclude) });
  if (!lease) throw new Error('no endpoint');
  return lease;
}

test('the nearest is picked; an unmeasured endpoint of the own region counts as near', (t) => {
  t.is(take(world([near, far]).picker).endpoint.id, 'near');
  const unmeasured = { id: 'new', region: 'eu', state: 'alive' } as const;
  t.is(take(world([unmeasured, far]).picker).endpoint.id, 'new');
});

test('excluded and dead endpoints are never returned; suspects only when nothing else is left', (t) => {
  const suspect: Endpoint = { ...near, id: 'suspect', state: 'suspect' };
  const dead: Endpoint = { ...near, id: 'dead', state: 'dead' };
  const { picker } = world([suspect, dead, far]);
  t.is(take(picker).endpoint.id, 'far');
  t.is(take(picker, ['far']).endpoint.id, 'suspect');
  t.is(picker.pick({ exclude: new Set(['far', 'suspect']) }), undefined);
});

test('load spills to the next endpoint when the nearest queues longer than the way there', (t) => {
  const { picker } = world([near, { ...near, id: 'other', rttMs: 5 }]);
  const picks = Array.from({ length: 20 }, () => take(picker).endpoint.id);
  t.is(picks[0], 'near');
  t.true(picks.includes('other'));
});

test('an overdue call adds its age to the cost before any reply came', async (t) => {
  const { clock, picker } = world([near, { ...near, id: 'other', rttMs: 20 }]);
  take(picker);
  await clock.advance(15);
  t.is(take(picker).endpoint.id, 'near');
  await clock.advance(15);
  t.is(take(picker).endpoint.id, 'other');
});

test('failures raise the cost even when they are fast, and fade with time', async (t) => {
  const { clock, picker } = world([near, { ...near, id: 'other', rttMs: 2 }]);
  for (let i = 0; i < 20; i += 1) {
    const lease = take(picker, ['other']);
    lease.done(false, 0.5);
  }
  t.is(take(picker).endpoint.id, 'other');
  const [stats] = picker.stats();
  t.true(stats!.success < 0.2);
  t.true(Math.abs(stats!.latencyMs - 2) < 0.1, 'failed calls do not feed the latency');
  await clock.advance(60_000);
  t.is(take(picker).endpoint.id, 'near');
});

test('a late, unanswered call makes its endpoint silent until it answers', async (t) => {
  const { clock, picker } = world([near, far]);
  const lease = take(picker);
  t.is(lease.hedgeDelayMs, 31);
  await clock.advance(31);
  t.true(lease.late());
  t.is(take(picker).endpoint.id, 'far');
  lease.done(true, 40);
  t.is(take(picker).endpoint.id, 'near');
});

test('a call that is late while others were answered is a tail, not silence', async (t) => {
  const { clock, picker } = world([near, far]);
  const slow = take(picker);
  await clock.advance(10);
  take(picker).done(true, 1);
  await clock.advance(21);
  t.false(slow.late());
  t.is(take(picker, ['far']).endpoint.id, 'near');
});

test('a silent endpoint gets one trial after a pause, and only once it was heard again', async (t) => {
  let heardMs = 0;
  const watched: Endpoint = {
    ...near,
    get heardMs() {
      return heardMs;
    },
  };
  const { clock, picker } = world([watched, far]);
  const first = take(picker);
  await clock.advance(31);
  first.late();
  first.abandon();
  await clock.advance(200);
  t.is(take(picker).endpoint.id, 'far', 'not heard yet');
  heardMs = clock.monotonic();
  t.is(picker.pick({ trialAfterMs: 1_000 })?.endpoint.id, 'far', 'too early for this call');
  const trial = take(picker);
  t.is(trial.endpoint.id, 'near');
  t.is(take(picker).endpoint.id, 'far', 'one trial at a time');
  await clock.advance(31);
  trial.late();
  trial.abandon();
  heardMs = clock.monotonic() + 1;
  await clock.advance(150);
  t.is(take(picker).endpoint.id, 'far', 'the pause doubled');
  await clock.advance(60);
  const second = take(picker);
  t.is(second.endpoint.id, 'near');
  second.done(true, 1);
  t.is(take(picker).endpoint.id, 'near');
});

test('a lease counts once, whichever way it is closed first', (t) => {
  const { picker } = world([near]);
  const lease = take(picker);
  lease.abandon();
  lease.done(false, 1);
  lease.fail();
  t.false(lease.late());
  t.like(picker.stats()[0], { success: 1, inFlight: 0 });
});

test('exploration reaches the nearest region only, in about its share of picks', (t) => {
  const slow: Endpoint = { ...near, id: 'slow', rttMs: 40 };
  const { picker } = world([near, slow, far], 0.05);
  const picked = new Map<string, number>();
  for (let i = 0; i < 2_000; i += 1) {
    const lease = take(picker);
    picked.set(lease.endpoint.id, (picked.get(lease.endpoint.id) ?? 0) + 1);
    lease.done(true, lease.endpoint.rttMs! + 1);
  }
  t.is(picked.get('far'), undefined);
  const share = (picked.get('slow') ?? 0) / 2_000;
  t.true(share > 0.01 && share < 0.05, `slow got ${share}, seed ${seed}`);
});

test('beyond 48 endpoints a few are drawn, and one of them is always returned', (t) => {
  const many = Array.from({ length: 200 }, (_, i) => ({ ...near, id: `n${i}` }));
  const { picker } = world(many);
  const seen = new Set<string>();
  for (let i = 0; i < 2_000; i += 1) {
    const lease = take(picker);
    seen.add(lease.endpoint.id);
    lease.done(true, 2);
  }
  t.true(seen.size > 190, `${seen.size} of 200 used, seed ${seed}`);
});

test('a key stays with its endpoint while that is healthy, and few keys move when one leaves', (t) => {
  const many = Array.from({ length: 10 }, (_, i) => ({ ...near, id: `n${i}` }));
  const { picker } = world([...many, far]);
  const place = (key: string): string => {
    const lease = picker.pick({ key })!;
    lease.done(true, 2);
    return lease.endpoint.id;
  };
  const keys = Array.from({ length: 1_000 }, (_, i) => `key-${i}`);
  const before = keys.map((key) => place(key));
  t.deepEqual(
    keys.map((key) => place(key)),
    before,
  );
  t.false(before.includes('far'));
  picker.remove('n3');
  const moved = keys.filter((key, i) => place(key) !== before[i]);
  t.is(moved.length, before.filter((id) => id === 'n3').length);
  for (const { id } of many) {
    const share = before.filter((placed) => placed === id).length;
    t.true(share > 60 && share < 140, `${id} holds ${share} of 1000 keys`);
  }
});

test('rendezvous hands a key on when its endpoint carries more than 1.25 x the mean', (t) => {
  const idle = [0, 1, 2, 3].map((i) => ({ id: `n${i}`, inFlight: 10 }));
  const home = rendezvous('k', idle)!;
  const busy = idle.map((e) => (e === home ? { ...e, inFlight: 100 } : e));
  t.not(rendezvous('k', busy)!.id, home.id);
  t.is(rendezvous('k', []), undefined);
});

test('the hedge delay follows p95 within 10 and 30 ms, and the median of slow services', (t) => {
  const random = seededRandom(seed);
  t.is(new ServiceTimes().hedgeDelayMs, 30);
  t.is(
    hedgeDelayAfter(() => 0.3),
    10,
  );
  const middle = hedgeDelayAfter(() => random.next() * 20);
  t.true(middle >= 17 && middle <= 24, `p95 of uniform 0..20 is about 19: ${middle}`);
  t.is(
    hedgeDelayAfter(() => (random.next() < 0.2 ? 500 : 1)),
    30,
  );
  const slow = hedgeDelayAfter(() => 200);
  t.true(slow >= 200 && slow <= 250, `a service of 200 ms is late after ${slow}`);
});

test('quantiles forget: old samples fade', (t) => {
  const times = new ServiceTimes();
  for (let i = 0; i < 1_000; i += 1) times.record(100);
  for (let i = 0; i < 4_000; i += 1) times.record(1);
  t.true(times.quantile(0.95)! < 2);
});

test('a budget grants its share of calls, its floor per second and its burst', (t) => {
  const budget = new Budget({ share: 0.2, perSecond: 10, burst: 5 });
  const drain = (nowMs: number): number => {
    let taken = 0;
    while (budget.withdraw(nowMs)) taken += 1;
    return taken;
  };
  t.is(drain(0), 5);
  for (let i = 0; i < 10; i += 1) budget.deposit(0);
  t.is(drain(0), 2);
  t.is(drain(300), 3);
  t.is(drain(60_000), 5);
});
