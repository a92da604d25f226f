/** The codec frame: what it states, what it refuses, and in which order. */
import test from 'ava';
import {
  ChecksumKind,
  Codec,
  DigestKind,
  compress,
  decompress,
} from '../../lib/compression/index.ts';
import { digest, readFrameInfo } from '../../lib/compression/index.ts';
import { writeFrame } from '../../lib/compression/frame.ts';
import { native as portable } from '../../lib/native/portable.ts';
import { codeOf, forged, noise, records } from '../fakes/codec.ts';

const native = portable;
const content = records(50, 1);
const frame = compress(content, { native, codec: Codec.brotli });
const headerBytes = readFrameInfo(frame, native).headerBytes;
const open = (bytes: Buffer) => (): Buffer => decompress(bytes, { native });

test('a frame describes itself', (t) => {
  const info = readFrameInfo(frame, native);
  t.like(info, {
    version: 1,
    codec: Codec.brotli,
    contentBytes: content.length,
    frameBytes: frame.length,
    base: undefined,
  });
  t.is(info.headerBytes + info.storedBytes, frame.length);
  t.is(info.checksum.kind, ChecksumKind.crc32c);
});

test('headers stay small: 15 bytes for a record, 48 for a delta of megabytes', (t) => {
  const record = compress(Buffer.from('{"a":1}'), { native });
  t.is(record.length, 7 + 15);
  const bare = compress(Buffer.from('{"a":1}'), { native, checksum: ChecksumKind.none });
  t.is(bare.length, 7 + 11);
  const sum = digest(DigestKind.sha256, content, native);
  const header = { codec: Codec.chunk, contentBytes: 8_400_000, base: sum, checksum: sum };
  const delta = writeFrame(native.codec, header, Buffer.alloc(100_000));
  t.true(readFrameInfo(delta, native).headerBytes <= 48);
});

test('unknown magic, version, codec, flags and digest kind are named before any work', async (t) => {
  const tried = async (at: number, value: number) =>
    codeOf(open(forged(frame, headerBytes, (header) => void (header[at] = value))));
  t.is(await tried(0, 0x28), 'ERR_DWCP_FRAME_MAGIC');
  t.is(await tried(2, 2), 'ERR_DWCP_FRAME_VERSION');
  t.is(await tried(3, 6), 'ERR_DWCP_FRAME_CODEC');
  for (const bit of [6, 7]) t.is(await tried(4, frame[4]! | (1 << bit)), 'ERR_DWCP_FRAME_FLAGS');
  t.is(await tried(4, frame[4]! | (3 << 2)), 'ERR_DWCP_FRAME_FLAGS', 'base digest kind 3');
  t.is(await codeOf(open(Buffer.alloc(0))), 'ERR_DWCP_FRAME_MAGIC');
});

test('a digest of either kind is verified on every tier', async (t) => {
  const text = Buffer.from('abc');
  for (const kind of Object.values(DigestKind)) {
    const right = digest(kind, text, native);
    const header = { codec: Codec.raw, contentBytes: text.length, checksum: right };
    t.deepEqual(open(writeFrame(native.codec, header, text))(), text);
    const wrong = { ...header, checksum: { kind, bytes: Buffer.alloc(16) } };
    const code = await codeOf(open(writeFrame(native.codec, wrong, text)));
    t.is(code, 'ERR_DWCP_FRAME_CHECKSUM');
  }
});

test('a damaged header is found by its CRC', async (t) => {
  const damaged = Buffer.from(frame);
  damaged[5]! ^= 1;
  t.is(await codeOf(open(damaged)), 'ERR_DWCP_FRAME_CHECKSUM');
});

test('length must be exact: every truncation and any extra byte is refused', async (t) => {
  for (let size = 0; size < frame.length; size++) {
    t.truthy(await codeOf(open(frame.subarray(0, size))), `${size} bytes`);
  }
  t.is(await codeOf(open(Buffer.concat([frame, Buffer.alloc(1)]))), 'ERR_DWCP_FRAME_CORRUPT');
});

test('a wrong payload is never handed over', async (t) => {
  const raw = compress(noise(100, 2), { native });
  raw[raw.length - 1]! ^= 1;
  t.is(await codeOf(open(raw)), 'ERR_DWCP_FRAME_CHECKSUM');
});

test('a delta flag without a base, and a base without a delta, contradict themselves', async (t) => {
  const checksum = digest(DigestKind.sha256, content, native);
  const orphan = { codec: Codec.chunk, contentBytes: content.length, checksum };
  const stray = { codec: Codec.raw, contentBytes: content.length, checksum, base: checksum };
  for (const header of [orphan, stray]) {
    t.is(await codeOf(open(writeFrame(native.codec, header, content))), 'ERR_DWCP_FRAME_CORRUPT');
  }
});

test('sizes are held against the limits before anything is allocated', async (t) => {
  const checksum = { kind: ChecksumKind.none, bytes: Buffer.alloc(0) };
  const claim = (contentBytes: number): Buffer =>
    writeFrame(native.codec, { codec: Codec.brotli, contentBytes, checksum }, Buffer.alloc(9000));
  t.is(await codeOf(open(claim(2 ** 52))), 'ERR_DWCP_OUTPUT_LIMIT');
  t.is(await codeOf(open(claim(64 * 1024 * 1024))), 'ERR_DWCP_OUTPUT_LIMIT', 'maxRatio');
  const small = { native, limits: { maxOutputBytes: 100 } };
  t.is(await codeOf(() => decompress(frame, small)), 'ERR_DWCP_OUTPUT_LIMIT');
});

test('honest, extremely compressible data stays readable under the default ratio', (t) => {
  const zeros = Buffer.alloc(8 * 1024 * 1024);
  const packed = compress(zeros, { native });
  t.true(packed.length < zeros.length / 900);
  t.true(decompress(packed, { native }).equals(zeros));
});
