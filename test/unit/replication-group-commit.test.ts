/** Group commit of the state store: what a batch makes durable is told write by write. */
import test from 'ava';
import { GroupCommit } from '../../lib/replication/group-commit.ts';
import type { StateSource } from '../../lib/replication/group-commit.ts';
import { sleep, systemClock } from '../../lib/clock.ts';
import { openStorage } from '../../lib/storage/index.ts';
import type { OpenStorage } from '../../lib/storage/index.ts';
import type { RigNode } from '../cluster/replication-rig.ts';
import { eventually, startNode } from '../cluster/replication-rig.ts';

test('the state advances with each announcement, not with the batch', async (t) => {
  const { storage, close } = await openStorage();
  t.teardown(close);
  const commits = new GroupCommit(storage);
  const told: number[] = [];
  const source: StateSource<number> = {
    sealState: () => ({ type: 'put', key: Buffer.from('state'), value: Buffer.alloc(0) }),
    durable: (change) => void told.push(change),
  };
  const seen: number[][] = [];
  const writes = [1, 2, 3].map((change) =>
    commits.commit([], { source, change }, () => seen.push([...told])),
  );
  await Promise.all(writes);
  t.is(commits.stats.batches, 1);
  t.deepEqual(seen, [[1], [1, 2], [1, 2, 3]]);
});

/** Memory whose batches take `ms`. */
async function slowStorage(ms: number): Promise<OpenStorage> {
  const open = await openStorage();
  const batch = open.storage.batch.bind(open.storage);
  open.storage.batch = async (ops, options) => {
    await sleep(systemClock, ms);
    return batch(ops, options);
  };
  return open;
}

test('a write that shares its batch with one from a peer reaches that peer', async (t) => {
  const slow = await startNode('slow', { open: await slowStorage(25) });
  const quick: RigNode = await startNode('quick');
  t.teardown(() => Promise.all([slow.close(), quick.close()]));
  slow.links.dial(quick.address);
  const here = slow.replicator.keyspace('files');
  const there = quick.replicator.keyspace('files');
  const n = Buffer.from('n');
  await here.put('first', n);
  await eventually('linked', async () => (await there.get('first')) !== undefined);
  for (let i = 0; i < 8; i++) {
    // The first occupies the disk of `slow`; the next and the write made there wait for one batch.
    await there.put(`occupies ${i}`, n);
    await sleep(systemClock, 6);
    await there.put(`remote ${i}`, n);
    await sleep(systemClock, 6);
    await here.put(`local ${i}`, n);
    await eventually(
      `local ${i} at its peer`,
      async () => (await there.get(`local ${i}`)) !== undefined,
    );
    await sleep(systemClock, 60);
  }
  const { writesSeen } = quick.replicator.stats().namespaces['files']!;
  t.is(writesSeen, slow.replicator.stats().namespaces['files']!.writesSeen);
});
