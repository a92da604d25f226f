/** Chunks: any order, duplicates and cuts give every frame once and in order; hostile headers give coded errors. */
import test from 'ava';
import { DwcpError, isDwcpError } from '../../lib/errors.ts';
import { type Random, seededRandom } from '../../lib/random.ts';
import { type Frame, FrameKind, type OutgoingFrame } from '../../lib/transport/frame-pipe.ts';
import {
  type Chunk,
  chunkHeaderBytes,
  decodeChunk,
  maxOffset,
} from '../../lib/transport/stripes/chunk.ts';
import { decodeControl, encodeControl } from '../../lib/transport/stripes/control.ts';
import { Reassembly } from '../../lib/transport/stripes/reassembly.ts';
import { SendWindow } from '../../lib/transport/stripes/send-window.ts';

const MiB = 1024 * 1024;

function dataFrame(stream: number, text: string): OutgoingFrame {
  return {
    kind: FrameKind.data,
    flags: 0xc0,
    channel: 2,
    stream,
    payload: [Buffer.from(text.slice(0, 3)), Buffer.from(text.slice(3))],
  };
}

const received = ({ payload, ...head }: OutgoingFrame): Frame => ({
  ...head,
  payload: Buffer.concat(payload),
});

function pick<T>(random: Random, items: readonly T[]): T {
  return items[Math.floor(random.next() * items.length)]!;
}

/** Streams and texts in order of arrival. */
function byStream(frames: readonly Frame[]): Record<number, string[]> {
  const texts: Record<number, string[]> = {};
  for (const { stream, payload } of frames) {
    (texts[stream] ??= []).push(Buffer.from(payload).toString());
  }
  return texts;
}

test('frames in any order and any of them twice are handed on once, each stream in its order', (t) => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = seededRandom(seed);
    const window = new SendWindow(MiB);
    const reassembly = new Reassembly(2 * MiB);
    const [out, sent]: [Frame[], Frame[]] = [[], []];
    const wanted: Frame[] = [];
    for (let n = 0; n < 40; n++) {
      const frame = dataFrame(1 + Math.floor(random.next() * 4), `${seed}/${n}`);
      wanted.push(received(frame));
      sent.push(received(window.add(frame).frame));
    }
    if (seed % 2 === 0) reassembly.begin(out);
    const waiting = [...sent, ...sent.filter(() => random.next() < 0.2)];
    while (waiting.length > 0) {
      const at = Math.floor(random.next() * waiting.length);
      const [frame] = waiting.splice(at, 1);
      reassembly.accept(decodeChunk(frame!), out);
      if (waiting.length === 20 && seed % 2 === 1) reassembly.begin(out);
      if (random.next() < 0.2) window.ack(reassembly.base, reassembly.ranges.slice(0, 16));
    }
    t.deepEqual(byStream(out), byStream(wanted), `seed ${seed}`);
    t.is(reassembly.heldBytes, 0, `seed ${seed}`);
    t.deepEqual(reassembly.ranges, []);
    window.ack(reassembly.base, []);
    t.is(window.bytes, 0);
  }
});

test('what a socket took with it is what was sent over it and not confirmed', (t) => {
  const window = new SendWindow(MiB);
  const sent = [1, 2, 3, 4].map((n) => window.add(dataFrame(n, `frame ${n}`)));
  for (const [i, each] of sent.entries()) window.handed(each, i % 2, 0);
  window.ack(sent[0]!.end, [{ start: sent[2]!.offset, end: sent[2]!.end }]);
  t.deepEqual(window.lostWith(0), []);
  t.deepEqual(window.lostWith(1), [sent[1]!, sent[3]!]);
  t.is(window.bytes, sent[3]!.end - sent[0]!.end);
});

test('a goaway waits for everything before it, whatever the stream', (t) => {
  const window = new SendWindow(MiB);
  const first = received(window.add(dataFrame(1, 'first')).frame);
  const goaway = { kind: FrameKind.goaway, flags: 0, channel: 0, stream: 0, payload: [] };
  const last = received(window.add(goaway).frame);
  const reassembly = new Reassembly(MiB);
  const out: Frame[] = [];
  reassembly.begin(out);
  reassembly.accept(decodeChunk(last), out);
  t.is(out.length, 0);
  reassembly.accept(decodeChunk(first), out);
  t.deepEqual(
    out.map(({ kind }) => kind),
    [FrameKind.data, FrameKind.goaway],
  );
});

test('goaways that wait for a missing chunk are bounded like everything that waits', (t) => {
  const reassembly = new Reassembly(MiB);
  reassembly.begin([]);
  const frame = {
    kind: FrameKind.goaway,
    flags: 0,
    channel: 0,
    stream: 0,
    payload: Buffer.alloc(0),
  };
  const goaway = (n: number): Chunk => {
    const offset = 16 * n;
    return { offset, end: offset + 16, after: 0, barrier: true, frame };
  };
  const refused = t.throws(
    () => {
      for (let n = 1; n < MiB / 16; n++) reassembly.accept(goaway(n), []);
    },
    { instanceOf: DwcpError, code: 'ERR_DWCP_LIMIT' },
  );
  t.regex(refused.message, /waits/);
  t.true(reassembly.heldBytes <= MiB);
});

/** A chunk frame with some of its header changed. */
function forged(change: (payload: Buffer) => void): Frame {
  const frame = received(new SendWindow(MiB).add(dataFrame(1, 'payload')).frame);
  change(frame.payload as Buffer);
  return frame;
}

