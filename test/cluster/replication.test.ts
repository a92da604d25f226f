/** Replication over real loopback sockets: convergence, conflicts, deltas, damage, limits. */
import test from 'ava';
import { native as portable } from '../../lib/native/portable.ts';
import { seededRandom } from '../../lib/random.ts';
import { converged, digestOf, eventually, mesh, startNode } from './replication-rig.ts';
import type { RigNode, RigOptions } from './replication-rig.ts';

async function cluster(
  t: { teardown(fn: () => Promise<void>): void },
  names: readonly string[],
  options: (name: string) => RigOptions = () => ({}),
): Promise<RigNode[]> {
  const nodes = await Promise.all(names.map((name) => startNode(name, options(name))));
  t.teardown(async () => {
    await Promise.all(nodes.map((node) => node.close()));
  });
  return nodes;
}

const text = (value: string): Buffer => Buffer.from(value);

test('three nodes converge on small keys, deletes and large values', async (t) => {
  const nodes = await cluster(t, ['a', 'b', 'c']);
  const files = nodes.map((node) => node.replicator.keyspace('files'));
  await Promise.all(
    files.map(async (each, at) => {
      for (let i = 0; i < 50; i++) await each.put(`k${at}-${i}`, text(`${at}:${i}`));
      for (let i = 0; i < 10; i++) await each.put('shared', text(`${at}:${i}`));
    }),
  );
  mesh(nodes);
  const big = Buffer.from(seededRandom(3).bytes(300_000));
  await files[0]!.put('big', big);
  await files[1]!.delete('k1-7');
  await eventually('delete', async () => (await files[2]!.get('k1-7')) === undefined);
  await eventually('big', async () => (await files[2]!.get('big'))?.equals(big) ?? false);
  await converged(files);
  big.write('changed', 1000);
  await files[2]!.put('big', big);
  await converged(files);
  const { peers } = nodes[2]!.replicator.stats();
  await eventually('quiet', () =>
    nodes.every(({ replicator }) =>
      replicator.stats().peers.every(({ session }) => session?.synced),
    ),
  );
  t.is(peers.length, 2);
  for (const { sent } of peers) t.is(sent.deltaCount, 1);
});

test('a thousand keys written before the link are all there after it', async (t) => {
  const [a, b] = await cluster(t, ['a', 'b']);
  const from = a!.replicator.keyspace('files');
  const to = b!.replicator.keyspace('files');
  await Promise.all(
    Array.from({ length: 1000 }, (_, i) => from.put(`key-${i}`, text(`value ${i}`))),
  );
  mesh([a!, b!]);
  await eventually('1000 keys', async () => (await digestOf(from)) === (await digestOf(to)));
  const { sent } = a!.replicator.stats().peers[0]!;
  t.is(sent.fullCount, 1000);
});

test('a partition ends in one winner, the loser in the audit log of every node', async (t) => {
  const [a, b] = await cluster(t, ['a', 'b']);
  const left = a!.replicator.keyspace('files');
  const right = b!.replicator.keyspace('files');
  await left.put('k', text('left'));
  await right.put('k', text('right'));
  mesh([a!, b!]);
  await eventually('merged', () => left.conflicts > 0 && right.conflicts > 0);
  await converged([left, right]);
  t.is((await left.get('k'))?.toString(), 'right');
  for (const each of [left, right]) {
    const [record] = await collect(each.audit({ key: 'k' }));
    t.is((await record!.loserValue())?.toString(), 'left');
    t.true(each.conflicts > 0);
  }
});

test('with policy siblings both writes are visible until one that has seen both', async (t) => {
  const [a, b] = await cluster(t, ['a', 'b']);
  const options = { policy: 'siblings' } as const;
  const left = a!.replicator.keyspace('files', options);
  const right = b!.replicator.keyspace('files', options);
  await left.put('k', text('left'));
  await right.put('k', text('right'));
  mesh([a!, b!]);
  await converged([left, right]);
  const entry = await left.get('k');
  t.deepEqual(entry.siblings.map(({ value }) => value.toString()).toSorted(), ['left', 'right']);
  await left.put('k', text('both'), { context: entry.context });
  await converged([left, right]);
  t.deepEqual(
    (await right.get('k')).siblings.map(({ value }) => value.toString()),
    ['both'],
  );
});

