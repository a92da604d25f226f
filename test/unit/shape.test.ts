/** shape(): delay, rate, jitter, stall, partition, in virtual time. */
import test from 'ava';
import { seededRandom } from '../../lib/random.ts';
import {
  type LinkProfile,
  partitioned,
  profiles,
  shape,
  type ShapedPipe,
  shapeTransport,
  SimulatedClock,
  SimulatedNetwork,
  simulatedPipePair,
  wanProfile,
} from '../../lib/testing/index.ts';
import {
  Connection,
  type DwcpError,
  type Frame,
  FrameKind,
  type FramePipe,
  type OutgoingFrame,
} from '../../lib/transport/index.ts';

const frame = (sizeBytes: number, stream = 1): OutgoingFrame => ({
  kind: FrameKind.data,
  flags: 0,
  channel: 1,
  stream,
  payload: [Buffer.alloc(sizeBytes)],
});

function setUp(profile: LinkProfile): {
  clock: SimulatedClock;
  pipe: ShapedPipe;
  far: FramePipe;
  arrivals: { ms: number; frame: Frame }[];
  writable: () => number;
  closes: (DwcpError | undefined)[];
} {
  const clock = new SimulatedClock();
  const [a, far] = simulatedPipePair({ clock });
  const pipe = shape(a, profile, clock, { random: seededRandom(3) });
  const arrivals: { ms: number; frame: Frame }[] = [];
  const closes: (DwcpError | undefined)[] = [];
  let writable = 0;
  pipe.start({
    onFrames: () => {},
    onWritable: () => writable++,
    onClose: (error) => closes.push(error),
  });
  far.start({
    onFrames: (frames) => {
      for (const one of frames) arrivals.push({ ms: clock.monotonic(), frame: one });
    },
    onWritable: () => {},
    onClose: () => {},
  });
  return { clock, pipe, far, arrivals, writable: () => writable, closes };
}

test('delay moves every frame by the same time', async (t) => {
  const { clock, pipe, arrivals } = setUp(wanProfile(80));
  pipe.send([frame(10)]);
  await clock.advance(15);
  pipe.send([frame(10)]);
  await clock.advance(100);
  t.deepEqual(
    arrivals.map((a) => a.ms),
    [40, 55],
  );
});

test('rate spaces frames by their size and holds the sender back', async (t) => {
  const { clock, pipe, arrivals, writable } = setUp({
    outbound: { rateBytesPerSecond: 1_000_000, queueBytes: 100_000 },
  });
  // 40 frames of 10,016 bytes on the wire need 400.64 ms at 1 MB/s.
  let accepted = 0;
  while (pipe.send([frame(10_000)])) accepted++;
  t.is(accepted + 1, 11, 'one under way, ten wait');
  await clock.runUntil(() => writable() === 1);
  for (let i = 0; i < 29; i++) pipe.send([frame(10_000)]);
  await clock.runUntil(() => arrivals.length === 40);
  t.true(Math.abs(arrivals.at(-1)!.ms - 400.64) < 1, `${arrivals.at(-1)!.ms}`);
});

test('jitter keeps the order', async (t) => {
  const { clock, pipe, arrivals } = setUp({ outbound: { delayMs: 5, jitterMs: 50 } });
  for (let i = 1; i <= 100; i++) {
    pipe.send([frame(1, i)]);
    await clock.advance(1);
  }
  await clock.advance(100);
  t.deepEqual(
    arrivals.map((a) => a.frame.stream),
    Array.from({ length: 100 }, (_, i) => i + 1),
  );
  t.true(
    arrivals.some((a, i) => a.ms - i > 30),
    'some frames came late',
  );
});

test('a partition holds frames both ways and heals without loss', async (t) => {
  const { clock, pipe, far, arrivals } = setUp(profiles.none);
  pipe.send([frame(1, 1)]);
  await clock.advance(1);
  pipe.setProfile(partitioned(profiles.none));
  pipe.send([frame(1, 2)]);
  far.send([frame(1)]);
  await clock.advance(10_000);
  t.deepEqual(
    arrivals.map((a) => a.frame.stream),
    [1],
  );
  pipe.setProfile(profiles.none);
  await clock.advance(1);
  pipe.send([frame(1, 3)]);
  await clock.advance(1);
  t.deepEqual(
    arrivals.map((a) => a.frame.stream),
    [1, 2, 3],
  );
  t.is(pipe.stats().framesIn, 1);
});

