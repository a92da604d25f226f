/**
 * A hundred thousand garbage, truncated, oversized, wrong-version and out-of-order frames against a listening
 * process: every one ends in a typed error, costs at most its stream (its link, when framing is broken),
 * disturbs no other link, and leaves no memory behind.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import test from 'ava';
import { errorCodes } from '../../lib/errors.ts';
import { type Random, seededRandom } from '../../lib/random.ts';
import {
  Connection,
  encodePreface,
  FrameEncoder,
  type FrameKind,
  netTransport,
  type OutgoingFrame,
  systemClock,
} from '../../lib/transport/index.ts';
import type { TargetReport } from './garbage-target.ts';

const totalFrames = 100_000;
const framesPerLink = 50;
const seed = Number(process.env['DWCP_SEED'] ?? 20_260_801);
const encoder = new FrameEncoder({ maxPayloadBytes: 65_536, checksum: true });

const pick = (random: Random, below: number): number => Math.floor(random.next() * below);

/** A frame whose envelope is sound and whose meaning is random: out of order, unknown, contradictory. */
function nonsense(random: Random): OutgoingFrame {
  const kind = [1, 1, 1, 1, 2, 3, 5][pick(random, 7)] as FrameKind;
  const sizes: Record<number, number> = {
    1: pick(random, 300),
    2: 4,
    3: 2 + pick(random, 20),
    5: 8,
  };
  const low = kind === 1 ? pick(random, 32) : 0;
  const payload = Buffer.from(random.bytes(sizes[kind]!));
  return {
    kind,
    flags: (pick(random, 4) << 6) | low,
    channel: pick(random, 3),
    stream: kind === 5 ? 0 : 1 + pick(random, 40),
    payload: [payload],
  };
}

const sound = (random: Random): Buffer => encoder.encode([nonsense(random)]);

/** Bytes that break framing, by the code they must end in (undefined: any of several). */
const breakers: ((random: Random) => [Buffer, string | undefined])[] = [
  (random) => [Buffer.from(random.bytes(16 + pick(random, 2_000))), undefined],
  (random) => [sound(random).subarray(0, 1 + pick(random, 15)), 'ERR_DWCP_FRAME_CORRUPT'],
  (random) => {
    const frame = sound(random);
    frame.writeUInt32LE(65_537 + pick(random, 2 ** 31), 0);
    return [frame, 'ERR_DWCP_LIMIT'];
  },
  (random) => {
    const frame = sound(random);
    frame[frame.length - 1]! ^= 1 << pick(random, 8);
    return [frame, 'ERR_DWCP_FRAME_CHECKSUM'];
  },
  (random) => {
    const frame = sound(random);
    frame[4] = 8 + pick(random, 248);
    return [frame, 'ERR_DWCP_FRAME_KIND'];
  },
  (random) => {
    const frame = sound(random);
    frame[5]! |= 0x20;
    return [frame, 'ERR_DWCP_FRAME_FLAGS'];
  },
];

/** One hostile link: mostly well-framed nonsense, then something that breaks framing. */
async function attack(port: number, random: Random): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.on('error', () => {}).resume();
  const frames = Array.from({ length: framesPerLink - 1 }, () => sound(random));
  const [breaker] = breakers[pick(random, breakers.length)]!(random);
  const strange = pick(random, 20) === 0;
  const preface = strange
    ? encodePreface({ min: 2 + pick(random, 200), max: 255 })
    : encodePreface();
  socket.end(Buffer.concat([preface, ...frames, breaker]));
  await closed;
}

async function attackMany(port: number, links: number, random: Random): Promise<void> {
  const lanes = Array.from({ length: 8 }, async (_, lane) => {
    for (let i = lane; i < links; i += 8) await attack(port, random);
  });
  await Promise.all(lanes);
}

