/** compress and decompress on every tier of this process. */
import { randomBytes } from 'node:crypto';
import test from 'ava';
import {
  ChecksumKind,
  Codec,
  DigestKind,
  codecsOf,
  compress,
  compressAsync,
  decompress,
  decompressAsync,
  digest,
  digestAsync,
  digestEquals,
  digestFromName,
  digestKindsOf,
  digestName,
  readFrameInfo,
} from '../../lib/compression/index.ts';
import { codeOf, noise, records, tiers } from '../fakes/codec.ts';

const whole = [Codec.raw, Codec.zstd, Codec.brotli] as const;

for (const native of tiers) {
  test(`${native.tier}: sync and async forms agree at every size`, async (t) => {
    for (const count of [0, 1, 2, 30, 600, 9000]) {
      const content = records(count, count);
      const frame = compress(content, { native });
      t.deepEqual(await compressAsync(content, { native }), frame);
      t.true(decompress(frame, { native }).equals(content));
      t.true((await decompressAsync(frame, { native })).equals(content));
    }
  });

  test(`${native.tier}: every whole-content codec round trips`, (t) => {
    const content = records(300, 4);
    for (const codec of whole.filter((id) => codecsOf(native).encode.includes(id))) {
      const frame = compress(content, { native, codec });
      t.is(readFrameInfo(frame, native).codec, codec);
      t.true(decompress(frame, { native }).equals(content));
    }
  });

  test(`${native.tier}: digests agree between forms and have names`, async (t) => {
    const content = records(6000, 5);
    t.true(digestKindsOf(native).includes(DigestKind.sha256));
    for (const kind of Object.values(DigestKind)) {
      const sum = digest(kind, content, native);
      t.true(digestEquals(sum, await digestAsync(kind, content, native)));
      t.true(digestEquals(sum, digestFromName(digestName(sum))!));
    }
    t.is(digestFromName('x3-12'), undefined);
  });
}

test('a frame made on one tier is read on the other', async (t) => {
  const content = records(2000, 6);
  for (const writer of tiers) {
    for (const codec of whole.filter((id) => codecsOf(writer).encode.includes(id))) {
      for (const reader of tiers.filter((tier) => codecsOf(tier).decode.includes(codec))) {
        const frame = await compressAsync(content, { native: writer, codec });
        t.true((await decompressAsync(frame, { native: reader })).equals(content));
      }
    }
  }
});

test('digests of different kinds never compare equal', (t) => {
  const bytes = Buffer.alloc(16, 7);
  t.false(digestEquals({ kind: DigestKind.xxh3, bytes }, { kind: DigestKind.sha256, bytes }));
});

// features.md section 3, trap 1: inputs stored raw without a flag were fed to zstd on decode.
test('incident magic-mismatch: what is stored raw says so and comes back', (t) => {
  for (const size of [0, 1, 31, 32, 511, 512, 4096]) {
    const content = randomBytes(size);
    const frame = compress(content);
    t.is(readFrameInfo(frame).codec, Codec.raw);
    t.true(decompress(frame).equals(content));
  }
});

test('the result is the caller’s own memory', (t) => {
  const frame = compress(noise(50, 8));
  const content = decompress(frame);
  frame.fill(0);
  t.true(content.equals(noise(50, 8)));
});

test('arguments are checked and named', async (t) => {
  const wrong = [
    () => compress('text' as unknown as Uint8Array),
    () => compress(new Uint8Array(new SharedArrayBuffer(8))),
    () => compress(Buffer.alloc(8), { level: 20 }),
    () => compress(Buffer.alloc(8), { level: 1.5 }),
    () => compress(Buffer.alloc(8), { codec: Codec.chunk }),
  ];
  for (const call of wrong) t.is(await codeOf(call), 'ERR_DWCP_INVALID_ARG');
});

test('an aborted signal stops a call with its reason', async (t) => {
  const signal = AbortSignal.abort(new Error('enough'));
  t.is(await codeOf(() => compressAsync(Buffer.alloc(9), { signal })), 'ERR_DWCP_ABORTED');
  const frame = compress(Buffer.alloc(9));
  t.is(await codeOf(() => decompressAsync(frame, { signal })), 'ERR_DWCP_ABORTED');
});

test('a brotli window above maxWindowLog is refused from its first byte', async (t) => {
  const frame = compress(records(9000, 9), { codec: Codec.brotli, checksum: ChecksumKind.none });
  const limits = { maxWindowLog: 16 };
  t.is(await codeOf(() => decompress(frame, { limits })), 'ERR_DWCP_WINDOW_LIMIT');
  t.is(await codeOf(() => decompressAsync(frame, { limits })), 'ERR_DWCP_WINDOW_LIMIT');
});

test('a delta cannot be decompressed without its base', async (t) => {
  const { Baseline, diff } = await import('../../lib/compression/index.ts');
  const base = records(400, 10);
  const frame = await diff(Baseline.of(base), Buffer.concat([base, Buffer.from('tail')]));
  t.is(await codeOf(() => decompress(frame)), 'ERR_DWCP_BASE_MISSING');
});