test('keyspaces with different policies are refused, others go on', async (t) => {
  const errors: string[] = [];
  const logger = {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: (_: object, message: string) => errors.push(message),
  };
  const [a, b] = await cluster(t, ['a', 'b'], () => ({ logger }));
  const left = a!.replicator.keyspace('mixed', { policy: 'lww' });
  const right = b!.replicator.keyspace('mixed', { policy: 'siblings' });
  const [fine, other] = [a!, b!].map(({ replicator }) => replicator.keyspace('fine'));
  mesh([a!, b!]);
  await left.put('k', text('1'));
  await fine!.put('k', text('2'));
  await eventually('fine', async () => (await other!.get('k'))?.toString() === '2');
  t.is((await right.get('k')).value, undefined);
  t.true(a!.replicator.stats().peers[0]!.refused > 0);
  t.true(errors.includes('a keyspace is not replicated'));
});

test('the authorize hook keeps a namespace from a peer, both ways', async (t) => {
  const [a, b] = await cluster(t, ['a', 'b'], (name) => ({
    authorize: ({ verb, namespace }) =>
      name === 'b' || namespace !== 'secret' || !verb.startsWith('state.'),
  }));
  const names = ['secret', 'open'] as const;
  const [left, right] = [a!, b!].map(({ replicator }) =>
    names.map((name) => replicator.keyspace(name)),
  );
  for (const each of left!) await each.put('from-a', text('x'));
  for (const each of right!) await each.put('from-b', text('x'));
  mesh([a!, b!]);
  await eventually('open', async () => (await right![1]!.get('from-a')) !== undefined);
  await eventually('open', async () => (await left![1]!.get('from-b')) !== undefined);
  t.is(await right![0]!.get('from-a'), undefined);
  t.is(await left![0]!.get('from-b'), undefined);
});

test('a base lost on either side means a whole value, not a lost one', async (t) => {
  for (const loser of [0, 1] as const) {
    const nodes = await cluster(t, ['a', 'b'], (name) =>
      name === 'ab'[loser] ? { limits: { state: { baseCacheBytes: 1, maxChain: 1 } } } : {},
    );
    const files = nodes.map((node) => node.replicator.keyspace('files'));
    mesh(nodes);
    const bytes = Buffer.from(seededRandom(5).bytes(200_000));
    for (let i = 0; i < 5; i++) {
      bytes.write(`edit ${i}`, 100 * i);
      await files[0]!.put('k', bytes);
      await converged(files);
    }
    t.true((await files[1]!.get('k'))?.equals(bytes));
  }
});

test('mixed tiers converge: portable and loaded, both ways', async (t) => {
  const nodes = await cluster(t, ['a', 'b', 'c'], (name) =>
    name === 'b' ? { native: portable } : {},
  );
  const files = nodes.map((node) => node.replicator.keyspace('files'));
  mesh(nodes);
  const bytes = Buffer.from(seededRandom(5).bytes(400_000));
  for (let i = 0; i < 6; i++) {
    bytes.write(`edit ${i}`, 100 * i);
    await files[i % 3]!.put('k', bytes);
    await files[i % 3]!.put(`small-${i}`, text(`value ${i}`));
    await converged(files);
  }
  const sent = nodes.flatMap(({ replicator }) => replicator.stats().peers.map((peer) => peer.sent));
  t.is(sent.reduce((sum, { deltaCount }) => sum + deltaCount, 0) >= 10, true);
});

test('rapid updates of one key reach a peer as the latest, with no gap left in its vector', async (t) => {
  const [a, b] = await cluster(t, ['a', 'b']);
  const from = a!.replicator.keyspace('files');
  const to = b!.replicator.keyspace('files');
  mesh([a!, b!]);
  await from.put('k', text('start'));
  await converged([from, to]);
  for (let i = 0; i < 200; i++) await from.put('k', text(`value ${i}`));
  await eventually('last', async () => (await to.get('k'))?.toString() === 'value 199');
  await eventually('vectors', () => {
    const { writesSeen } = b!.replicator.stats().namespaces['files']!;
    return writesSeen === 201;
  });
  t.deepEqual(await to.get('k'), text('value 199'));
});

test('data reaches a node through another when the origin is gone', async (t) => {
  const [a, b, c] = await cluster(t, ['a', 'b', 'c']);
  const files = [a!, b!, c!].map(({ replicator }) => replicator.keyspace('files'));
  a!.links.dial(b!.address);
  await files[0]!.put('k', text('from a'));
  await converged(files.slice(0, 2));
  await a!.links.close(50);
  c!.links.dial(b!.address);
  await eventually('forwarded', async () => (await files[2]!.get('k'))?.toString() === 'from a');
  t.deepEqual(await files[2]!.get('k'), text('from a'));
});

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