test('a one-way partition stops one direction only, and hides the death of the peer', async (t) => {
  const clock = new SimulatedClock();
  const [a, b] = simulatedPipePair({ clock });
  const pipe = shape(a, partitioned(profiles.none, 'inbound'), clock);
  let heard = 0;
  let farHeard = 0;
  const closes: unknown[] = [];
  pipe.start({
    onFrames: (frames) => (heard += frames.length),
    onWritable: () => {},
    onClose: (error) => closes.push(error),
  });
  b.start({
    onFrames: (frames) => (farHeard += frames.length),
    onWritable: () => {},
    onClose: () => {},
  });
  pipe.send([frame(1)]);
  b.send([frame(1)]);
  await clock.advance(100);
  t.deepEqual([heard, farHeard], [0, 1]);
  b.close();
  await clock.advance(1000);
  t.deepEqual(closes, []);
  pipe.setProfile(profiles.none);
  await clock.advance(1);
  t.is(heard, 1, 'what was sent before the close arrives first');
  t.deepEqual(closes, [undefined]);
});

test('close sends what waits; destroy does not wait', async (t) => {
  const one = setUp(wanProfile(80));
  one.pipe.send([frame(1)]);
  one.pipe.close();
  await one.clock.advance(200);
  t.is(one.arrivals.length, 1);
  t.deepEqual(one.closes, [undefined]);
  const two = setUp(partitioned(wanProfile(80)));
  two.pipe.send([frame(1)]);
  two.pipe.destroy();
  await two.clock.advance(1);
  t.deepEqual(two.closes, [undefined]);
  t.is(two.arrivals.length, 0);
});

test('a shaped transport finds the profile by region after identified, and refuses cut dials', async (t) => {
  const clock = new SimulatedClock();
  let cut = false;
  const network = new SimulatedNetwork({ clock });
  const transport = shapeTransport(
    network.transport(),
    ({ region, address }) => {
      const base = region === 'ap' ? profiles.wan220 : profiles.none;
      return cut && (region ?? address) !== undefined ? partitioned(base) : base;
    },
    { clock },
  );
  const echo = (pipe: FramePipe): void => {
    pipe.start({
      onFrames: (frames) => pipe.send(frames.map((f) => ({ ...f, payload: [f.payload] }))),
      onWritable: () => {},
      onClose: () => {},
    });
  };
  const listener = await network.transport().listen({ host: 'ap', port: 0 }, echo);
  const pipe = await transport.connect(listener.address, {});
  let answers = 0;
  pipe.start({ onFrames: () => answers++, onWritable: () => {}, onClose: () => {} });
  pipe.send([frame(1)]);
  await clock.advance(1);
  t.is(answers, 1);
  pipe.identified!({ nodeId: 'n', region: 'ap' });
  pipe.send([frame(1)]);
  await clock.advance(109);
  t.is(answers, 1);
  await clock.advance(7);
  t.is(answers, 2);
  cut = true;
  transport.refresh();
  pipe.send([frame(1)]);
  await clock.advance(10_000);
  t.is(answers, 2);
  const dial = t.throwsAsync(transport.connect(listener.address, {}), { code: 'ERR_DWCP_CONNECT' });
  await clock.advance(500);
  await dial;
  cut = false;
  transport.refresh();
  await clock.advance(120);
  t.is(answers, 3);
});

test('an 8 MB value over a shaped link without a rate costs little', async (t) => {
  const run = async (profile: LinkProfile | undefined): Promise<number> => {
    const clock = new SimulatedClock();
    const [a, b] = simulatedPipePair({ clock });
    const pipe = profile ? shape(a, profile, clock) : a;
    let got = 0;
    new Connection({
      pipe: b,
      role: 'acceptor',
      clock,
      onStream: (stream) => stream.onMessage((m) => void (got += m.length)),
    });
    const dialer = new Connection({ pipe, role: 'dialer', clock, onStream: () => {} });
    const started = process.cpuUsage();
    const sent = dialer.open(1).send(Buffer.alloc(8_000_000));
    await clock.runUntil(() => got === 8_000_000);
    await sent;
    const used = process.cpuUsage(started);
    return (used.user + used.system) / 1000;
  };
  await run(undefined);
  const plain = Math.min(await run(undefined), await run(undefined));
  const shaped = Math.min(
    await run(wanProfile(80)),
    await run(wanProfile(80)),
    await run(wanProfile(80)),
  );
  t.true(shaped - plain < 50, `plain ${plain} ms, shaped ${shaped} ms of CPU`);
  t.log(`8 MB: plain ${plain} ms, shaped ${shaped} ms of CPU`);
});
