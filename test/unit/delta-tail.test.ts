/** Regression: a short copy that ends the content, nearer to its end than a stride of the index, hung the scan. */
import test from 'ava';
import { Baseline, diff, patch } from '../../lib/compression/index.ts';
import { seededRandom } from '../../lib/random.ts';

test('a change close to the end of the content is encoded, however close', async (t) => {
  const random = seededRandom(7);
  const line = (): string => `{"id":${Math.floor(random.next() * 1e9)},"seen":true}\n`;
  const base = Buffer.from(Array.from({ length: 6000 }, line).join(''));
  const baseline = Baseline.of(base);
  for (let tail = 1; tail <= 80; tail++) {
    const next = Buffer.from(base);
    for (const at of [90, 40, 0]) next[next.length - tail - at - 1]! ^= 0x55;
    const frame = await diff(baseline, next);
    t.true((await patch(baseline, frame)).equals(next), `${tail} bytes from the end`);
  }
});
