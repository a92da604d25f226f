/** Copies for receivers: equal to the payload, and touched by nothing that comes after. */
import test from 'ava';
import { ownBytes } from '../../lib/transport/own-bytes.ts';

test('copies of every size are equal, own and never overlap', (t) => {
  const payload = new Uint8Array(4096);
  const copies: Buffer[] = [];
  const sizes = Array.from({ length: 300 }, (_, i) => (i * 37) % 1500);
  for (const [i, size] of sizes.entries()) {
    payload.fill(i & 0xff);
    copies.push(ownBytes(payload.subarray(0, size)));
  }
  payload.fill(0);
  for (const [i, copy] of copies.entries()) {
    t.true(Buffer.isBuffer(copy));
    t.deepEqual(copy, Buffer.alloc(sizes[i]!, i & 0xff));
  }
  for (const copy of copies) copy.fill(0xee);
  t.deepEqual(ownBytes(Buffer.from('next')), Buffer.from('next'));
});

test('no copy can be transferred away with its neighbours', (t) => {
  const empty = ownBytes(Buffer.alloc(0));
  const [first, second] = [ownBytes(Buffer.from('first')), ownBytes(Buffer.from('second'))];
  for (const copy of [empty, first]) {
    try {
      structuredClone(copy, { transfer: [copy.buffer as ArrayBuffer] });
    } catch (error) {
      // Node 20 copies what must not be transferred, later versions refuse it.
      t.is((error as Error).name, 'DataCloneError');
    }
  }
  t.is(first.toString(), 'first');
  t.is(second.toString(), 'second');
  t.is(ownBytes(Buffer.alloc(0)).length, 0);
});
