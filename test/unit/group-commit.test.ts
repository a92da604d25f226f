/**
 * Commit groups: one write at a time, shared by all that wait, bounded, and honest about failure.
 */
import test from 'ava';
import { GroupCommit } from '../../lib/storage/group-commit.ts';
import type { StorageOp } from '../../lib/storage/storage.ts';

const put = (key: number, sizeBytes = 0): StorageOp => ({
  type: 'put',
  key: Buffer.of(key),
  value: Buffer.alloc(sizeBytes),
});
const keys = (ops: readonly StorageOp[]): number[] => ops.map(({ key }) => key[0]!);

test('callers told together that come back in the same turn share every write', async (t) => {
  const sizes: number[] = [];
  const commits = new GroupCommit(async (ops) => {
    sizes.push(ops.length);
    await new Promise((resolve) => setImmediate(resolve));
  });
  const caller = async (): Promise<void> => {
    for (let round = 0; round < 5; round += 1) await commits.submit([put(round)], true);
  };
  await Promise.all(Array.from({ length: 20 }, caller));
  t.deepEqual(sizes, [20, 20, 20, 20, 20]);
});

test('a group is synced when one of its batches asks for it, and keeps the order of the calls', async (t) => {
  const groups: { keys: number[]; durable: boolean }[] = [];
  const commits = new GroupCommit(async (ops, durable) => {
    groups.push({ keys: keys(ops), durable });
  });
  const first = [commits.submit([put(1)], false), commits.submit([put(2), put(3)], true)];
  await Promise.all(first);
  await commits.submit([put(4)], false);
  t.deepEqual(groups, [
    { keys: [1, 2, 3], durable: true },
    { keys: [4], durable: false },
  ]);
});

test('large batches are cut into groups in order', async (t) => {
  const groups: number[][] = [];
  const commits = new GroupCommit(async (ops) => {
    groups.push(keys(ops));
  });
  const MiB = 1024 * 1024;
  const sizes = [3 * MiB, 2 * MiB, MiB, 9 * MiB, 0];
  await Promise.all(sizes.map((size, key) => commits.submit([put(key, size)], true)));
  t.deepEqual(groups, [[0], [1, 2], [3], [4]]);
});

test('past the bound a batch is refused, and accepted again once the queue has gone', async (t) => {
  const commits = new GroupCommit(async () => {}, 100);
  const waiting = commits.submit([put(1, 90)], true);
  await t.throwsAsync(commits.submit([put(2, 90)], true), { code: 'ERR_DWCP_LIMIT' });
  await waiting;
  await commits.submit([put(2, 90)], true);
  // One batch larger than the bound still goes, alone.
  await t.notThrowsAsync(commits.submit([put(3, 1000)], true));
});

test('a failed write fails its group with one coded error, and the next group is tried', async (t) => {
  let failing = true;
  const commits = new GroupCommit(async () => {
    if (failing) throw new Error('disk on fire');
  });
  const failures = await Promise.allSettled([
    commits.submit([put(1)], true),
    commits.submit([put(2)], true),
  ]);
  for (const failure of failures) {
    t.is(failure.status, 'rejected');
    if (failure.status === 'rejected') {
      t.is(failure.reason.code, 'ERR_DWCP_STORAGE');
      t.is(failure.reason.cause.message, 'disk on fire');
    }
  }
  failing = false;
  await commits.submit([put(3)], true);
  await commits.close();
  await t.throwsAsync(commits.submit([put(4)], true), { code: 'ERR_DWCP_CLOSED' });
});
