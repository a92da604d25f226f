/** The chunk delta: what it finds, and what its decoder refuses. */
import test from 'ava';
import { Baseline } from '../../lib/compression/baseline.ts';
import { decodeChunk, decodeChunkAsync, encodeChunk } from '../../lib/compression/chunk-delta.ts';
import { encodeChunkAsync } from '../../lib/compression/chunk-delta.ts';
import { Coding, packOps, writeChunkPayload } from '../../lib/compression/chunk-format.ts';
import { ChunkScanner } from '../../lib/compression/chunk-scan.ts';
import { commonBackward, commonForward } from '../../lib/compression/chunk-match.ts';
import { defaultLimits } from '../../lib/limits.ts';
import { codeOf, noise, records } from '../fakes/codec.ts';

const limits = defaultLimits.codec;
const options = { level: 3, maxLiteralBytes: Number.MAX_SAFE_INTEGER };
const value = records(4000, 1);

function delta(base: Buffer, next: Buffer): Buffer {
  return encodeChunk(Baseline.of(base).chunkIndex(), base, next, options)!;
}

function splice(bytes: Buffer, at: number, drop: number, insert: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + drop)]);
}

const edits: Readonly<Record<string, Buffer>> = {
  nothing: Buffer.from(value),
  insertion: splice(value, 100_001, 0, noise(333, 2)),
  deletion: splice(value, 50_000, 4321, Buffer.alloc(0)),
  replacement: splice(value, 77_777, 10, Buffer.from('XXXXXXXXXX')),
  'a move': Buffer.concat([value.subarray(200_000), value.subarray(0, 200_000)]),
  'a doubled half': Buffer.concat([value, value.subarray(0, 150_000)]),
  'a cut to the front': value.subarray(0, 1000),
  'a cut to the back': value.subarray(value.length - 1000),
  'growth at both ends': Buffer.concat([noise(50, 3), value, noise(50, 4)]),
  emptiness: Buffer.alloc(0),
};

for (const [name, next] of Object.entries(edits)) {
  test(`round trip of ${name}; the delta is small`, async (t) => {
    const payload = delta(value, next);
    t.true(decodeChunk(payload, value, next.length, limits).equals(next));
    t.true((await decodeChunkAsync(payload, value, next.length, limits)).equals(next));
    t.true(payload.length < 600, `${payload.length} bytes`);
  });
}

test('unrelated bytes, zeros and repetition round trip', (t) => {
  const zeros = Buffer.alloc(300_000);
  const cases = [
    [noise(200_000, 5), noise(200_000, 6)],
    [zeros, Buffer.alloc(299_990)],
    [zeros, splice(zeros, 1000, 1, Buffer.from('x'))],
    [Buffer.alloc(100_000, 'abcab'), Buffer.alloc(150_000, 'abcab')],
    [Buffer.from('short'), value],
    [value, Buffer.from('short')],
  ] as const;
  for (const [base, next] of cases) {
    t.true(decodeChunk(delta(base, next), base, next.length, limits).equals(next));
  }
});

test('a base in unaligned memory finds the same', (t) => {
  const shifted = Buffer.allocUnsafeSlow(value.length + 1).subarray(1);
  value.copy(shifted);
  t.deepEqual(delta(shifted, edits['insertion']!), delta(value, edits['insertion']!));
});

test('slices give the same delta as one go', async (t) => {
  const base = records(60_000, 7);
  const next = splice(splice(base, 2_000_000, 40, noise(70, 8)), 9, 0, noise(900_000, 9));
  const baseline = Baseline.of(base);
  const [first, second] = await Promise.all([
    baseline.chunkIndexAsync(),
    baseline.chunkIndexAsync(),
  ]);
  t.is(first, second, 'one build is shared');
  t.true(baseline.memoryBytes > base.length);
  const payload = (await encodeChunkAsync(first, base, next, options))!;
  t.deepEqual(payload, delta(base, next));
  t.true((await decodeChunkAsync(payload, base, next.length, limits)).equals(next));
  baseline.releaseIndex();
  t.is(baseline.memoryBytes, base.length);
});

