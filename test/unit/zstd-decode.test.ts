/** The zstd decoder in TypeScript, against published frames and against the decoder of libzstd. */
import test from 'ava';
import { isDwcpError } from '../../lib/errors.ts';
import { native } from '../../lib/native/load.ts';
import { decodeZstd, decodeZstdAsync } from '../../lib/native/zstd-decode.ts';
import { seededRandom } from '../../lib/random.ts';
import { bomb, sample } from '../seam/native-binding-kit.ts';

const maxWindowLog = 27;

/** Bytes where long and short matches, runs and noise follow each other. */
function mixture(sizeBytes: number, seed: number): Buffer {
  const random = seededRandom(seed);
  const bytes = sample(sizeBytes, seed, 2 + Math.floor(random.next() * 60));
  for (let at = 0; at < sizeBytes;) {
    const size = 1 + Math.floor(random.next() ** 4 * 9_000);
    const from = Math.floor(random.next() * (at + 1));
    if (random.next() < 0.4) bytes.copyWithin(at, from, from + size);
    else if (random.next() < 0.2) bytes.fill(seed, at, Math.min(at + size, sizeBytes));
    at += size;
  }
  return bytes;
}

/** What a decoder made of a frame: its content, or its error code. */
function outcome(decode: () => Buffer): Buffer | string {
  try {
    return decode();
  } catch (error) {
    if (isDwcpError(error)) return error.code;
    throw error;
  }
}

test('frames of libzstd 1.5.7: sequences with an own tree, a prefix, a run', async (t) => {
  const prefix = Buffer.from('0123456789 the quick brown fox jumps over the lazy dog 9876543210');
  const delta = Buffer.from('28b52ffd2032750000382c207477696365010064530101', 'hex');
  const content = 'the quick brown fox jumps over the lazy dog, twice';
  const options = { sizeBytes: content.length, maxWindowLog, prefix };
  t.is(decodeZstd(delta, options).toString(), content);
  t.is((await decodeZstdAsync(delta, options)).toString(), content);
  const short = { ...options, prefix: prefix.subarray(20) };
  t.throws(() => decodeZstd(delta, short), { code: 'ERR_DWCP_CODEC' });
  const zeros = decodeZstd(bomb(2, true), { sizeBytes: 262_144, maxWindowLog });
  t.deepEqual(zeros, Buffer.alloc(262_144));
});

test('a bomb stops at the size asked for', (t) => {
  const options = { sizeBytes: 1 << 20, maxWindowLog };
  t.throws(() => decodeZstd(bomb(2_048, false), options), { code: 'ERR_DWCP_OUTPUT_LIMIT' });
  t.throws(() => decodeZstd(bomb(2_048, true), options), { code: 'ERR_DWCP_OUTPUT_LIMIT' });
  t.throws(() => decodeZstd(bomb(1, false), options), { code: 'ERR_DWCP_CODEC' });
});

if (native.codec.abilities.zstd) {
  const { codec } = native;

  test('what libzstd makes is decoded at every level, size and kind of content', async (t) => {
    for (const sizeBytes of [1, 5, 31, 300, 5_000, 70_000, 400_000]) {
      const contents = [1, 6, 256].map((symbols) => sample(sizeBytes, sizeBytes, symbols));
      for (const bytes of [...contents, mixture(sizeBytes, sizeBytes)]) {
        for (const level of [-50, 1, 3, 9, 19]) {
          const frame = codec.zstdCompress(bytes, { level });
          const options = { sizeBytes, maxWindowLog };
          const same = decodeZstd(frame, options).equals(bytes);
          if (!same) t.fail(`${sizeBytes} bytes at level ${level}`);
          t.true((await decodeZstdAsync(frame, options)).equals(bytes));
        }
      }
    }
  });

  test('damaged frames end as they end in libzstd, or in a code', (t) => {
    const random = seededRandom(31);
    let decoded = 0;
    for (const seed of [1, 2, 3, 4]) {
      const bytes = mixture(3_000, seed);
      const frame = codec.zstdCompress(bytes, { level: seed * 4 });
      const options = { sizeBytes: bytes.length, maxWindowLog };
      for (let i = 0; i < 1_500; i += 1) {
        const damaged = Buffer.from(frame);
        const at = Math.floor(random.next() * frame.length);
        damaged[at] = Math.floor(random.next() * 256);
        const ours = outcome(() => decodeZstd(damaged, options));
        const theirs = outcome(() => codec.zstdDecompress(damaged, options));
        if (typeof theirs === 'string' || typeof ours === 'string') continue;
        decoded += 1;
        if (!ours.equals(theirs)) t.fail(`seed ${seed}, byte ${at} became ${damaged[at]}`);
      }
      for (let size = 0; size < frame.length; size += 7) {
        t.is(typeof outcome(() => decodeZstd(frame.subarray(0, size), options)), 'string');
      }
    }
    t.true(decoded > 100, `${decoded} damaged frames decoded`);
  });
}

if (native.codec.abilities.prefixEncode) {
  test('deltas of libzstd against a prefix are decoded, whatever the prefix starts with', (t) => {
    const magic = Buffer.from('37a430ec', 'hex');
    for (const sizeBytes of [10, 5_000, 900_000]) {
      const prefix = Buffer.concat([magic, mixture(sizeBytes, 9)]);
      const half = sizeBytes >> 1;
      const bytes = Buffer.concat([prefix.subarray(half), sample(100, 10), prefix]);
      const frame = native.codec.zstdCompress(bytes, { level: 3, prefix });
      const options = { sizeBytes: bytes.length, maxWindowLog, prefix };
      t.true(decodeZstd(frame, options).equals(bytes), `${sizeBytes} bytes`);
    }
  });
}
