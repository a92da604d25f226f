/** The contract of `Storage` and `BlobStore`, held against every implementation. */
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { systemClock } from '../../lib/clock.ts';
import { seededRandom } from '../../lib/random.ts';
import { openStorage } from '../../lib/storage/open-storage.ts';
import type { OpenStorage, StorageOp } from '../../lib/storage/storage.ts';
import { SimulatedDisk } from '../../lib/testing/simulated-disk.ts';
import {
  bytes,
  diskKinds,
  everything,
  put,
  remove,
  scanned,
  scratch,
  shuffled,
} from './storage-kit.ts';

/** One implementation: each call of `place` gives a place that can be opened more than once. */
interface Implementation {
  readonly name: string;
  readonly persistent: boolean;
  readonly place: (t: ExecutionContext) => () => Promise<OpenStorage>;
}

const onDisk = (kind: 'level' | 'sqlite'): Implementation => ({
  name: kind,
  persistent: true,
  place: (t) => {
    const path = join(scratch(t), 'store');
    return () => openStorage({ path, kind });
  },
});

const implementations: readonly Implementation[] = [
  ...diskKinds.map(onDisk),
  { name: 'memory', persistent: false, place: () => () => openStorage() },
  {
    name: 'simulated',
    persistent: true,
    place: () => {
      const disk = new SimulatedDisk({ random: seededRandom(1), clock: systemClock, syncMs: 1 });
      return () => disk.open();
    },
  },
];