test('a delta that matches too little is given up', async (t) => {
  const index = Baseline.of(value).chunkIndex();
  const few = { ...options, maxLiteralBytes: 100_000 };
  const strange = noise(100_001, 11);
  t.is(encodeChunk(index, value, strange, few), undefined);
  t.is(await encodeChunkAsync(index, value, strange, few), undefined);
});

test('an unchanged value is one copy', (t) => {
  const scanner = new ChunkScanner(Baseline.of(value).chunkIndex(), value, Buffer.from(value));
  while (!scanner.step());
  t.deepEqual(scanner.ops, [0, 0, value.length]);
});

test('common runs are exact at every length', (t) => {
  for (const length of [0, 1, 31, 32, 33, 127, 160, 161, 1000, 5000, 99_999]) {
    const other = Buffer.from(value);
    other[7 + length]! ^= 1;
    t.is(commonForward(value, 7, other, 7), length);
    t.is(commonBackward(value, 7 + length, other, 7 + length, 7 + length), 7 + length);
  }
  t.is(commonForward(value, 0, Buffer.from(value), 0), value.length);
});

const nothing = { coding: Coding.raw, bytes: Buffer.alloc(0) };

/** A payload with these operations (literals before, base offset, length) and raw literals. */
function crafted(ops: number[], literals: Buffer): Buffer {
  const bytes = packOps(ops);
  const raw = { coding: Coding.raw, bytes };
  const sizes = { opCount: ops.length / 3, opBytes: bytes.length, literalBytes: literals.length };
  return writeChunkPayload(sizes, raw, {
    coding: Coding.raw,
    bytes: literals,
  });
}

test('copies outside the base, and sums that differ from the content, are refused', async (t) => {
  const base = Buffer.alloc(100, 'b');
  const refused = async (payload: Buffer, contentBytes: number) =>
    codeOf(() => decodeChunk(payload, base, contentBytes, limits));
  const corrupt = 'ERR_DWCP_FRAME_CORRUPT';
  t.is(await refused(crafted([0, 0, 101], Buffer.alloc(0)), 101), corrupt, 'past the end');
  t.is(await refused(crafted([0, 2 ** 40, 50], Buffer.alloc(0)), 50), corrupt, 'offset');
  t.is(await refused(crafted([0, 50, 2 ** 45], Buffer.alloc(0)), 50), corrupt, 'length');
  t.is(await refused(crafted([0, -1, 50], Buffer.alloc(0)), 50), corrupt, 'before the start');
  t.is(await refused(crafted([0, 0, 60, 0, 0, 60], Buffer.alloc(0)), 100), corrupt, 'too much');
  t.is(await refused(crafted([0, 0, 60], Buffer.alloc(0)), 100), corrupt, 'too little');
  t.is(await refused(crafted([9, 0, 60], Buffer.alloc(5)), 65), corrupt, 'literals missing');
  t.is(await refused(crafted([5, 0, 60], Buffer.alloc(5)), 65), undefined, 'the good form');
  t.is(await refused(crafted([0, 0, 1, 0, 1, 1], Buffer.alloc(0)), 2), corrupt, 'too many');
});

test('operations are limited before they are read', async (t) => {
  const payload = writeChunkPayload(
    { opCount: 2_000_000, opBytes: 6_000_000, literalBytes: 0 },
    nothing,
    nothing,
  );
  const few = { ...limits, maxOps: 1_000_000 };
  t.is(await codeOf(() => decodeChunk(payload, value, 50_000_000, few)), 'ERR_DWCP_LIMIT');
  const code = await codeOf(() => decodeChunk(payload, value, 50_000_000, limits));
  t.is(code, 'ERR_DWCP_FRAME_CORRUPT');
});

test('an unknown payload version or coding is named', async (t) => {
  const payload = delta(value, edits['insertion']!);
  const tried = async (at: number, byte: number) => {
    const copy = Buffer.from(payload);
    copy[at] = byte;
    return codeOf(() => decodeChunk(copy, value, edits['insertion']!.length, limits));
  };
  t.is(await tried(0, 2), 'ERR_DWCP_FRAME_VERSION');
  t.is(await tried(1, 3), 'ERR_DWCP_FRAME_FLAGS');
  t.is(await tried(1, 2 << 2), 'ERR_DWCP_FRAME_FLAGS');
  t.is(await tried(1, 16), 'ERR_DWCP_FRAME_FLAGS');
});
