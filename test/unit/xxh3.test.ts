/** XXH3-128 in TypeScript: the vectors of the reference implementation, and the addon's answers. */
import test from 'ava';
import { native } from '../../lib/native/load.ts';
import { native as portable } from '../../lib/native/portable.ts';
import { seededRandom } from '../../lib/random.ts';

const MAX_SIZE_BYTES = 3_000_000;

/** The sanity buffer of xxHash's own tests: top bytes of a multiplicative generator. */
function sanityBuffer(sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  let state = 2_654_435_761n;
  for (let i = 0; i < sizeBytes; i += 1) {
    bytes[i] = Number(state >> 56n);
    state = BigInt.asUintN(64, state * 11_400_714_785_074_694_797n);
  }
  return bytes;
}

/** XSUM_XXH128_testdata with seed 0: length and canonical digest. */
const vectors: readonly (readonly [sizeBytes: number, digest: string])[] = [
  [0, '99aa06d3014798d86001c324468d497f'],
  [1, 'a6cd5e9392000f6ac44bdff4074eecdb'],
  [6, '082afe0b8162d12a3e7039bdda43cfc6'],
  [12, '6e3efd8fc7802b18061a192713f69ad9'],
  [24, '0ce966e4678d37611e7044d28b1b901d'],
  [48, 'a002ac4e5478227ef942219aed80f67b'],
  [81, '4952f58181ab00425e8bafb9f95fb803'],
  [222, '337e09641b948717f1aebd597cec6b3a'],
  [403, '1b6de21e332dd73dcdeb804d65c6dea4'],
  [512, '18d2d110dcc9bca1617e49599013cb6b'],
  [2048, 'f736557fd47073a5dd59e2c3a5f038e0'],
  [2240, 'ccb134fbfa7ce49d6e73a90539cf2948'],
  [2367, 'e89c0f6ff369b427cb37aeb9e5d361ed'],
];

const tiers = [...new Set([native, portable])];

for (const { tier, codec } of tiers) {
  test(`${tier}: the vectors of the reference implementation`, async (t) => {
    const bytes = sanityBuffer(2_367);
    for (const [sizeBytes, expected] of vectors) {
      const input = bytes.subarray(0, sizeBytes);
      t.is(codec.xxh3(input).toString('hex'), expected, `${sizeBytes} bytes`);
      t.is((await codec.xxh3Async(input)).toString('hex'), expected, `${sizeBytes} bytes`);
    }
  });
}

test('both tiers agree on every length to 2,000 at every alignment', (t) => {
  const bytes = Buffer.from(seededRandom(11).bytes(2_008));
  for (let sizeBytes = 0; sizeBytes <= 2_000; sizeBytes += 1) {
    const input = bytes.subarray(sizeBytes % 8, (sizeBytes % 8) + sizeBytes);
    const digest = portable.codec.xxh3(input);
    if (!digest.equals(native.codec.xxh3(input))) t.fail(`${sizeBytes} bytes`);
  }
  t.is(portable.codec.xxh3(bytes).length, 16);
});

test('both tiers agree on random lengths, sync and sliced', async (t) => {
  const seed = 12;
  const random = seededRandom(seed);
  const bytes = Buffer.from(random.bytes(MAX_SIZE_BYTES));
  for (let i = 0; i < 30; i += 1) {
    const start = Math.floor(random.next() * 64);
    const end = start + Math.floor(random.next() * (MAX_SIZE_BYTES - start));
    const input = bytes.subarray(start, end);
    const expected = native.codec.xxh3(input);
    t.deepEqual(portable.codec.xxh3(input), expected, `seed ${seed}, ${start} to ${end}`);
    t.deepEqual(
      await portable.codec.xxh3Async(input),
      expected,
      `seed ${seed}, ${start} to ${end}`,
    );
  }
});

test('carries survive inputs of all ones and all zeros', (t) => {
  for (const fill of [0x00, 0x80, 0xff]) {
    for (const sizeBytes of [16, 128, 240, 241, 1_024, 1_025, 100_000]) {
      const input = Buffer.alloc(sizeBytes, fill);
      t.deepEqual(portable.codec.xxh3(input), native.codec.xxh3(input), `${sizeBytes} × ${fill}`);
    }
  }
});

test('a large hash gives the event loop its turns', async (t) => {
  let turns = 0;
  const count = (): void => {
    turns += 1;
    pending = setImmediate(count);
  };
  let pending = setImmediate(count);
  await portable.codec.xxh3Async(Buffer.alloc(8 << 20));
  clearImmediate(pending);
  t.true(turns >= 8, `${turns} turns`);
});
