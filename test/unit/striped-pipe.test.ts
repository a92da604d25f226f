/** Connections over several simulated sockets: growth, cuts at every stage, resuming, closing, peers of one socket. */
import { createHash } from 'node:crypto';
import test from 'ava';
import { DwcpError } from '../../lib/errors.ts';
import { defaultLimits, type LinkLimits } from '../../lib/limits.ts';
import { type Random, seededRandom } from '../../lib/random.ts';
import { SimulatedClock, simulatedPipePair } from '../../lib/testing/index.ts';
import { Connection, type FramePipe, Priority, type Stream } from '../../lib/transport/index.ts';
import { encodeControl } from '../../lib/transport/stripes/control.ts';
import { StripedPipe } from '../../lib/transport/stripes/striped-pipe.ts';

const latencyMs = 20;

/** Two ends, and the simulated sockets between them. */
class Rig {
  readonly clock = new SimulatedClock();
  /** The dialer's ends. */
  readonly sockets: FramePipe[] = [];
  readonly pipes: readonly [StripedPipe, StripedPipe];
  readonly ends: readonly [Connection, Connection];
  readonly accepted: Stream[] = [];
  readonly closes: [end: string, error: DwcpError | undefined][] = [];
  dialError: DwcpError | undefined;
  readonly #acceptorSide: FramePipe;

  constructor(onStream: (stream: Stream) => void, more: Partial<LinkLimits> = {}) {
    const [a, b] = this.#pair();
    this.#acceptorSide = b;
    const limits = { ...defaultLimits.link, ...more };
    const { clock } = this;
    const own = { clock, limits, peerMaxSockets: 8, peerReorderBytes: limits.maxReorderBytes };
    const acceptor = new StripedPipe({ ...own, pipe: b });
    const dial = (_signal: AbortSignal, onSocket: (pipe: FramePipe) => void): Promise<void> => {
      if (this.dialError) return Promise.reject(this.dialError);
      const [near, far] = this.#pair();
      acceptor.join(far);
      onSocket(near);
      return Promise.resolve();
    };
    const dialer = new StripedPipe({ ...own, pipe: a, dial });
    this.pipes = [dialer, acceptor];
    const connect = (pipe: FramePipe, role: 'dialer' | 'acceptor'): Connection =>
      new Connection({
        pipe,
        role,
        clock,
        limits,
        onStream: (stream) => {
          this.accepted.push(stream);
          onStream(stream);
        },
        onClose: (error) => this.closes.push([role, error]),
      });
    this.ends = [connect(dialer, 'dialer'), connect(acceptor, 'acceptor')];
  }

  /** The acceptor asks for so many. */
  want(sockets: number): void {
    this.#acceptorSide.send([encodeControl({ type: 'want', sockets })]);
  }

  cut(which: (standing: readonly FramePipe[]) => readonly FramePipe[]): void {
    for (const pipe of which(this.sockets.splice(0))) {
      pipe.destroy(new DwcpError('ERR_DWCP_LINK_DOWN', 'cut by the test'));
    }
  }

  #pair(): [FramePipe, FramePipe] {
    const pair = simulatedPipePair({ clock: this.clock, latencyMs, socketBufferBytes: 256 * 1024 });
    this.sockets.push(pair[0]);
    return pair;
  }
}

const count = 30;
const digestOf = (messages: readonly Buffer[]): string => {
  const hash = createHash('sha256');
  for (const message of messages) hash.update(message);
  return hash.digest('hex');
};

function contents(random: Random): Buffer[] {
  return Array.from({ length: count }, (_, n) => {
    const message = Buffer.alloc(20_000 + Math.floor(random.next() * 300_000), n);
    message.writeUInt32LE(n, 0);
    return message;
  });
}

/** Sends everything; `disturb` is called every 5 ms. Returns what arrived. */
async function transfer(
  rig: Rig,
  messages: readonly Buffer[],
  arrived: Buffer[],
  disturb: (step: number) => void,
): Promise<void> {
  const stream = rig.ends[0].open(1);
  await rig.clock.advance(100);
  const sent = messages.map((message) => stream.send(message, { priority: Priority.bulk }));
  for (const each of sent) each.catch(() => {});
  for (let step = 0; step < 4000 && arrived.length < count; step++) {
    disturb(step);
    await rig.clock.advance(5);
  }
}

test('bulk over a long path takes further sockets when they are wanted, and arrives once and in order', async (t) => {
  const arrived: Buffer[] = [];
  const rig = new Rig((stream) => stream.onMessage((message) => void arrived.push(message)));
  const messages = contents(seededRandom(1));
  let most = 0;
  await transfer(rig, messages, arrived, (step) => {
    if (step === 40) rig.want(4);
    most = Math.max(most, rig.pipes[0].path().sockets!);
  });
  t.is(digestOf(arrived), digestOf(messages));
  t.is(most, 4);
  t.is(rig.pipes[0].path().cuts, 0);
});

test('sockets cut at every stage of a striped transfer: digest equal, nothing twice', async (t) => {
  for (let stage = 24; stage < 100; stage += 3) {
    const random = seededRandom(stage);
    const arrived: Buffer[] = [];
    const rig = new Rig((stream) => stream.onMessage((message) => void arrived.push(message)));
    const messages = contents(random);
    await transfer(rig, messages, arrived, (step) => {
      if (step === 22) rig.want(1 + (stage % 4));
      if (step === stage) rig.cut((all) => all.filter(() => random.next() < 0.5));
      if (step === stage + 15) rig.cut((all) => all);
    });
    t.is(arrived.length, count, `stage ${stage}: ${rig.closes.map(([, e]) => e?.message).join()}`);
    t.is(digestOf(arrived), digestOf(messages), `stage ${stage}`);
    t.deepEqual(rig.closes, []);
  }
});