/** What the target says once at most `live` links are left; its weight is the least of a few readings. */
async function report(child: ChildProcess, live: number): Promise<TargetReport> {
  let leastBytes = Infinity;
  for (let readings = 0; ; readings++) {
    const answer = once(child, 'message') as Promise<[TargetReport]>;
    child.send('report');
    const [told] = await answer;
    leastBytes = Math.min(leastBytes, told.rssBytes);
    if (readings >= 5 && told.live <= live) return { ...told, rssBytes: leastBytes };
  }
}

/** An honest link that echoes until told to stop; answers how many calls came back. */
async function honest(port: number, stopped: () => boolean): Promise<number> {
  const pipe = await netTransport().connect({ host: '127.0.0.1', port }, {});
  const connection = new Connection({
    pipe,
    role: 'dialer',
    clock: systemClock,
    onStream: () => {},
  });
  let calls = 0;
  while (!stopped()) {
    const message = Buffer.alloc(1 + ((calls * 7919) % 70_000), calls & 0xff);
    const stream = connection.open(1);
    const answer = new Promise<Buffer>((resolve, reject) => {
      stream.onMessage(resolve);
      stream.onClose((error) => reject(error ?? new Error('closed without an answer')));
    });
    await stream.send(message, { end: true });
    if (!(await answer).equals(message)) throw new Error('an honest message was damaged');
    calls++;
  }
  await connection.close();
  return calls;
}

test(`${totalFrames} hostile frames cost nothing but themselves (seed ${seed})`, async (t) => {
  // What the allocators keep for later is not growth: a small young generation is full after the warm-up, and
  // freed buffers go back to the system at once.
  const child = fork(new URL('./garbage-target.js', import.meta.url), {
    execArgv: ['--expose-gc', '--max-semi-space-size=2'],
    env: { ...process.env, MALLOC_MMAP_THRESHOLD_: '32768' },
  });
  t.teardown(() => child.kill('SIGKILL'));
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  const random = seededRandom(seed);
  const links = totalFrames / framesPerLink;

  let stopped = false;
  const calls = honest(port, () => stopped);
  await attackMany(port, links, random);
  const warm = await report(child, 1);
  await attackMany(port, links, random);
  stopped = true;
  const answered = await calls;
  const last = await report(child, 0);

  t.true(answered > 50, `${answered} honest calls`);
  t.is(child.exitCode, null);
  const growthMiB = (last.rssBytes - warm.rssBytes) / 1024 / 1024;
  t.true(growthMiB <= 10, `RSS grew by ${growthMiB.toFixed(1)} MiB after warm-up`);
  t.log(`RSS ${growthMiB.toFixed(1)} MiB after warm-up; ${answered} honest calls`, last.violations);

  // Every hostile link that got past its preface is gone with a code, and nothing but codes.
  const codes = Object.keys(last.closes).filter((code) => code !== 'none');
  t.true(codes.every((code) => code in errorCodes));
  for (const code of ['KIND', 'FLAGS', 'CHECKSUM', 'CORRUPT']) {
    t.true((last.closes[`ERR_DWCP_FRAME_${code}`] ?? 0) > links / 20, code);
  }
  t.true((last.closes['ERR_DWCP_LIMIT'] ?? 0) > links / 20);
  t.true((last.violations['ERR_DWCP_PROTOCOL'] ?? 0) > links, 'and streams before them');
  t.is(last.live, 0);
});

test('each way of breaking framing ends the link with its own code', async (t) => {
  const random = seededRandom(seed);
  let closes: (code: string | undefined) => void = () => {};
  const listener = await netTransport().listen({ host: '127.0.0.1', port: 0 }, (pipe) => {
    new Connection({
      pipe,
      role: 'acceptor',
      clock: systemClock,
      onStream: () => {},
      onClose: (error) => closes(error?.code),
    });
  });
  for (const breaker of breakers.slice(1)) {
    const [bytes, code] = breaker(random);
    const closed = new Promise<string | undefined>((resolve) => {
      closes = resolve;
    });
    const socket = connect(listener.address.port, '127.0.0.1').on('error', () => {});
    socket.resume().end(Buffer.concat([encodePreface(), bytes]));
    t.is(await closed, code);
  }
  await listener.close();
});
