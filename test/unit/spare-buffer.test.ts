/** Buffers that are used again, and let go when they are too large for what is written. */
import test from 'ava';
import { SpareBuffer } from '../../lib/transport/spare-buffer.ts';

test('a buffer given back is used again, and keeps nothing from those it is too small for', (t) => {
  const spare = new SpareBuffer(64);
  const first = spare.grow(undefined, 0, 1_000);
  spare.giveBack(first, 900);
  t.is(spare.grow(undefined, 0, 100), first);
  spare.giveBack(first, 100);
  const larger = spare.grow(undefined, 0, 5_000);
  t.true(larger.length >= 5_000);
  t.not(larger, first);
});

test('growing keeps what was written', (t) => {
  const spare = new SpareBuffer(16);
  const small = spare.grow(undefined, 0, 10);
  small.write('0123456789');
  const grown = spare.grow(small, 10, 200);
  t.is(grown.toString('latin1', 0, 10), '0123456789');
  t.true(grown.length >= 200);
});

test('small writes let a large buffer go after a while; a small one in between does not', (t) => {
  const spare = new SpareBuffer(16);
  const large = spare.grow(undefined, 0, 100_000);
  spare.giveBack(large, 100_000);
  t.is(spare.grow(undefined, 0, 10), large);
  spare.giveBack(large, 10);
  t.is(spare.grow(undefined, 0, 10), large, 'alternating sizes keep the large one');
  let writes = 0;
  for (let at = large; at === large; writes += 1) {
    spare.giveBack(at, 10);
    at = spare.grow(undefined, 0, 10);
    t.true(writes < 1_000);
  }
  t.true(writes > 1);
});
