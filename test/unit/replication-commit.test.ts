/** Group commit of the store: what is told when, in what portions, and that nothing is told of a failure. */
import test from 'ava';
import { GroupCommit } from '../../lib/replication/group-commit.ts';
import { MemoryStorage } from '../../lib/storage/memory-storage.ts';
import type { StorageOp } from '../../lib/storage/storage.ts';

const op = (name: string): StorageOp => ({
  type: 'put',
  key: Buffer.from(name),
  value: Buffer.alloc(1),
});

function sourceOf(log: string[]) {
  return {
    sealState: (changes: readonly string[]): StorageOp => op(`state after ${changes.join()}`),
    durable: (change: string): void => void log.push(`state ${change}`),
  };
}

test('at each announcement the state holds nothing that was not announced', async (t) => {
  // A session that saw the advanced vector at the first announcement told its peer that it had the
  // second write, which was then never sent.
  const log: string[] = [];
  const source = sourceOf(log);
  const commits = new GroupCommit(new MemoryStorage());
  await Promise.all(
    ['a', 'b', 'c'].map((change) =>
      commits.commit([op(change)], { source, change }, () => log.push(change)),
    ),
  );
  t.deepEqual(log, ['state a', 'a', 'state b', 'b', 'state c', 'c']);
});

test('many writes at once go in portions, and others run between them', async (t) => {
  const commits = new GroupCommit(new MemoryStorage());
  let turns = 0;
  let running = true;
  const turn = (): void => {
    turns++;
    if (running) setImmediate(turn);
  };
  turn();
  await Promise.all(Array.from({ length: 1_000 }, (_, i) => commits.commit([op(`k${i}`)])));
  running = false;
  t.is(commits.stats.writes, 1_000);
  t.true(commits.stats.batches >= 4, `${commits.stats.batches} batches`);
  t.true(turns >= commits.stats.batches - 1, `${turns} turns`);
});

test('after a failed batch nothing is announced and nothing more is written', async (t) => {
  const log: string[] = [];
  const storage = new MemoryStorage();
  await storage.close();
  const commits = new GroupCommit(storage);
  const source = sourceOf(log);
  const failing = commits.commit([op('a')], { source, change: 'a' }, () => log.push('a'));
  await t.throwsAsync(failing, { code: 'ERR_DWCP_CLOSED' });
  await t.throwsAsync(commits.commit([op('b')]), { code: 'ERR_DWCP_CLOSED' });
  t.deepEqual(log, []);
});