for (const { name, persistent, place } of implementations) {
  const opened = async (t: ExecutionContext): Promise<OpenStorage> => {
    const store = await place(t)();
    t.teardown(() => store.close());
    return store;
  };

  test(`${name}: says what it is`, async (t) => {
    const { storage, reason } = await opened(t);
    t.is(storage.kind, name);
    t.is(storage.persistent, persistent);
    t.true(reason.length > 0);
  });

  test(`${name}: gives back what was put, and undefined for what was not or was deleted`, async (t) => {
    const { storage } = await opened(t);
    await storage.batch([put('a', '1'), put('empty', ''), put('\x00\xff\x80', '\xfe\x00')]);
    t.deepEqual(await storage.get(bytes('a')), bytes('1'));
    t.deepEqual(await storage.get(bytes('empty')), Buffer.alloc(0));
    t.deepEqual(await storage.get(bytes('\x00\xff\x80')), bytes('\xfe\x00'));
    t.is(await storage.get(bytes('b')), undefined);
    await storage.batch([remove('a'), remove('never there')]);
    const found = await storage.getMany([bytes('a'), bytes('empty'), bytes('b')]);
    t.deepEqual(found, [undefined, Buffer.alloc(0), undefined]);
  });

  test(`${name}: applies a batch in order, with the last operation on a key standing`, async (t) => {
    const { storage } = await opened(t);
    await storage.batch([
      put('k', '1'),
      remove('k'),
      put('k', '2'),
      put('gone', '1'),
      remove('gone'),
    ]);
    t.deepEqual(await scanned(storage, everything), ['k=2']);
    await storage.batch([]);
    t.deepEqual(await scanned(storage, everything), ['k=2']);
  });

  test(`${name}: concurrent batches take effect in call order`, async (t) => {
    const { storage } = await opened(t);
    const batches = Array.from({ length: 300 }, (_, n) =>
      storage.batch([put('same', String(n)), put(`log/${String(n).padStart(4, '0')}`, '')], {
        durable: n % 3 === 0,
      }),
    );
    await Promise.all(batches);
    t.deepEqual(await storage.get(bytes('same')), bytes('299'));
    t.is((await scanned(storage, { gte: bytes('log/'), lt: bytes('log0') })).length, 300);
  });

  test(`${name}: a batch with one bad operation stores nothing and harms no other`, async (t) => {
    const { storage } = await opened(t);
    const good = storage.batch([put('good', '1')]);
    const bad = [put('x', '1'), { type: 'put', key: bytes('y'), value: 'text' }];
    await t.throwsAsync(storage.batch(bad as StorageOp[]), { code: 'ERR_DWCP_INVALID_ARG' });
    await t.throwsAsync(storage.batch([put('', '1')]), { code: 'ERR_DWCP_INVALID_ARG' });
    const unknown = [{ type: 'merge', key: bytes('y') }] as unknown as StorageOp[];
    await t.throwsAsync(storage.batch(unknown), { code: 'ERR_DWCP_INVALID_ARG' });
    await t.throwsAsync(storage.get('a' as unknown as Buffer), { code: 'ERR_DWCP_INVALID_ARG' });
    const negative = storage.scan({ ...everything, limit: -1 });
    await t.throwsAsync(negative[Symbol.asyncIterator]().next(), { code: 'ERR_DWCP_INVALID_ARG' });
    await good;
    t.deepEqual(await scanned(storage, everything), ['good=1']);
  });

  test(`${name}: scans in byte order, bounded, limited, reversed`, async (t) => {
    const { storage } = await opened(t);
    const keys = ['b', 'a', '\xff', 'a\x00', 'c', '\x00', '\x7f', '\x80', 'aa'];
    await storage.batch(keys.map((key) => put(key, '')));
    const sorted = ['\x00=', 'a=', 'a\x00=', 'aa=', 'b=', 'c=', '\x7f=', '\x80=', '\xff='];
    t.deepEqual(await scanned(storage, everything), sorted);
    t.deepEqual(await scanned(storage, { ...everything, reverse: true }), sorted.toReversed());
    const middle = { gte: bytes('a'), lt: bytes('b') };
    t.deepEqual(await scanned(storage, middle), ['a=', 'a\x00=', 'aa=']);
    t.deepEqual(await scanned(storage, { ...middle, limit: 2 }), ['a=', 'a\x00=']);
    const last = { ...middle, limit: 2, reverse: true };
    t.deepEqual(await scanned(storage, last), ['aa=', 'a\x00=']);
    t.deepEqual(await scanned(storage, { ...middle, limit: 0 }), []);
    t.deepEqual(await scanned(storage, { gte: bytes('b'), lt: bytes('a') }), []);
    t.deepEqual(await scanned(storage, { gte: bytes('a'), lt: bytes('a') }), []);
    t.deepEqual(await scanned(storage, { gte: bytes(''), lt: bytes('') }), []);
  });

  test(`${name}: what is returned belongs to the caller`, async (t) => {
    const { storage, blobs } = await opened(t);
    const value = bytes('value');
    await storage.batch([{ type: 'put', key: bytes('k'), value }]);
    value.fill(0);
    (await storage.get(bytes('k')))!.fill(0);
    for await (const [key, found] of storage.scan(everything)) {
      key.fill(0);
      found.fill(0);
    }
    t.deepEqual(await scanned(storage, everything), ['k=value']);
    const blobName = '00112233445566778899aabbccddeeff';
    await blobs.put(blobName, bytes('blob'));
    (await blobs.get(blobName))!.fill(0);
    t.deepEqual(await blobs.get(blobName), bytes('blob'));
  });

  test(`${name}: holds 10,000 keys, and a scan may stop early or meet writes`, async (t) => {
    const { storage } = await opened(t);
    for (let from = 0; from < 10_000; from += 1000) {
      const ops = Array.from({ length: 1000 }, (_, i) => put(shuffled(from + i), String(from + i)));
      await storage.batch(ops, { durable: false });
    }
    const all = await scanned(storage, everything);
    t.is(all.length, 10_000);
    t.deepEqual(all, all.toSorted());
    let seen = 0;
    for await (const [first] of storage.scan({ ...everything, reverse: true })) {
      if (seen === 0) t.deepEqual(first, bytes('k09999'));
      seen += 1;
      if (seen === 300) await storage.batch([remove('k00000'), put('k', 'new')]);
      if (seen === 600) break;
    }
    t.is(seen, 600);
    const after = await scanned(storage, { ...everything, limit: 2 });
    t.deepEqual(after, ['k=new', `k00001=${all[1]!.split('=')[1]}`]);
  });

  test(`${name}: close waits for queued batches, is idempotent, and ends every other call`, async (t) => {
    const store = await opened(t);
    const { storage, blobs } = store;
    const written = storage.batch([put('k', '1')]);
    const scan = storage.scan(everything)[Symbol.asyncIterator]();
    await Promise.all([store.close(), store.close(), storage.close(), written]);
    const closed = { code: 'ERR_DWCP_CLOSED' };
    await t.throwsAsync(storage.get(bytes('k')), closed);
    await t.throwsAsync(storage.getMany([bytes('k')]), closed);
    await t.throwsAsync(storage.batch([put('k', '2')]), closed);
    await t.throwsAsync(scan.next(), closed);
    await t.throwsAsync(blobs.get('00112233445566778899aabbccddeeff'), closed);
    await t.throwsAsync(blobs.put('00112233445566778899aabbccddeeff', bytes('')), closed);
  });

  test(`${name}: keeps blobs by name, once, and refuses names that are none`, async (t) => {
    const { blobs } = await opened(t);
    const first = `${'ab'.repeat(16)}.xxh3`;
    const second = `${'cd'.repeat(16)}.sha256`;
    await Promise.all([blobs.put(first, bytes('one')), blobs.put(first, bytes('one'))]);
    await blobs.put(first, bytes('other content is not stored over it'));
    await blobs.put(second, Buffer.alloc(300_000, 7));
    t.deepEqual(await blobs.get(first), bytes('one'));
    t.deepEqual(await blobs.get(second), Buffer.alloc(300_000, 7));
    t.is(await blobs.get('ef'.repeat(16)), undefined);
    const names: string[] = [];
    for await (const found of blobs.list()) names.push(found);
    t.deepEqual(names.toSorted(), [first, second]);
    await blobs.delete(first);
    await blobs.delete(first);
    t.is(await blobs.get(first), undefined);
    const tricks = ['', '..', '../../etc/passwd', `${'ab'.repeat(16)}/x`, 'AB'.repeat(16), 'ab', 7];
    for (const trick of [...tricks, `${'ab'.repeat(16)}.a.tmp`, `${'ab'.repeat(16)}\0`]) {
      await t.throwsAsync(blobs.put(trick as string, bytes('x')), { code: 'ERR_DWCP_INVALID_ARG' });
      await t.throwsAsync(blobs.get(trick as string), { code: 'ERR_DWCP_INVALID_ARG' });
      await t.throwsAsync(blobs.delete(trick as string), { code: 'ERR_DWCP_INVALID_ARG' });
    }
  });

  if (!persistent) continue;

  test(`${name}: finds everything again after close and open`, async (t) => {
    const open = place(t);
    const before = await open();
    await before.storage.batch([put('a', '1'), put('b', '2')]);
    await before.storage.batch([remove('a')], { durable: false });
    await before.blobs.put('ab'.repeat(16), bytes('blob'));
    await before.close();
    const after = await open();
    t.teardown(() => after.close());
    t.deepEqual(await scanned(after.storage, everything), ['b=2']);
    t.deepEqual(await after.blobs.get('ab'.repeat(16)), bytes('blob'));
  });

  test(`${name}: can be opened once at a time`, async (t) => {
    const open = place(t);
    const first = await open();
    await t.throwsAsync(open(), { code: 'ERR_DWCP_STORAGE_UNAVAILABLE' });
    await first.storage.batch([put('still', 'works')]);
    await first.close();
    const second = await open();
    t.deepEqual(await second.storage.get(bytes('still')), bytes('works'));
    await second.close();
  });
}
