/** Backoff: capped exponential with full jitter, forgiven by a stable link. */
import test from 'ava';
import { Backoff } from '../../lib/links/backoff.ts';
import type { Random } from '../../lib/random.ts';

const options = { baseMs: 100, maxMs: 5_000, floorMs: 20, stableMs: 10_000 };
const always = (value: number): Random => ({ next: () => value, bytes: () => new Uint8Array() });

test('ceilings double up to the cap', (t) => {
  const backoff = new Backoff(always(1), options);
  const waits = Array.from({ length: 9 }, () => backoff.nextMs());
  t.deepEqual(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
});

test('jitter is full: from the floor to the ceiling', (t) => {
  t.is(new Backoff(always(0), options).nextMs(), 20);
  t.is(new Backoff(always(0.5), options).nextMs(), 50);
});

test('a thousand failures keep the wait finite', (t) => {
  const backoff = new Backoff(always(1), options);
  for (let i = 0; i < 1000; i++) t.true(backoff.nextMs() <= 5_000);
});

test('a stable link starts the backoff anew, a short one does not', (t) => {
  const backoff = new Backoff(always(1), options);
  for (let i = 0; i < 5; i++) backoff.nextMs();
  backoff.lived(9_999);
  t.is(backoff.nextMs(), 3200);
  backoff.lived(10_000);
  t.is(backoff.nextMs(), 100);
});
