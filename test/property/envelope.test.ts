/** The link envelope: any frames in any chunks come back equal; any damage is a typed error. */
import test from 'ava';
import * as fc from 'fast-check';
import { isDwcpError } from '../../lib/errors.ts';
import {
  encodePreface,
  type Frame,
  FrameEncoder,
  FrameFlag,
  FrameKind,
  FrameParser,
  headerSizeBytes,
  type OutgoingFrame,
} from '../../lib/transport/index.ts';

const envelope = { maxPayloadBytes: 65_536, checksum: true };

const frames = fc.array(
  fc.record({
    kind: fc.constantFrom(...Object.values(FrameKind)),
    priority: fc.nat(3),
    low: fc.nat(0x1f),
    channel: fc.nat(0xffff),
    stream: fc.nat(0xffff_ffff),
    payload: fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 3 }),
  }),
  { maxLength: 20 },
);

type Drawn = typeof frames extends fc.Arbitrary<infer T> ? T : never;

function toFrames(drawn: Drawn): OutgoingFrame[] {
  return drawn.map(({ priority, low, ...frame }) => ({
    ...frame,
    flags: (priority << 6) | (frame.kind === FrameKind.data ? low : 0),
  }));
}

/** Parses `bytes` cut at the given places; copies what comes out at once, as views expire. */
function parse(bytes: Buffer, cuts: readonly number[], parser: FrameParser): Frame[] {
  const out: Frame[] = [];
  let at = 0;
  for (const cut of [...cuts, bytes.length]) {
    const end = Math.min(bytes.length, Math.max(at, cut));
    const batch: Frame[] = [];
    try {
      // A copy: chunks belong to the parser.
      parser.push(Buffer.from(bytes.subarray(at, end)), batch);
    } finally {
      out.push(...batch.map((frame) => ({ ...frame, payload: Buffer.from(frame.payload) })));
    }
    at = end;
  }
  return out;
}

test('what was encoded is parsed, whatever the chunks', (t) => {
  fc.assert(
    fc.property(frames, fc.array(fc.nat(8000), { maxLength: 40 }), (drawn, cutsDrawn) => {
      const sent = toFrames(drawn);
      const bytes = Buffer.concat([encodePreface(), new FrameEncoder(envelope).encode(sent)]);
      const cuts = cutsDrawn.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b);
      const parser = new FrameParser(envelope);
      const got = parse(bytes, cuts, parser);
      t.is(parser.version, 1);
      t.true(parser.atBoundary);
      t.deepEqual(
        got,
        sent.map((frame) => ({ ...frame, payload: Buffer.concat(frame.payload) })),
      );
    }),
  );
});

test('a flipped bit anywhere is a typed error, and earlier frames are not lost', (t) => {
  fc.assert(
    fc.property(frames, fc.nat(), fc.nat(7), (drawn, where, bit) => {
      const sent = toFrames(drawn);
      const body = new FrameEncoder(envelope).encode(sent);
      if (body.length === 0) return;
      const at = where % body.length;
      body[at]! ^= 1 << bit;
      const parser = new FrameParser(envelope);
      parser.push(encodePreface(), []);
      const got: Frame[] = [];
      let error: unknown;
      try {
        parser.push(body, got);
        parser.end();
      } catch (caught) {
        error = caught;
      }
      t.true(isDwcpError(error), 'the damage was noticed');
      let end = 0;
      let whole = 0;
      for (const frame of sent) {
        end += headerSizeBytes + frame.payload.reduce((sum, part) => sum + part.length, 0);
        if (end <= at) whole++;
      }
      t.is(got.length, whole);
    }),
  );
});

test('random bytes give frames or typed errors, never anything else', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), fc.boolean(), (bytes, greeted) => {
        const parser = new FrameParser(envelope);
        try {
          if (greeted) parser.push(encodePreface(), []);
          parser.push(Buffer.from(bytes), []);
          parser.end();
        } catch (error) {
          return isDwcpError(error);
        }
        return true;
      }),
    ),
  );
});

