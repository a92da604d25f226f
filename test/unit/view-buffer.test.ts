/** Views made at once are the Buffers that `Buffer.from` makes. */
import { isDeepStrictEqual } from 'node:util';
import test from 'ava';
import { ViewBuffer } from '../../lib/view-buffer.ts';

test('a view is a Buffer over the same memory, like any other', (t) => {
  const memory = Uint8Array.from({ length: 32 }, (_, i) => i).buffer;
  const view = new ViewBuffer(memory, 4, 8);
  const known = Buffer.from(memory, 4, 8);
  t.true(Buffer.isBuffer(view));
  t.is(Object.getPrototypeOf(view), Buffer.prototype);
  t.true(isDeepStrictEqual(view, known));
  t.is(view.toString('hex'), known.toString('hex'));
  view[0] = 99;
  t.is(known[0], 99);
  t.true(Buffer.isBuffer(view.subarray(2)));
  t.is(new ViewBuffer(memory, 32, 0).length, 0);
});

test('memory that is not there is refused', (t) => {
  const memory = new ArrayBuffer(32);
  t.throws(() => new ViewBuffer(memory, 30, 4), { instanceOf: RangeError });
  t.throws(() => new ViewBuffer(memory, 33, 0), { instanceOf: RangeError });
});
