/** Messages put together from frames: what came is what leaves, in bounded steps and bounded memory. */
import test from 'ava';
import { Assembly } from '../../lib/transport/assembly.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

/** Bytes that tell where they stand. */
function pattern(sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  for (let at = 0; at + 4 <= sizeBytes; at += 4) bytes.writeUInt32LE(at, at);
  return bytes;
}

/** Appends `bytes` in frames and finishes; returns the message and how many steps that took. */
function assemble(bytes: Buffer, frameBytes: number, maxBytes = 72 * MiB): [Buffer, number] {
  const assembly = new Assembly(maxBytes);
  for (let at = 0; at < bytes.length; at += frameBytes) {
    assembly.append(bytes.subarray(at, at + frameBytes));
  }
  for (let steps = 1; ; steps++) {
    const whole = assembly.finish();
    if (whole) return [whole, steps];
  }
}

for (const sizeBytes of [
  0,
  1,
  100,
  64 * KiB,
  200 * KiB,
  MiB + 1,
  5 * MiB,
  9 * MiB + 17,
  33 * MiB,
]) {
  test(`${sizeBytes} bytes in frames are the bytes that were sent`, (t) => {
    const bytes = pattern(sizeBytes);
    const [whole] = assemble(bytes, 64 * KiB);
    t.true(whole.equals(bytes));
    t.true(
      whole.buffer.byteLength <= Math.max(256 * KiB, 2 * sizeBytes),
      'holds at most twice its size',
    );
  });
}

test('frames of any size join, also when each is one byte', (t) => {
  const bytes = pattern(3000);
  t.true(assemble(bytes, 1)[0].equals(bytes));
  t.true(assemble(bytes, 7)[0].equals(bytes));
});

test('a message of the largest size is finished in one step', (t) => {
  const bytes = pattern(64 * MiB);
  const [whole, steps] = assemble(bytes, 64 * KiB);
  t.true(whole.equals(bytes));
  t.is(steps, 1);
});

test('a message that fits its memory badly is moved in steps of a slice', (t) => {
  const bytes = pattern(9 * MiB);
  const [whole, steps] = assemble(bytes, 64 * KiB);
  t.true(whole.equals(bytes));
  t.true(steps >= 9 * 4, `${steps} steps`);
});

test('memory never passes what a message may have', (t) => {
  const [whole] = assemble(pattern(3 * MiB), 64 * KiB, 3 * MiB);
  t.is(whole.buffer.byteLength, 3 * MiB);
});
