/** The short form of the frame: what it costs, what it refuses, and that both tiers agree on every byte. */
import test from 'ava';
import {
  Baseline,
  ChecksumKind,
  Codec,
  Dictionary,
  compress,
  compressAsync,
  compressBound,
  compressInto,
  compressIntoAsync,
  decompress,
  decompressInto,
  decompressIntoAsync,
  diff,
} from '../../lib/compression/index.ts';
import { readFrameInfo } from '../../lib/compression/index.ts';
import { native } from '../../lib/native/load.ts';
import { native as portable } from '../../lib/native/portable.ts';
import { codeOf, noise, records, tiers } from '../fakes/codec.ts';

const text = records(12, 7);
const dictionary = Dictionary.from(records(40, 8));
const zstd = native.codec.abilities.dictionaryEncode;
const none = { checksum: ChecksumKind.none };
/** Frames of {@link text} with what they need: coded, coded with a dictionary, raw. */
const frames: readonly (readonly [string, Buffer])[] = [
  ['raw', Buffer.from('dc1303b73f4b36d2616263', 'hex')],
  ...(zstd ? ([['coded', compress(text)]] as const) : []),
  ...(zstd ? ([['with a dictionary', compress(text, { dictionary })]] as const) : []),
];

/** Frames of version 1, which must stay readable, and what is in them. */
const vectors = [
  { hex: 'dc13000000000066', text: '' },
  { hex: 'dc1303b73f4b36d2616263', text: 'abc' },
  {
    hex: 'dc173eb42e44e2c6807468652073616d6520776f7264732c2001001e732e01',
    text: 'the same words, the same words, the same words, the same words',
  },
  {
    hex: 'dc1f52b8c68172a039b9a6ed80343731312c22746f74616c223a31327d02004a20b4110520',
    text: '{"type":"order","currency":"EUR","customer":{"id":4711,"country":"DE"},"total":12}',
    dictionary: '{"type":"order","currency":"EUR","customer":{"id":,"country":"DE"}}',
  },
];

for (const tier of tiers) {
  test(`${tier.tier}: frames of version 1 stay readable`, (t) => {
    for (const { hex, text: expected, dictionary: shared } of vectors) {
      const given = shared === undefined ? undefined : Dictionary.from(Buffer.from(shared));
      const options = { native: tier, dictionary: given };
      t.is(decompress(Buffer.from(hex, 'hex'), options).toString(), expected);
    }
  });
}

test('a record costs five bytes, nine with a dictionary, and four more for the checksum', (t) => {
  t.is(zstd, native.codec.abilities.zstd);
  if (!zstd) return;
  const small = Buffer.from('{"a":1}');
  t.is(compress(small, none).length, 7 + 4);
  t.is(compress(small).length, 7 + 8);
  const frame = compress(text, { ...none, dictionary });
  const info = readFrameInfo(frame);
  t.like(info, { form: 'record', codec: Codec.zstd, contentBytes: text.length });
  t.is(info.headerBytes, 2 + 2 + 4 + 1);
  t.is(readFrameInfo(compress(text, { dictionary })).headerBytes, info.headerBytes + 4);
});

test('every truncation ends in a code, every single-byte change in a code or the same content', async (t) => {
  for (const [name, frame] of frames) {
    const expected = decompress(frame, { dictionary });
    const read = (bytes: Buffer) =>
      codeOf(() => t.deepEqual(decompress(bytes, { dictionary }), expected));
    for (let size = 0; size < frame.length; size++) {
      t.truthy(await read(frame.subarray(0, size)), `${name}: first ${size} bytes`);
    }
    const { headerBytes } = readFrameInfo(frame);
    for (let at = 0; at < frame.length; at++) {
      for (const flip of [1, 2, 4, 8, 16, 32, 64, 128, 255]) {
        const bad = Buffer.from(frame);
        bad[at]! ^= flip;
        const code = await read(bad);
        // Some bits of an entropy table mean nothing; what is read is verified all the same.
        if (at < headerBytes || name === 'raw') t.truthy(code, `${name}: byte ${at} ^ ${flip}`);
      }
    }
    t.truthy(await read(Buffer.concat([frame, Buffer.alloc(1)])), `${name}: a byte too many`);
  }
});

test('what is unknown is named', async (t) => {
  const [, frame] = frames[0]!;
  const tried = async (at: number, value: number) => {
    const bad = Buffer.from(frame);
    bad[at] = value;
    return codeOf(() => decompress(bad));
  };
  t.is(await tried(0, 0x28), 'ERR_DWCP_FRAME_MAGIC');
  t.is(await tried(1, 0x23), 'ERR_DWCP_FRAME_VERSION');
  t.is(await tried(1, 0x11), 'ERR_DWCP_FRAME_FLAGS');
  t.is(await tried(2, 0x7f), 'ERR_DWCP_FRAME_CHECKSUM');
});

test('limits hold before any work', async (t) => {
  for (const [name, frame] of frames) {
    const { contentBytes } = readFrameInfo(frame);
    const limits = { maxOutputBytes: contentBytes - 1 };
    const read = () => decompress(frame, { dictionary, limits });
    t.is(await codeOf(read), 'ERR_DWCP_OUTPUT_LIMIT', name);
    const dst = Buffer.alloc(contentBytes - 1, 7);
    const into = () => decompressInto(frame, dst, { dictionary });
    t.is(await codeOf(into), 'ERR_DWCP_OUTPUT_LIMIT', name);
    t.true(dst.every((byte) => byte === 7));
  }
});

