/** Links in virtual time: backoff, deadlines, identities, partitions and stalls, without waiting for any. */
import test from 'ava';
import type { Clock } from '../../lib/clock.ts';
import type { DwcpError } from '../../lib/errors.ts';
import { HealthMonitor } from '../../lib/health/monitor.ts';
import { createLinks } from '../../lib/links/links.ts';
import type { LinksOptions } from '../../lib/links/links.ts';
import type { Hello, NodeLinks } from '../../lib/links/link.ts';
import { seededRandom } from '../../lib/random.ts';
import { partitioned } from '../../lib/testing/link-profile.ts';
import { shapeTransport } from '../../lib/testing/shape-transport.ts';
import { SimulatedClock } from '../../lib/testing/simulated-clock.ts';
import { SimulatedNetwork } from '../../lib/testing/simulated-pipe.ts';
import type { Address, PeerIdentity } from '../../lib/transport/frame-pipe.ts';
import { helloOf } from '../fakes/node-rig.ts';

const placeA: Address = { host: 'a', port: 1 };
const placeB: Address = { host: 'b', port: 1 };

function linksIn(
  clock: Clock,
  network: SimulatedNetwork,
  hello: Hello,
  more: Partial<LinksOptions> = {},
): NodeLinks {
  return createLinks({
    self: () => hello,
    transport: network.transport(),
    clock,
    random: seededRandom(7),
    ...more,
  });
}

test('an address that never answers is dialled ever more seldom, for ever', async (t) => {
  const clock = new SimulatedClock();
  const a = linksIn(clock, new SimulatedNetwork({ clock }), helloOf('a'));
  const atMs: number[] = [];
  a.on('refused', (_, error) => {
    t.is(error.code, 'ERR_DWCP_CONNECT');
    atMs.push(clock.monotonic());
  });
  a.dial(placeB);
  await clock.advance(10_000);
  const early = atMs.length;
  t.true(early >= 5 && early <= 40, `${early} dials in the first 10 s`);
  await clock.advance(600_000);
  const late = atMs.length - early;
  // Full jitter below 5 s means one dial in 2.5 s on average.
  t.true(late > 150 && late < 400, `${late} dials in the next 600 s`);
  t.true(atMs.every((ms, i) => i === 0 || ms - atMs[i - 1]! <= 5_000));
  await a.close();
});

test('a peer that never says Hello is given up at the deadline, by dialer and acceptor', async (t) => {
  const clock = new SimulatedClock();
  const network = new SimulatedNetwork({ clock });
  const mute = network.transport();
  await mute.listen(placeB, (pipe) =>
    pipe.start({ onFrames: () => {}, onWritable: () => {}, onClose: () => {} }),
  );
  const a = linksIn(clock, network, helloOf('a'), { limits: { handshakeTimeoutMs: 3_000 } });
  await a.listen(placeA);
  const errors: DwcpError[] = [];
  a.on('refused', (_, error) => errors.push(error));
  a.dial(placeB);
  (await mute.connect(placeA, {})).start({
    onFrames: () => {},
    onWritable: () => {},
    onClose: () => {},
  });
  await clock.advance(2_999);
  t.is(errors.length, 0);
  t.is(a.stats().halfOpen, 1);
  await clock.advance(2);
  t.deepEqual(
    errors.map(({ code }) => code),
    ['ERR_DWCP_DEADLINE', 'ERR_DWCP_DEADLINE'],
  );
  t.is(a.stats().halfOpen, 0);
  await a.close();
});

for (const field of ['cluster', 'region', 'nodeId'] as const) {
  test(`a Hello whose ${field} is not the certificate’s is refused, and both learn why`, async (t) => {
    const clock = new SimulatedClock();
    const proven: PeerIdentity = { cluster: 'test', region: 'eu', nodeId: 'b' };
    const network = new SimulatedNetwork({
      clock,
      dialerIdentity: { ...proven, [field]: 'someone-else' },
      acceptorIdentity: { ...proven, nodeId: 'a' },
    });
    const a = linksIn(clock, network, helloOf('a'), { requireSecure: true });
    const b = linksIn(clock, network, helloOf('b'), { requireSecure: true });
    await a.listen(placeA);
    const errors: DwcpError[] = [];
    for (const links of [a, b]) links.on('refused', (_, error) => errors.push(error));
    b.dial(placeA);
    await clock.advance(10);
    t.is(errors.length, 2);
    for (const error of errors) {
      t.is(error.code, 'ERR_DWCP_IDENTITY');
      t.regex(error.message, new RegExp(`${field}.*someone-else`));
    }
    t.is(a.all().length + b.all().length, 0);
    await Promise.all([a.close(0), b.close(0), clock.advance(10)]);
  });
}