const hostile: Record<string, [(payload: Buffer) => void, string]> = {
  'an offset whose end is beyond 48 bits': [
    (p) => p.writeUIntLE(maxOffset, 0, 6),
    'ERR_DWCP_FRAME_CORRUPT',
  ],
  'a chunk that follows a later one': [(p) => p.writeUIntLE(1, 6, 6), 'ERR_DWCP_FRAME_CORRUPT'],
  'a ping': [(p) => (p[12] = FrameKind.ping), 'ERR_DWCP_FRAME_KIND'],
  'a chunk in a chunk': [(p) => (p[12] = FrameKind.chunk), 'ERR_DWCP_FRAME_KIND'],
  'an unknown kind': [(p) => (p[12] = 200), 'ERR_DWCP_FRAME_KIND'],
  'a barrier of 2': [(p) => (p[13] = 2), 'ERR_DWCP_FRAME_FLAGS'],
  'reserved bits': [(p) => (p[15] = 1), 'ERR_DWCP_FRAME_FLAGS'],
};

for (const [name, [change, code]] of Object.entries(hostile)) {
  test(`a chunk header with ${name} is ${code}`, (t) => {
    t.throws(() => decodeChunk(forged(change)), { code, instanceOf: DwcpError });
  });
}

test('a chunk shorter than its header is ERR_DWCP_FRAME_CORRUPT', (t) => {
  const frame = forged(() => {});
  const short = { ...frame, payload: frame.payload.subarray(0, chunkHeaderBytes - 1) };
  t.throws(() => decodeChunk(short), { code: 'ERR_DWCP_FRAME_CORRUPT' });
});

function chunkAt(offset: number, sizeBytes: number, after = 0): Chunk {
  const frame = { kind: FrameKind.data, flags: 0, channel: 1, stream: 1, payload: Buffer.alloc(1) };
  return { offset, end: offset + sizeBytes, after, barrier: false, frame };
}

test('chunks that overlap are ERR_DWCP_FRAME_CORRUPT, wherever they do', (t) => {
  for (const [offset, sizeBytes] of [
    [50, 100],
    [150, 100],
    [99, 102],
    [10, 200],
  ] as const) {
    const reassembly = new Reassembly(MiB);
    reassembly.begin([]);
    reassembly.accept(chunkAt(100, 100), []);
    t.throws(() => reassembly.accept(chunkAt(offset, sizeBytes), []), {
      code: 'ERR_DWCP_FRAME_CORRUPT',
    });
  }
  const behind = new Reassembly(MiB);
  behind.begin([]);
  behind.accept(chunkAt(0, 100), []);
  t.throws(() => behind.accept(chunkAt(50, 100), []), { code: 'ERR_DWCP_FRAME_CORRUPT' });
});

test('memory is bounded: chunks too far ahead, too much that waits, too many gaps are ERR_DWCP_LIMIT', (t) => {
  const code = 'ERR_DWCP_LIMIT';
  const far = new Reassembly(1000);
  t.throws(() => far.accept(chunkAt(990, 11), []), { code });
  const held = new Reassembly(10_000);
  t.throws(
    () => {
      for (let n = 0; n < 100; n++) held.accept(chunkAt(n * 20, 20), []);
    },
    { code },
  );
  t.true(held.heldBytes <= 10_000 + 300);
  const gaps = new Reassembly(MiB);
  gaps.begin([]);
  t.throws(
    () => {
      for (let n = 1; n < 5000; n++) gaps.accept(chunkAt(n * 40, 20), []);
    },
    { code },
  );
  const window = new SendWindow(1000);
  t.throws(
    () => {
      for (let n = 0; n < 100; n++) window.add(dataFrame(1, 'x'.repeat(20)));
    },
    { code },
  );
});

test('an ack of what was never sent, or out of order, is ERR_DWCP_FRAME_CORRUPT', (t) => {
  const code = 'ERR_DWCP_FRAME_CORRUPT';
  const window = new SendWindow(MiB);
  const { end } = window.add(dataFrame(1, 'once'));
  t.throws(() => window.ack(end + 1, []), { code });
  t.throws(() => window.ack(0, [{ start: 1, end: end + 1 }]), { code });
  const backwards = { type: 'ack', base: 50, ranges: [{ start: 40, end: 60 }] } as const;
  t.throws(() => decodeControl(received(encodeControl(backwards))), { code });
  const empty = { type: 'ack', base: 50, ranges: [{ start: 60, end: 60 }] } as const;
  t.throws(() => decodeControl(received(encodeControl(empty))), { code });
  const reassembly = new Reassembly(MiB);
  reassembly.begin([]);
  t.throws(() => reassembly.begin([]), { code });
});

test('control frames come back as they were said', (t) => {
  for (const control of [
    { type: 'begin' },
    { type: 'bye' },
    { type: 'want', sockets: 32 },
    { type: 'ack', base: 2 ** 40, ranges: [{ start: 2 ** 41, end: 2 ** 41 + 5 }] },
  ] as const) {
    t.deepEqual(decodeControl(received(encodeControl(control))), control);
  }
});

test('random bytes as chunk or control give a value within bounds or a coded error', (t) => {
  const random = seededRandom(5);
  let [errors, values] = [0, 0];
  const head = { flags: 0xc0, channel: 1, stream: 0 };
  for (let n = 0; n < 20_000; n++) {
    const payload = Buffer.alloc(Math.floor(random.next() * 60));
    for (let i = 0; i < payload.length; i++) payload[i] = pick(random, [0, 1, 2, 3, 4, 7, 255]);
    for (const decode of [decodeChunk, decodeControl]) {
      try {
        const value = decode({ ...head, kind: FrameKind.chunk, payload });
        if ('end' in value) t.true(value.end <= maxOffset && value.after <= value.offset);
        values++;
      } catch (error) {
        if (!isDwcpError(error)) throw error;
        errors++;
      }
    }
  }
  t.true(errors > 1000 && values > 10, `${errors} errors, ${values} values`);
});
