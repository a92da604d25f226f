/** The estimator that judges the soak: it must see a leak and not a spike. */
import test from 'ava';
import { seededRandom } from '../../lib/random.ts';
import { type Reading, slopePerMinute } from '../soak/theil-sen.ts';

const random = seededRandom(7);
const readings = (valueAt: (second: number) => number): Reading[] =>
  Array.from({ length: 120 }, (_, second) => ({ atMs: second * 1000, value: valueAt(second) }));

test('a leak under noise is found', (t) => {
  const slope = slopePerMinute(readings((second) => 100 + second / 60 + random.next() * 2));
  t.true(Math.abs(slope - 1) < 0.5, String(slope));
});

test('spikes and a step down to level ground are no leak', (t) => {
  const spiky = slopePerMinute(readings((second) => (second % 10 === 0 ? 900 : 100)));
  t.is(spiky, 0);
  t.is(slopePerMinute([]), 0);
  t.is(slopePerMinute([{ atMs: 0, value: 5 }]), 0);
});
