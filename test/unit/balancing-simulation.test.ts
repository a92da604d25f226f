/**
 * The shipped picker in a discrete-event simulation of 20 servers at 70 % load, against an omniscient
 * join-shortest-queue (JSQ), two-choice least-request (P2C) and least-connections.
 */
import test from 'ava';
import {
  lognormal,
  pareto,
  servers,
  simulate,
  type SimulationOptions,
  type SimulationResult,
} from '../fakes/queueing.ts';

const seeds = [1, 2, 3];
const seedNote = `seeds ${seeds.join(', ')}`;
const healthy = (): number => 1;
const failFast = (server: number): number | 'fail' => (server === 0 ? 'fail' : 1);
/** Server 0 stands still from 1 s to 2 s, which is before counting begins. */
const stallOnce = (server: number, nowMs: number): number =>
  server === 0 && nowMs > 1_000 ? Math.max(0, 2_000 - nowMs) : 0;

type Scenario = Pick<SimulationOptions, 'clients' | 'fault' | 'serviceMs' | 'pauseMs'>;

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

/** Median of each figure over the seeds. */
function run(policy: SimulationOptions['policy'], scenario: Scenario): SimulationResult {
  const runs = seeds.map((seed) => simulate({ ...scenario, policy, seed, durationMs: 8_000 }));
  return {
    p50: median(runs.map((result) => result.p50)),
    p99: median(runs.map((result) => result.p99)),
    errorShare: median(runs.map((result) => result.errorShare)),
    served: Array.from({ length: servers }, (_, i) => median(runs.map((r) => r.served[i]!))),
  };
}

const slow =
  (count: number) =>
  (server: number): number =>
    server < count ? 10 : 1;
const distributions = { lognormal, pareto };

for (const [name, serviceMs] of Object.entries(distributions)) {
  for (const clients of [4, 20]) {
    test(`one of 20 servers 10x slow, ${name}, ${clients} clients: tails near the omniscient`, (t) => {
      const scenario = { clients, serviceMs, fault: slow(1) };
      const picker = run('picker', scenario);
      const jsq = run('jsq', scenario);
      const p2c = run('p2c', scenario);
      const least = run('least-connections', scenario);
      t.log({ p99: { picker: picker.p99, jsq: jsq.p99, p2c: p2c.p99, least: least.p99 } });
      t.true(picker.p99 <= 1.1 * jsq.p99, `p99 ${picker.p99} against JSQ ${jsq.p99}, ${seedNote}`);
      t.true(picker.p99 <= 0.75 * p2c.p99, `p99 ${picker.p99} against P2C ${p2c.p99}, ${seedNote}`);
      t.true(picker.p99 <= 1.02 * least.p99, `p99 against least-connections, ${seedNote}`);
      t.true(picker.p50 <= 1.2 * least.p50, `p50 ${picker.p50} against ${least.p50}, ${seedNote}`);
    });
  }
}

test('three of 20 servers 10x slow: p99 at most 1.15 x JSQ and 0.3 x P2C', (t) => {
  const scenario = { clients: 4, serviceMs: lognormal, fault: slow(3) };
  const picker = run('picker', scenario);
  t.true(picker.p99 <= 1.15 * run('jsq', scenario).p99, seedNote);
  t.true(picker.p99 <= 0.3 * run('p2c', scenario).p99, seedNote);
});

test('a server that fails in 1 ms attracts at most 0.5 % of calls', (t) => {
  for (const clients of [4, 100]) {
    const { errorShare } = run('picker', { clients, serviceMs: lognormal, fault: failFast });
    t.true(errorShare <= 0.005, `${clients} clients: ${errorShare * 100} % failed, ${seedNote}`);
  }
});

test('a healthy pool is shared evenly: each server within 10 %, p99 as least-connections', (t) => {
  const scenario = { clients: 4, serviceMs: lognormal, fault: healthy };
  const picker = run('picker', scenario);
  const total = picker.served.reduce((a, b) => a + b, 0);
  for (const [server, served] of picker.served.entries()) {
    const share = (served / total) * servers;
    t.true(Math.abs(share - 1) <= 0.1, `server ${server} got ${share} of its share, ${seedNote}`);
  }
  t.true(picker.p99 <= 1.05 * run('least-connections', scenario).p99);
});

test('a server that stalled for a second is not starved afterwards', (t) => {
  const scenario = { clients: 4, serviceMs: lognormal, fault: healthy, pauseMs: stallOnce };
  const { served } = run('picker', scenario);
  const share = (served[0]! / served.reduce((a, b) => a + b, 0)) * servers;
  t.true(share >= 0.8, `the stalled server got ${share} of its share, ${seedNote}`);
});
