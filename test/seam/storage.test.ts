/** The contract of `Storage` and `BlobStore`, held against every implementation. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { systemClock } from '../../lib/clock.ts';
import { seededRandom } from '../../lib/random.ts';
import { openStorage, rungs } from '../../lib/storage/open-storage.ts';
import { loadSqlite } from '../../lib/storage/sqlite-storage.ts';
import type { OpenStorage, Storage, StorageOp, StorageRange } from '../../lib/storage/storage.ts';
import { SimulatedDisk } from '../../lib/testing/simulated-disk.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const put = (key: string, value: string): StorageOp => ({
  type: 'put',
  key: bytes(key),
  value: bytes(value),
});
const remove = (key: string): StorageOp => ({ type: 'delete', key: bytes(key) });

/** The n-th of 10,000 keys in an order that is not theirs. */
const shuffled = (n: number): string => `k${String((n * 7919) % 10_000).padStart(5, '0')}`;

async function scanned(storage: Storage, range: StorageRange): Promise<string[]> {
  const found: string[] = [];
  for await (const [key, value] of storage.scan(range)) {
    found.push(`${key.toString('latin1')}=${value.toString('latin1')}`);
  }
  return found;
}

const everything = { gte: bytes(''), lt: Buffer.alloc(9, 0xff) };

