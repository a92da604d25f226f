/** Pages made ahead of who fills them: all that were asked for, with nothing written to them, and no more. */
import { release } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { native } from '../../lib/native/load.ts';
import { Assembly } from '../../lib/transport/assembly.ts';

const MiB = 1024 * 1024;
/** A large page at either end need not be whole. */
const ends = 4 * MiB;
const [major, minor] = release().split('.').map(Number) as [number, number];
/** MADV_POPULATE_WRITE came with Linux 5.14. */
const makesPages = native.tier === 'addon' && (major > 5 || (major === 5 && minor >= 14));

/** What the process has more than `before` once that is `least`, or after two seconds, bytes. */
async function growth(before: number, least: number): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const grown = process.memoryUsage.rss() - before;
    if (grown >= least) return grown;
    await pause(20);
  }
  return process.memoryUsage.rss() - before;
}

test.serial('ranges end to end, wherever they meet, leave no page out', async (t) => {
  const sizeBytes = 64 * MiB;
  const before = process.memoryUsage.rss();
  const bytes = Buffer.allocUnsafeSlow(sizeBytes);
  for (let from = 0; from < sizeBytes;) {
    const to = Math.min(sizeBytes, from + 2 * MiB + 32 * 1024);
    native.makePages(bytes, from, to);
    from = to;
  }
  const grown = await growth(before, sizeBytes - ends);
  t.is(grown >= sizeBytes - ends, makesPages, `${grown} of ${bytes.length} bytes`);
});

test.serial('what was written stays, whoever wrote it while pages are made', async (t) => {
  const bytes = Buffer.allocUnsafeSlow(32 * MiB);
  const half = Buffer.alloc(bytes.length / 2, 'before');
  bytes.set(half);
  native.makePages(bytes, 0, bytes.length);
  bytes.set(half, half.length);
  await pause(100);
  t.true(bytes.subarray(0, half.length).equals(half));
  t.true(bytes.subarray(half.length).equals(half));
});

test.serial('a message under way has pages for what came and little more', async (t) => {
  const frame = Buffer.alloc(32 * 1024, 'frame');
  const came = 9 * MiB;
  const before = process.memoryUsage.rss();
  const assembly = new Assembly(512 * MiB);
  for (let at = 0; at < came; at += frame.length) assembly.append(frame);
  await pause(300);
  // What came, its copy in the smaller block before, and what is made ahead of it.
  const grown = process.memoryUsage.rss() - before;
  t.true(grown < 2 * came + 2 * ends, `${grown} bytes`);
  t.is(assembly.sizeBytes, came);
});

test.serial('no page is made for a range within one', (t) => {
  const bytes = Buffer.alloc(64 * 1024, 'small');
  native.makePages(bytes, 0, bytes.length);
  native.makePages(bytes, bytes.length, bytes.length);
  native.makePages(Buffer.alloc(0), 0, 0);
  t.true(bytes.equals(Buffer.alloc(64 * 1024, 'small')));
});