const cases: Record<string, [(header: Buffer) => void, string]> = {
  'a length over the limit': [(h) => h.writeUInt32LE(65_537, 0), 'ERR_DWCP_LIMIT'],
  'a length of 4 GiB': [(h) => h.writeUInt32LE(0xffff_ffff, 0), 'ERR_DWCP_LIMIT'],
  'kind 0': [(h) => (h[4] = 0), 'ERR_DWCP_FRAME_KIND'],
  'kind 10': [(h) => (h[4] = 10), 'ERR_DWCP_FRAME_KIND'],
  'a reserved data flag': [(h) => (h[5] = 0x20), 'ERR_DWCP_FRAME_FLAGS'],
  'a wrong CRC': [(h) => h.writeUInt32LE(1, 12), 'ERR_DWCP_FRAME_CHECKSUM'],
  'a changed stream': [(h) => (h[8] = 9), 'ERR_DWCP_FRAME_CHECKSUM'],
};

for (const [name, [damage, code]] of Object.entries(cases)) {
  test(`${name} is ${code}, with the header alone where it can be`, (t) => {
    const frame = {
      kind: FrameKind.data,
      flags: FrameFlag.end,
      channel: 1,
      stream: 1,
      payload: [Buffer.from('x')],
    };
    const bytes = new FrameEncoder(envelope).encode([frame]);
    damage(bytes);
    const parser = new FrameParser(envelope);
    parser.push(encodePreface(), []);
    const needed = code === 'ERR_DWCP_FRAME_CHECKSUM' ? bytes.length : headerSizeBytes;
    t.throws(() => parser.push(bytes.subarray(0, needed), []), { code });
  });
}

test('prefaces: foreign magic, reserved bits, versions without overlap', (t) => {
  const push = (preface: Buffer): void => new FrameParser(envelope).push(preface, []);
  t.throws(() => push(Buffer.from('GET / HT')), { code: 'ERR_DWCP_FRAME_MAGIC' });
  t.throws(() => push(encodePreface({ min: 2, max: 9 })), { code: 'ERR_DWCP_FRAME_VERSION' });
  t.throws(() => push(encodePreface({ min: 0, max: 0 })), { code: 'ERR_DWCP_FRAME_VERSION' });
  t.throws(() => push(encodePreface({ min: 3, max: 1 })), { code: 'ERR_DWCP_FRAME_VERSION' });
  const reserved = encodePreface();
  reserved[6] = 1;
  t.throws(() => push(reserved), { code: 'ERR_DWCP_FRAME_FLAGS' });
  const parser = new FrameParser({ ...envelope, versions: { min: 1, max: 3 } });
  parser.push(encodePreface({ min: 2, max: 7 }), []);
  t.is(parser.version, 3);
});

test('under TLS the CRC field is zero and must be', (t) => {
  const secure = { ...envelope, checksum: false };
  const frame = {
    kind: FrameKind.ping,
    flags: 0,
    channel: 0,
    stream: 0,
    payload: [Buffer.alloc(8)],
  };
  const bytes = new FrameEncoder(secure).encode([frame]);
  t.is(bytes.readUInt32LE(12), 0);
  const parser = new FrameParser(secure);
  const got: Frame[] = [];
  parser.push(encodePreface(), got);
  parser.push(Buffer.from(bytes), got);
  t.is(got.length, 1);
  bytes[12] = 1;
  t.throws(() => parser.push(bytes, got), { code: 'ERR_DWCP_FRAME_CHECKSUM' });
});

test('a link that ends inside a frame is ERR_DWCP_FRAME_CORRUPT', (t) => {
  const parser = new FrameParser(envelope);
  parser.push(encodePreface(), []);
  parser.end();
  parser.push(Buffer.from([1]), []);
  t.throws(() => parser.end(), { code: 'ERR_DWCP_FRAME_CORRUPT' });
});

test('an encoder refuses a payload over the limit', (t) => {
  const frame = {
    kind: FrameKind.data,
    flags: 0,
    channel: 0,
    stream: 1,
    payload: [Buffer.alloc(65_537)],
  };
  t.throws(() => new FrameEncoder(envelope).encode([frame]), { code: 'ERR_DWCP_LIMIT' });
});