function scratch(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'dwcp-storage-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

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

const diskKinds = (['level', 'sqlite'] as const).filter(
  (kind) => kind !== 'sqlite' || loadSqlite() !== undefined,
);

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

interface Writer {
  readonly process: ChildProcess;
  readonly lines: AsyncIterableIterator<string>;
}

function startWriter(t: ExecutionContext, path: string, kind: string): Writer {
  const script = fileURLToPath(new URL('storage-child.js', import.meta.url));
  const child = spawn(process.execPath, [script, path, kind], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  return {
    process: child,
    lines: createInterface({ input: child.stdout })[Symbol.asyncIterator](),
  };
}

for (const kind of diskKinds) {
  test(`${kind}: every acknowledged batch survives kill -9 of its process, whole`, async (t) => {
    const path = join(scratch(t), 'store');
    const writer = startWriter(t, path, kind);
    const acknowledged: string[] = [];
    const exited = once(writer.process, 'exit');
    for await (const line of writer.lines) {
      if (line === 'open') continue;
      acknowledged.push(line);
      if (acknowledged.length === 500) writer.process.kill('SIGKILL');
    }
    await exited;
    const { storage, close } = await openStorage({ path });
    t.teardown(close);
    const keys = acknowledged.map((n) => bytes(`a/${n}`));
    const found = await storage.getMany(keys);
    t.true(acknowledged.length >= 500);
    t.deepEqual(
      found.map((value) => value?.toString().split(':')[0]),
      acknowledged,
    );
    const a = await scanned(storage, { gte: bytes('a/'), lt: bytes('a0') });
    const b = await scanned(storage, { gte: bytes('b/'), lt: bytes('b0') });
    t.deepEqual(
      a.map((entry) => entry.slice(1)),
      b.map((entry) => entry.slice(1)),
    );
  });

  test(`${kind}: another process cannot open a store that is held, and can once the holder died`, async (t) => {
    const path = join(scratch(t), 'store');
    const writer = startWriter(t, path, kind);
    t.is((await writer.lines.next()).value, 'open');
    await t.throwsAsync(openStorage({ path }), { code: 'ERR_DWCP_STORAGE_UNAVAILABLE' });
    writer.process.kill('SIGKILL');
    await once(writer.process, 'exit');
    const { storage, close } = await openStorage({ path });
    t.is(storage.kind, kind);
    await close();
  });

  test(`${kind}: an unknown format is refused before anything is opened`, async (t) => {
    const path = scratch(t);
    await (await openStorage({ path, kind })).close();
    const record = join(path, 'FORMAT');
    const original = readFileSync(record, 'utf8');
    for (const wrong of [
      '',
      'something else\n',
      original.replace('format 1', 'format 2'),
      '\0'.repeat(999),
    ]) {
      writeFileSync(record, wrong);
      await t.throwsAsync(openStorage({ path }), { code: 'ERR_DWCP_STORAGE_CORRUPT' });
    }
    rmSync(record);
    await t.throwsAsync(openStorage({ path }), { code: 'ERR_DWCP_STORAGE_CORRUPT' });
    writeFileSync(record, original);
    await (await openStorage({ path })).close();
  });

  test(`${kind}: half-written blobs of a crash are removed at open`, async (t) => {
    const path = scratch(t);
    await (await openStorage({ path, kind })).close();
    const stale = join(path, 'blobs', `${'ab'.repeat(16)}.xxh3.1.tmp`);
    writeFileSync(stale, 'half');
    const { blobs, close } = await openStorage({ path });
    t.teardown(close);
    t.throws(() => readFileSync(stale), { code: 'ENOENT' });
    t.is(await blobs.get(`${'ab'.repeat(16)}.xxh3`), undefined);
  });
}

test('a damaged LevelDB is reported, not opened empty', async (t) => {
  const path = scratch(t);
  const store = await openStorage({ path, kind: 'level' });
  await store.storage.batch([put('a', '1')]);
  await store.close();
  writeFileSync(join(path, 'level', 'CURRENT'), 'nonsense');
  await t.throwsAsync(openStorage({ path }), { code: 'ERR_DWCP_STORAGE_CORRUPT' });
});

test('a path that cannot be honoured is an error and never memory', async (t) => {
  const file = join(scratch(t), 'file');
  writeFileSync(file, 'not a folder');
  for (const path of [file, join(file, 'below')]) {
    const error = await t.throwsAsync(openStorage({ path }), {
      code: 'ERR_DWCP_STORAGE_UNAVAILABLE',
    });
    t.true(error.message.includes(path));
    t.truthy(error.cause);
  }
  const memoryWithPath = openStorage({ path: file, kind: 'memory' });
  await t.throwsAsync(memoryWithPath, { code: 'ERR_DWCP_INVALID_ARG' });
  await t.throwsAsync(openStorage({ kind: 'level' }), { code: 'ERR_DWCP_INVALID_ARG' });
  await t.throwsAsync(openStorage({ path: '' }), { code: 'ERR_DWCP_INVALID_ARG' });
  const unknown = openStorage({ path: file, kind: 'floppy' as 'level' });
  await t.throwsAsync(unknown, { code: 'ERR_DWCP_INVALID_ARG' });
});

test('a platform without LevelDB takes the next rung, without any it says why', async (t) => {
  const [level, sqlite] = rungs;
  const noLevel = { ...level!, missing: async () => 'no binary for this platform' };
  const standIn = { ...sqlite!, missing: async () => undefined, open: level!.open };
  const path = join(scratch(t), 'store');
  const store = await openStorage({ path }, [noLevel, standIn]);
  t.is(store.reason, 'sqlite: no binary for this platform');
  await store.close();
  // The store that exists pins its rung: LevelDB coming back must not shadow it with an empty store.
  const again = await openStorage({ path }, [level!, standIn]);
  t.true(again.reason.startsWith('sqlite'));
  await again.close();
  await t.throwsAsync(openStorage({ path, kind: 'level' }), {
    code: 'ERR_DWCP_STORAGE_UNAVAILABLE',
  });
  const noSqlite = { ...sqlite!, missing: async () => 'no node:sqlite' };
  const other = join(scratch(t), 'other');
  const error = await t.throwsAsync(openStorage({ path: other }, [noLevel, noSqlite]), {
    code: 'ERR_DWCP_STORAGE_UNAVAILABLE',
  });
  t.regex(error.message, /no binary for this platform; no node:sqlite/);
});
