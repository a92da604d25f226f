/** The queue of the send path: order, growth past its first room, and taking one out of the middle. */
import test from 'ava';
import { Ring } from '../../lib/transport/ring.ts';

test('gives back in order, also across its end and beyond its first room', (t) => {
  const ring = new Ring<number>();
  let next = 0;
  let expected = 0;
  for (let round = 0; round < 50; round++) {
    for (let i = 0; i < (round % 7) + 3; i++) ring.push(next++);
    t.is(ring.peek(), expected);
    for (let i = 0; i < (round % 5) + 1 && ring.size > 0; i++) t.is(ring.shift(), expected++);
    t.is(ring.size, next - expected);
  }
  t.deepEqual(
    ring.clear(),
    Array.from({ length: next - expected }, (_, i) => expected + i),
  );
});

test('is empty at first and after everything was taken', (t) => {
  const ring = new Ring<string>();
  t.is(ring.shift(), undefined);
  ring.push('a');
  t.is(ring.shift(), 'a');
  t.is(ring.peek(), undefined);
  t.is(ring.shift(), undefined);
  t.is(ring.size, 0);
});

test('takes one out wherever it is and keeps the order of the others', (t) => {
  const ring = new Ring<number>();
  for (let i = 0; i < 6; i++) ring.push(i);
  ring.shift();
  for (let i = 6; i < 12; i++) ring.push(i);
  t.true(ring.remove(7));
  t.false(ring.remove(7));
  t.deepEqual(ring.clear(), [1, 2, 3, 4, 5, 6, 8, 9, 10, 11]);
});
