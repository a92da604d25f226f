/** Bounded structures of the store: what they keep, what they drop, what they count. */
import test from 'ava';
import { Fifo } from '../../lib/replication/fifo.ts';
import { RecentMap } from '../../lib/replication/recent-map.ts';
import { ValueCache } from '../../lib/compression/value-cache.ts';

test('a queue gives items in order through every compaction', (t) => {
  const queue = new Fifo<number>();
  let [next, expected] = [0, 0];
  for (let round = 0; round < 50; round++) {
    for (let i = 0; i < 97; i++) queue.push(next++);
    for (let i = 0; i < 90; i++) t.is(queue.shift(), expected++);
  }
  t.is(queue.size, next - expected);
  while (queue.size > 0) t.is(queue.shift(), expected++);
  t.is(queue.shift(), undefined);
  t.is(expected, next);
});

test('a recent map holds the newest entries and at most its weight', (t) => {
  const map = new RecentMap<number, number>(100);
  for (let i = 0; i < 1_000; i++) {
    map.set(i, i);
    t.is(map.get(i), i);
    t.true(map.weight <= 100);
  }
  t.is(map.get(960), 960);
  t.is(map.get(800), undefined);
  map.delete(999);
  t.is(map.get(999), undefined);
  map.set(999, 1);
  map.set(999, 2, 51);
  t.is(map.get(999), undefined, 'too heavy to keep, and the old value is not true any more');
});

test('a value cache drops the least recently used, counts growth, spares what is in use', async (t) => {
  const cache = new ValueCache<string>(100);
  for (const name of ['a', 'b', 'c', 'd']) cache.set(name, name, 25);
  cache.get('a');
  cache.set('e', 'e', 25);
  t.deepEqual([cache.has('a'), cache.has('b')], [true, false]);
  await cache.hold('c', async () => {
    cache.resize('a', 50);
    t.deepEqual([cache.has('c'), cache.has('d'), cache.has('a')], [true, false, true]);
  });
  t.is(cache.stats.sizeBytes, 100);
  cache.resize('a', 60);
  t.false(cache.has('c'));
  t.deepEqual(cache.stats, { sizeBytes: 85, maxBytes: 100, entries: 2, evictions: 3 });
});
