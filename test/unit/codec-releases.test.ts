/** The chunk delta on real data: six successive releases of one 8.4 MB JSON file. */
import { readFileSync } from 'node:fs';
import test from 'ava';
import { Baseline, Codec, diff, encodeFull, patch } from '../../lib/compression/index.ts';
import { native } from '../../lib/native/portable.ts';

/** `zstd -3` of releases 1 to 6, bytes (zstd 1.5.4 and 1.5.7 agree within 0.1 %). */
const ZSTD_3_BYTES = [1_232_235, 1_234_622, 1_238_361, 1_242_658, 1_243_111, 1_246_385];

const release = (n: number): Buffer => readFileSync(`node_modules/icons-${n}/icons.json`);

test('deltas of five updates take at most 0.006 of zstd-3, on the portable tier', async (t) => {
  let deltaBytes = 0;
  for (let n = 2; n <= 6; n++) {
    const baseline = Baseline.of(release(n - 1));
    const frame = await diff(baseline, release(n), { native, codec: Codec.chunk });
    t.true((await patch(baseline, frame, { native })).equals(release(n)));
    deltaBytes += frame.length;
  }
  const plain = ZSTD_3_BYTES.slice(1).reduce((sum, bytes) => sum + bytes);
  t.true(deltaBytes <= 0.006 * plain, `${deltaBytes} of ${plain}`);
});

test('the first value takes at most 1.02 of zstd-3, without zstd too', async (t) => {
  const codecs = [Codec.brotli, Codec.raw];
  for (const options of [{}, { native, codecs }]) {
    const { frame } = await encodeFull(release(1), options);
    t.true(frame.length <= 1.02 * ZSTD_3_BYTES[0]!, `${frame.length} bytes`);
  }
});