for (const tier of tiers) {
  const name = tier.tier;
  const options = tier.codec.abilities.dictionaryEncode
    ? { dictionary, native: tier }
    : { native: tier };

  test(`${name}: into the caller's memory, at the sizes where forms change`, async (t) => {
    for (const size of [0, 1, 31, 32, 127, 128, 4096, 65_535, 65_536, 65_537]) {
      for (const src of [noise(size, 3), Buffer.alloc(size, text)]) {
        const dst = Buffer.alloc(compressBound(size) + 8, 0x55);
        const frameBytes = compressInto(src, dst.subarray(0, -8), options);
        t.deepEqual(dst.subarray(-8), Buffer.alloc(8, 0x55), 'nothing behind the target');
        const frame = Buffer.from(dst.subarray(0, frameBytes));
        t.deepEqual(frame, compress(src, options));
        t.is(await compressIntoAsync(src, dst, options), frameBytes);
        t.deepEqual(dst.subarray(0, frameBytes), frame);
        const back = Buffer.alloc(size + 8, 0x55);
        t.is(decompressInto(frame, back, options), size);
        t.deepEqual(back, Buffer.concat([src, Buffer.alloc(8, 0x55)]));
        back.fill(0);
        t.is(await decompressIntoAsync(frame, back, options), size);
        t.deepEqual(back.subarray(0, size), src);
      }
    }
  });

  test(`${name}: a target that is too small is refused and holds nothing`, async (t) => {
    const code = 'ERR_DWCP_OUTPUT_LIMIT';
    for (const src of [text, Buffer.alloc(70_000, text), noise(70_000, 2)]) {
      const { length } = compress(src, options);
      for (const room of [0, 1, 10, length - 1]) {
        const dst = Buffer.alloc(room, 0x55);
        t.is(await codeOf(() => compressInto(src, dst, options)), code, `${src.length} in ${room}`);
        const kept = src.length > 65_536 && room > 30 ? 0 : dst[0];
        t.true(dst.every((byte) => byte === 0 || byte === kept));
        t.is(await codeOf(() => compressIntoAsync(src, dst, options)), code);
      }
    }
    const exact = Buffer.alloc(compress(text, options).length);
    t.is(compressInto(text, exact, options), exact.length, 'a record fits exactly');
  });

  test(`${name}: memory that is shared, detached, resizable or overlaps is refused`, async (t) => {
    const dst = Buffer.alloc(1000);
    const src = Buffer.alloc(100, text);
    const detached = new Uint8Array(100);
    structuredClone(detached.buffer, { transfer: [detached.buffer] });
    const shared = new Uint8Array(new SharedArrayBuffer(100));
    const arena = Buffer.alloc(2000, text);
    const frame = compress(text, options);
    const bad: (() => unknown)[] = [detached, shared, 'x' as never].flatMap((bytes) => [
      () => compressInto(bytes, dst, options),
      () => compressInto(src, bytes, options),
      () => compressIntoAsync(bytes, dst, options),
      () => decompressInto(bytes, dst, options),
      () => decompressInto(frame, bytes, options),
      () => decompressIntoAsync(frame, bytes, options),
    ]);
    for (const bytes of [detached, shared]) {
      bad.push(
        () => compress(bytes, options),
        () => compressAsync(bytes, options),
        () => decompress(bytes, options),
        () => Baseline.of(bytes),
        () => diff(Baseline.of(src), bytes, options),
      );
    }
    bad.push(
      () => compressInto(arena.subarray(0, 300), arena.subarray(299), options),
      () => compressInto(arena.subarray(100, 200), arena, options),
      () => decompressInto(frame, frame, options),
    );
    for (const call of bad) t.is(await codeOf(call), 'ERR_DWCP_INVALID_ARG', String(call));
  });

  test(`${name}: damaged content never stays in the target`, async (t) => {
    for (const src of [text, Buffer.alloc(70_000, text)]) {
      const bad = compress(src, options);
      bad[bad.length - 3]! ^= 1;
      const dst = Buffer.alloc(src.length, 0x55);
      t.truthy(await codeOf(() => decompressInto(bad, dst, options)));
      t.true(dst.every((byte) => byte === 0) || dst.every((byte) => byte === 0x55));
    }
  });
}

test('frames in a row share memory, stay as they were, and are compressed again', (t) => {
  const kept = Array.from({ length: 200 }, (_, i) => {
    const content = Buffer.from(`${i}`.padEnd(20 + 7 * i, 'the same again '));
    return { content, frame: compress(content) };
  });
  for (const { content, frame } of kept) {
    t.deepEqual(decompress(frame), content);
    t.deepEqual(decompress(decompress(compress(frame))), content);
  }
  const frame = compress(text);
  const memory = frame.buffer as ArrayBuffer;
  try {
    structuredClone(memory, { transfer: [memory] });
  } catch {
    // Node from 21 on says that it is not to be transferred; before, it is copied.
  }
  t.deepEqual(decompress(frame), text);
  t.deepEqual(decompress(compress(text)), text);
});

test('a record made on one tier is read on the other', (t) => {
  for (const [name, frame] of frames) {
    if (name === 'with a dictionary') continue;
    t.deepEqual(decompress(frame, { native: portable }), decompress(frame), name);
  }
  t.deepEqual(decompress(compress(text, { native: portable })), text);
});

test('a raw dictionary is understood by the portable tier', (t) => {
  const named = frames.find(([name]) => name === 'with a dictionary');
  t.is(named !== undefined, zstd);
  if (!named) return;
  t.deepEqual(decompress(named[1], { dictionary, native: portable }), text);
});