test('dials that cross at any moment end in one link that is never replaced', async (t) => {
  for (let offsetMs = 0; offsetMs <= 400; offsetMs += 20) {
    const clock = new SimulatedClock();
    const network = new SimulatedNetwork({ clock, latencyMs: 40 });
    const a = linksIn(clock, network, helloOf('a'));
    const b = linksIn(clock, network, helloOf('b'));
    await a.listen(placeA);
    await b.listen(placeB);
    const [first, second] = offsetMs % 40 === 0 ? [a, b] : [b, a];
    let ups = 0;
    for (const links of [a, b]) links.on('up', () => (ups += 1));
    first.dial(first === a ? placeB : placeA);
    await clock.advance(offsetMs);
    second.dial(second === a ? placeB : placeA);
    await clock.advance(5_000);
    t.is(ups, 2, `offset ${offsetMs} ms`);
    t.is(a.all().length, 1);
    t.is(b.all().length, 1);
    t.is(a.stats().replaced + b.stats().replaced, 0);
    t.is(a.stats().halfOpen + b.stats().halfOpen, 0);
    await Promise.all([a.close(0), b.close(0), clock.advance(500)]);
  }
});

/** Two linked nodes; `cut` partitions the pipes of b. */
async function pair(clock: SimulatedClock, clockOfA: Clock = clock) {
  const network = new SimulatedNetwork({ clock, latencyMs: 10 });
  let cut: 'none' | 'both' | 'inbound' | 'outbound' = 'none';
  const transport = shapeTransport(
    network.transport(),
    () => (cut === 'none' ? {} : partitioned({}, cut)),
    { clock },
  );
  const a = linksIn(clockOfA, network, helloOf('a'));
  const b = linksIn(clock, network, helloOf('b'), { transport });
  await a.listen(placeA);
  b.dial(placeA);
  await clock.runUntil(() => a.all().length === 1 && b.all().length === 1);
  return {
    a,
    b,
    partition: (side: typeof cut): void => {
      cut = side;
      transport.refresh();
    },
  };
}

test('a silent link is suspect within four intervals, closed after deadAfterMs, and comes back', async (t) => {
  const clock = new SimulatedClock();
  const { a, b, partition } = await pair(clock);
  const health = new HealthMonitor({ source: a, clock });
  const seen: [string, number][] = [];
  for (const event of ['suspect', 'dead', 'alive'] as const) {
    health.on(event, () => seen.push([event, clock.monotonic() - cutMs]));
  }
  await clock.advance(60_000);
  t.deepEqual(seen, []);
  const rttMs = a.get('b')?.rttMs ?? 0;
  t.true(rttMs >= 20 && rttMs < 40, `round trip ${rttMs} ms`);
  const cutMs = clock.monotonic();
  partition('both');
  await clock.advance(9_000);
  t.is(seen.length, 1);
  t.is(seen[0]?.[0], 'suspect');
  t.true(seen[0]![1] <= 1_000, `suspected after ${seen[0]?.[1]} ms`);
  t.is(a.all().length, 1);
  await clock.advance(2_000);
  t.is(a.all().length, 0);
  t.is(a.stats().silenced, 1);
  t.is(seen[1]?.[0], 'dead');
  partition('none');
  await clock.runUntil(() => a.all().length === 1);
  t.is(seen.at(-1)?.[0], 'alive');
  health.close();
  await Promise.all([a.close(0), b.close(0), clock.advance(500)]);
});

test('a peer cut in one direction is suspected by both sides', async (t) => {
  const clock = new SimulatedClock();
  const { a, b, partition } = await pair(clock);
  const healthA = new HealthMonitor({ source: a, clock });
  const healthB = new HealthMonitor({ source: b, clock });
  await clock.advance(5_000);
  partition('inbound');
  await clock.advance(2_000);
  t.is(healthA.status('b')?.reason, 'unanswered');
  t.is(healthB.status('a')?.reason, 'silent');
  healthA.close();
  healthB.close();
  await Promise.all([a.close(0), b.close(0), clock.advance(500)]);
});

test('a process stopped for a minute does not close its links on waking', async (t) => {
  const clock = new SimulatedClock();
  let sleptMs = 0;
  const sleepy: Clock = {
    now: () => clock.now() + sleptMs,
    monotonic: () => clock.monotonic() + sleptMs,
    setTimer: (fn, delayMs) => clock.setTimer(fn, delayMs),
  };
  const { a, b } = await pair(clock, sleepy);
  const health = new HealthMonitor({ source: a, clock: sleepy });
  let suspicions = 0;
  health.on('suspect', () => (suspicions += 1));
  await clock.advance(2_000);
  sleptMs += 60_000;
  await clock.advance(2_000);
  t.is(a.all().length, 1);
  t.is(a.stats().silenced, 0);
  t.is(suspicions, 0);
  t.is(health.snapshot().stalls.count, 1);
  health.close();
  await Promise.all([a.close(0), b.close(0), clock.advance(500)]);
});