test('calls beside bulk keep working while sockets come and go, in both directions', async (t) => {
  const arrived: Buffer[] = [];
  const rig = new Rig((stream) =>
    stream.onMessage((message) => {
      if (message.length > 10_000) arrived.push(message);
      else void stream.send(message, { end: true });
    }),
  );
  const messages = contents(seededRandom(3));
  const answers: string[] = [];
  await transfer(rig, messages, arrived, (step) => {
    if (step % 20 === 3) {
      const call = rig.ends[0].open(2);
      call.onMessage((message) => void answers.push(message.toString()));
      void call.send(Buffer.from(`call ${step}`), { end: true });
    }
    if (step === 30) rig.want(4);
    if (step % 60 === 59) rig.cut((all) => all.slice(0, 2));
  });
  await rig.clock.advance(1000);
  t.is(digestOf(arrived), digestOf(messages));
  t.true(answers.length > 3);
  t.is(new Set(answers).size, answers.length);
  t.is(rig.closes.length, 0);
});

test('a link whose last socket is cut and cannot be opened again is given up after resumeTimeoutMs', async (t) => {
  const arrived: Buffer[] = [];
  const rig = new Rig((stream) => stream.onMessage((message) => void arrived.push(message)));
  await transfer(rig, contents(seededRandom(4)), arrived, (step) => {
    if (step !== 40) return;
    rig.dialError = new DwcpError('ERR_DWCP_CONNECT', 'no route');
    rig.cut((all) => all);
    t.deepEqual(rig.closes, []);
  });
  t.deepEqual(rig.closes.map(([end]) => end).toSorted(), ['acceptor', 'dialer']);
  t.true(arrived.length < count);
});

test('a peer that refuses to resume ends the link at once', async (t) => {
  const rig = new Rig((stream) => stream.onMessage(() => {}));
  const stream = rig.ends[0].open(1);
  await rig.clock.advance(100);
  for (let n = 0; n < 8; n++) {
    stream.send(Buffer.alloc(200_000), { priority: Priority.bulk }).catch(() => {});
  }
  await rig.clock.advance(200);
  rig.dialError = new DwcpError('ERR_DWCP_LINK_DOWN', 'no link has this token');
  rig.cut((all) => all);
  await rig.clock.advance(10);
  t.deepEqual(
    rig.closes.map(([end]) => end),
    ['dialer'],
  );
});

test('before bulk flows a link has one socket, sends no chunk, and is down with it', async (t) => {
  const rig = new Rig((stream) => stream.onMessage(() => {}));
  const stream = rig.ends[0].open(1);
  await rig.clock.advance(200);
  stream.send(Buffer.from('small')).catch(() => {});
  await rig.clock.advance(100);
  t.is(rig.pipes[0].maxPayloadBytes, 64 * 1024);
  rig.cut((all) => all);
  await rig.clock.advance(latencyMs + 1);
  t.is(rig.closes.length, 2);
});

test('nearby, bulk goes over one socket without numbers', async (t) => {
  const rig = new Rig((stream) => stream.onMessage(() => {}), { longPathMs: 1000 });
  const stream = rig.ends[0].open(1);
  await rig.clock.advance(100);
  stream.send(Buffer.alloc(3_000_000), { priority: Priority.bulk }).catch(() => {});
  await rig.clock.advance(2000);
  t.is(rig.pipes[0].maxPayloadBytes, 64 * 1024);
  t.is(rig.pipes[1].stats().bytesIn > 3_000_000, true);
});

test('a numbered link closes in order: what was sent arrives, neither end sees an error', async (t) => {
  const arrived: Buffer[] = [];
  const rig = new Rig((stream) => {
    stream.onMessage((message) => void arrived.push(message));
    stream.onEnd(() => stream.end());
  });
  const stream = rig.ends[0].open(1);
  await rig.clock.advance(100);
  for (const last of [false, false, true]) {
    stream.send(Buffer.alloc(400_000), { priority: Priority.bulk, end: last }).catch(() => {});
  }
  await rig.clock.advance(60);
  const closed = rig.ends[0].close();
  await rig.clock.advance(2000);
  await closed;
  t.is(arrived.length, 3);
  t.deepEqual(
    rig.closes.map(([, error]) => error),
    [undefined, undefined],
  );
});

test('a frame without a number on a numbered link, and an ack of nothing, end it with a code', async (t) => {
  const [a, b] = simulatedPipePair({ latencyMs: 0 });
  const closed = new Promise<DwcpError | undefined>((resolve) => {
    const limits = defaultLimits.link;
    const own = { limits, peerMaxSockets: 8, peerReorderBytes: 1 << 20 };
    const clock = new SimulatedClock();
    const striped = new StripedPipe({ ...own, clock, pipe: a });
    striped.start({ onFrames: () => {}, onWritable: () => {}, onClose: resolve });
  });
  b.start({ onFrames: () => {}, onWritable: () => {}, onClose: () => {} });
  b.send([encodeControl({ type: 'ack', base: 0, ranges: [] })]);
  t.is((await closed)?.code, 'ERR_DWCP_PROTOCOL');
});
