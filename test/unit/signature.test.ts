/** signature and diffFromSignature: sizes, tiers mixed, forged and damaged signatures. */
import test from 'ava';
import {
  Baseline,
  Codec,
  DigestKind,
  codecsOf,
  decodeFrame,
  diffFromSignature,
  patch,
  readFrameInfo,
  signature,
} from '../../lib/compression/index.ts';
import { codeOf, noise, records, tiers } from '../fakes/codec.ts';

const old = records(12_000, 1);
const next = Buffer.concat([
  old.subarray(0, 100_000),
  Buffer.from('"something new"'),
  old.subarray(100_500, 700_000),
  records(20, 9),
  old.subarray(650_000),
]);

for (const native of tiers) {
  test(`${native.tier}: a signature is under 1 % and gives a delta every tier reads`, async (t) => {
    const wanted = await signature(old, { native });
    t.true(wanted.length < old.length / 100, `${wanted.length} of ${old.length} bytes`);
    for (const writer of tiers) {
      const frame = await diffFromSignature(wanted, next, { native: writer });
      t.is(readFrameInfo(frame).codec, Codec.chunk);
      t.true(frame.length < next.length / 100, `${frame.length} of ${next.length} bytes`);
      for (const reader of tiers) {
        t.true((await patch(Baseline.of(old), frame, { native: reader })).equals(next));
      }
    }
  });

  test(`${native.tier}: smaller blocks find more; small, empty and unrelated values go whole`, async (t) => {
    const size = async (blockBytes?: number): Promise<number> =>
      (await diffFromSignature(await signature(old, { native, blockBytes }), next, { native }))
        .length;
    t.true((await size(128)) < (await size()));
    const pairs: [Uint8Array, Uint8Array][] = [
      [Buffer.alloc(0), next],
      [old, Buffer.alloc(0)],
      [old, Buffer.from('tiny')],
      [noise(50_000, 1), noise(50_000, 2)],
      [Buffer.from('abc'), noise(40, 3)],
    ];
    for (const [a, b] of pairs) {
      const frame = await diffFromSignature(await signature(a, { native }), b, { native });
      t.is(readFrameInfo(frame).base, undefined);
      t.true((await patch(Baseline.of(a), frame, { native })).equals(b));
    }
  });
}

test('both tiers make the same signature and the same frame', async (t) => {
  const digestKind = DigestKind.sha256;
  const made = await Promise.all(
    tiers.map(async (native) => {
      const wanted = await signature(old, { native, digestKind, blockBytes: 256 });
      return [wanted, await diffFromSignature(wanted, next, { native })] as const;
    }),
  );
  for (const [wanted, frame] of made) {
    t.true(wanted.equals(made[0]![0]));
    t.true(frame.equals(made[0]![1]));
  }
});

test('a reader without chunk deltas gets the whole value', async (t) => {
  const codecs = codecsOf(tiers[0]).decode.filter((codec) => codec !== Codec.chunk);
  const frame = await diffFromSignature(await signature(old), next, { codecs });
  t.is(readFrameInfo(frame).base, undefined);
  t.true((await decodeFrame(frame)).bytes.equals(next));
});

test('a signature whose hashes are of another value gives a frame that does not verify', async (t) => {
  const digestKind = DigestKind.sha256;
  const honest = await signature(old, { digestKind });
  const other = await signature(
    old.map((byte) => byte ^ 1),
    { digestKind },
  );
  // The head of one (which names the base), the hashes of the other.
  const forged = Buffer.concat([honest.subarray(0, 24), other.subarray(24, -4), Buffer.alloc(4)]);
  forged.writeUInt32LE(tiers[0]!.codec.crc32c(forged.subarray(0, -4)), forged.length - 4);
  const frame = await diffFromSignature(
    forged,
    old.map((byte) => byte ^ 1),
    { digestKind },
  );
  t.is(readFrameInfo(frame).codec, Codec.chunk);
  t.is(await codeOf(() => patch(Baseline.of(old), frame)), 'ERR_DWCP_FRAME_CHECKSUM');
});

test('every truncation and every flipped byte of a signature is refused by code', async (t) => {
  const wanted = await signature(old.subarray(0, 3000), { blockBytes: 64 });
  for (let size = 0; size < wanted.length; size++) {
    const code = await codeOf(() => diffFromSignature(wanted.subarray(0, size), next));
    t.regex(code!, /^ERR_DWCP_FRAME_(MAGIC|CORRUPT|CHECKSUM)$/);
  }
  for (let at = 0; at < wanted.length; at++) {
    const damaged = Buffer.from(wanted);
    damaged[at]! ^= 0x41;
    const code = await codeOf(() => diffFromSignature(damaged, next));
    t.regex(code!, /^ERR_DWCP_FRAME_/);
  }
});

test('no signature with a checksum that fits gives a wrong value', async (t) => {
  const base = old.subarray(0, 2000);
  const value = Buffer.concat([old.subarray(0, 900), Buffer.from('edit'), old.subarray(900, 2000)]);
  const wanted = await signature(base, { blockBytes: 64, digestKind: DigestKind.sha256 });
  const outcomes = new Set<string>();
  for (let at = 0; at < wanted.length - 4; at++) {
    const forged = Buffer.from(wanted);
    forged[at]! ^= 1 << (at % 8);
    forged.writeUInt32LE(tiers[0]!.codec.crc32c(forged.subarray(0, -4)), forged.length - 4);
    const native = tiers[at % tiers.length];
    const code = await codeOf(async () => {
      const frame = await diffFromSignature(forged, value, { native });
      const result = await patch(Baseline.of(base), frame);
      if (!result.equals(value)) throw new Error(`a wrong value from a flip at ${at}`);
    });
    outcomes.add(code ?? 'right');
  }
  t.true(outcomes.has('right') && outcomes.has('ERR_DWCP_FRAME_CORRUPT'));
  for (const outcome of outcomes) t.regex(outcome, /^(right|ERR_DWCP_(FRAME_|BASE_|CODEC).*)$/);
});

test('a signature is held against its limit before it is read', async (t) => {
  const wanted = await signature(old);
  const limits = { maxSignatureBytes: wanted.length - 1 };
  t.is(await codeOf(() => diffFromSignature(wanted, next, { limits })), 'ERR_DWCP_LIMIT');
  const exact = { maxSignatureBytes: wanted.length };
  t.is(await codeOf(() => diffFromSignature(wanted, next, { limits: exact })), undefined);
});

test('bad options and aborts are refused by code', async (t) => {
  for (const blockBytes of [0, 32, 100, 131_072, 1.5]) {
    t.is(await codeOf(() => signature(old, { blockBytes })), 'ERR_DWCP_INVALID_ARG');
  }
  const signal = AbortSignal.abort();
  t.is(await codeOf(() => signature(old, { signal })), 'ERR_DWCP_ABORTED');
  const wanted = await signature(old);
  t.is(await codeOf(() => diffFromSignature(wanted, next, { signal })), 'ERR_DWCP_ABORTED');
  t.is(await codeOf(() => diffFromSignature('no' as never, next)), 'ERR_DWCP_INVALID_ARG');
});
