/** The store of replicated state: chains, rebase, restart, damage. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { systemClock } from '../../lib/clock.ts';
import { VersionVector } from '../../lib/conflict/index.ts';
import { defaultLimits } from '../../lib/limits.ts';
import type { Limits } from '../../lib/limits.ts';
import { native } from '../../lib/native/load.ts';
import { seededRandom } from '../../lib/random.ts';
import { Keyspace } from '../../lib/replication/keyspace.ts';
import type { NamespaceConfig } from '../../lib/replication/namespace-store.ts';
import { Store } from '../../lib/replication/store.ts';
import { bytesCodec } from '../../lib/replication/value-codec.ts';
import { openStorage } from '../../lib/storage/index.ts';
import type { OpenStorage } from '../../lib/storage/index.ts';

const lww: NamespaceConfig = { policy: 'lww', codec: 'bytes' };
const siblings: NamespaceConfig = { policy: 'siblings', codec: 'bytes' };
let seed = 1;

async function openStore(open: OpenStorage, state: Partial<Limits['state']> = {}): Promise<Store> {
  const limits = { ...defaultLimits, state: { ...defaultLimits.state, ...state } };
  const random = seededRandom(seed++);
  return Store.open({ open, clock: systemClock, random, limits, region: 'eu', native });
}

function bytesKeyspace(store: Store, config: NamespaceConfig = lww): Keyspace<'lww', 'bytes'> {
  const namespace = store.namespace('files', config);
  const keyspace = new Keyspace<'lww', 'bytes'>({
    store: namespace,
    codec: bytesCodec,
    clock: systemClock,
    maxKeyBytes: 1024,
    onListenerError: () => undefined,
  });
  namespace.onApplied = (applied) => keyspace.announce(applied);
  return keyspace;
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

async function folder(t: ExecutionContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'dwcp-replication-'));
  t.teardown(() => rm(path, { recursive: true, force: true }));
  return path;
}

const noise = seededRandom(7).bytes(200_000);

/** A large value that compresses badly, and versions of it that differ little. */
function large(version: number, sizeBytes = 200_000): Buffer {
  const bytes = Buffer.from(noise.subarray(0, sizeBytes));
  for (let i = 0; i < version; i++) bytes.write(`edit ${i}`, 1000 * (i + 1));
  return bytes;
}

test('a value put is read back, replaced and deleted', async (t) => {
  const store = await openStore(await openStorage());
  const files = bytesKeyspace(store);
  const input = Buffer.from('one');
  const first = await files.put('a', input);
  input.fill(0);
  t.is((await files.get('a'))?.toString(), 'one');
  const second = await files.put('a', Buffer.from('two'));
  t.is(second.dot.seq, first.dot.seq + 1);
  t.is((await files.get('a'))?.toString(), 'two');
  await files.delete('a');
  t.is(await files.get('a'), undefined);
  t.is(await files.get('never'), undefined);
});

test('updates of a large value are stored as small delta frames', async (t) => {
  const open = await openStorage({ path: await folder(t) });
  const store = await openStore(open);
  const files = bytesKeyspace(store);
  for (let version = 0; version < 6; version++) await files.put('big', large(version));
  const { chain } = await store.namespaces[0]!.reader.record('big');
  t.is(chain?.links.length, 6);
  for (const link of chain!.links.slice(1)) t.true(link.storedBytes < 2_000);
  t.true((await files.get('big'))?.equals(large(5)));
  await store.close();
  await open.close();
});

test('a restart replays the chain, keeps the replica id and goes on counting', async (t) => {
  const path = await folder(t);
  let open = await openStorage({ path });
  let store = await openStore(open);
  const { replicaId } = store;
  for (let version = 0; version < 4; version++) {
    await bytesKeyspace(store).put('big', large(version));
  }
  const last = await bytesKeyspace(store).put('small', Buffer.from('x'));
  await store.close();
  await open.close();

  open = await openStorage({ path });
  store = await openStore(open);
  t.is(store.replicaId, replicaId);
  const files = bytesKeyspace(store);
  t.true((await files.get('big'))?.equals(large(3)));
  t.is((await files.get('small'))?.toString(), 'x');
  const next = await files.put('small', Buffer.from('y'));
  t.is(next.dot.seq, last.dot.seq + 1);
  await store.close();
  await open.close();
});

test('memory storage mints a new replica id at every start', async (t) => {
  const open = await openStorage();
  const first = await openStore(open);
  const second = await openStore(open);
  t.not(first.replicaId, second.replicaId);
});

test('a rebase makes the newest value the full one and removes what it replaced', async (t) => {
  const path = await folder(t);
  const open = await openStorage({ path });
  const store = await openStore(open);
  const files = bytesKeyspace(store);
  for (let version = 0; version < 5; version++) await files.put('big', large(version));
  const namespace = store.namespaces[0]!;
  const racing = files.put('big', large(5));
  t.true(await namespace.rebase('big'));
  await racing;
  const { chain } = await namespace.reader.record('big');
  t.true(chain!.links.length <= 2);
  t.is((await readdir(join(path, 'blobs'))).length, 1);
  await store.close();
  await open.close();
  const again = await openStorage({ path });
  const reopened = await openStore(again);
  t.true((await bytesKeyspace(reopened).get('big'))?.equals(large(5)));
  await reopened.close();
  await again.close();
});

test('a chain never grows past its bound', async (t) => {
  const store = await openStore(await openStorage(), { maxChain: 3 });
  const files = bytesKeyspace(store);
  for (let version = 0; version < 12; version++) {
    await files.put('big', large(version));
    const { chain } = await store.namespaces[0]!.reader.record('big');
    t.true(chain!.links.length <= 4);
  }
  t.true((await files.get('big'))?.equals(large(11)));
  await store.close();
});

test('a damaged blob is reported with the name of the key', async (t) => {
  const path = await folder(t);
  const open = await openStorage({ path });
  const store = await openStore(open);
  await bytesKeyspace(store).put('big', large(0));
  await store.close();
  await open.close();
  const [blob] = await readdir(join(path, 'blobs'));
  const bytes = await readFile(join(path, 'blobs', blob!));
  bytes[bytes.length >> 1]! ^= 1;
  await writeFile(join(path, 'blobs', blob!), bytes);

  const again = await openStorage({ path });
  const reopened = await openStore(again);
  const error = await t.throwsAsync(bytesKeyspace(reopened).get('big'), {
    code: 'ERR_DWCP_STORAGE_CORRUPT',
  });
  t.regex(error.message, /"big"/);
  await reopened.close();
  await again.close();
});

test('blobs without an owner are swept when the store opens', async (t) => {
  const path = await folder(t);
  const open = await openStorage({ path });
  await open.blobs.put('00112233445566778899aabbccddeeff.x3', Buffer.from('orphan'));
  const store = await openStore(open);
  await bytesKeyspace(store).put('big', large(0));
  t.is((await readdir(join(path, 'blobs'))).length, 1);
  await store.close();
  await open.close();
});

test('a keyspace declared with another policy is refused', async (t) => {
  const path = await folder(t);
  const open = await openStorage({ path });
  const store = await openStore(open);
  await bytesKeyspace(store).put('a', Buffer.from('1'));
  t.throws(() => store.namespace('files', siblings), { code: 'ERR_DWCP_POLICY' });
  await store.close();
  await open.close();
  const again = await openStorage({ path });
  const reopened = await openStore(again);
  t.throws(() => reopened.namespace('files', siblings), { code: 'ERR_DWCP_POLICY' });
  t.is((await bytesKeyspace(reopened).get('a'))?.toString(), '1');
  await reopened.close();
  await again.close();
});

test('a write with an old context stands beside what it had not seen, large values too', async (t) => {
  const store = await openStore(await openStorage());
  const files = bytesKeyspace(store, siblings);
  await files.put('big', large(0));
  const { context } = await files.getEntry('big');
  await files.put('big', large(1));
  await files.put('big', large(2), { context });
  const both = await files.getEntry('big');
  t.deepEqual(
    both.siblings.map(({ value }) => value),
    [large(2), large(1)],
  );
  await files.put('big', large(3), { context: both.context });
  const merged = await files.getEntry('big');
  t.deepEqual(
    merged.siblings.map(({ value }) => value),
    [large(3)],
  );
  t.true(files.conflicts > 0);
  await store.close();
});

test('lww keeps the loser of a concurrent write in the audit log with its value', async (t) => {
  const store = await openStore(await openStorage());
  const files = bytesKeyspace(store);
  for (const [key, bytes] of [
    ['small', (version: number) => Buffer.from(`v${version}`)],
    ['big', (version: number) => large(version)],
  ] as const) {
    await files.put(key, bytes(0));
    const { context } = await files.getEntry(key);
    await files.put(key, bytes(1));
    await files.put(key, bytes(2), { context });
    t.true((await files.get(key))?.equals(bytes(2)));
    await files.put(key, bytes(3));
    const [record, ...more] = await collect(files.audit({ key }));
    t.is(more.length, 0);
    t.true((await record!.loserValue())?.equals(bytes(1)));
  }
  await store.close();
});

test('the audit log keeps its newest records and their values', async (t) => {
  const path = await folder(t);
  const open = await openStorage({ path });
  const store = await openStore(open, { maxAuditRecords: 2 });
  const files = bytesKeyspace(store);
  for (let round = 0; round < 4; round++) {
    await files.put('big', large(2 * round));
    const { context } = await files.getEntry('big');
    await files.put('big', large(2 * round + 1));
    await files.put('big', large(2 * round + 1, 150_000), { context });
  }
  const records = await collect(files.audit());
  t.is(records.length, 2);
  t.true((await records[1]!.loserValue())?.equals(large(7)));
  await store.close();
  t.true((await readdir(join(path, 'blobs'))).length <= 3);
  await open.close();
});

test('watchers get the latest change per key, callbacks get every one', async (t) => {
  const store = await openStore(await openStorage());
  const files = bytesKeyspace(store);
  const seen: string[] = [];
  const stop = files.subscribe(({ key, value }) => seen.push(`${key}=${value?.toString()}`));
  const watch = files.watch('a');
  await files.put('a1', Buffer.from('1'));
  await files.put('b1', Buffer.from('2'));
  await files.put('a1', Buffer.from('3'));
  const first = await watch.next();
  t.is(first.value.value?.toString(), '3');
  const waiting = watch.next();
  await files.delete('a1');
  t.true((await waiting).value.deleted);
  await watch.return?.();
  t.true((await watch.next()).done);
  stop();
  await files.put('a1', Buffer.from('5'));
  t.deepEqual(seen, ['a1=1', 'b1=2', 'a1=3', 'a1=undefined']);
  await store.close();
});

test('scan gives live keys of a prefix in order', async (t) => {
  const store = await openStore(await openStorage());
  const files = bytesKeyspace(store);
  await Promise.all(['b', 'ab', 'aa', 'ac', 'a'].map((key) => files.put(key, Buffer.from(key))));
  await files.delete('ab');
  const found = await collect(files.scan('a'));
  t.deepEqual(
    found.map(({ key, value }) => [key, value?.toString()]),
    [
      ['a', 'a'],
      ['aa', 'aa'],
      ['ac', 'ac'],
    ],
  );
});

test('bad keys and values are refused and change nothing', async (t) => {
  const store = await openStore(await openStorage(), { maxValueBytes: 100 });
  const files = bytesKeyspace(store);
  for (const key of ['', 'x'.repeat(1025), '\ud800', 5 as unknown as string]) {
    await t.throwsAsync(files.put(key, Buffer.from('1')), { code: 'ERR_DWCP_INVALID_ARG' });
  }
  await t.throwsAsync(files.put('a', 'text' as unknown as Buffer), {
    code: 'ERR_DWCP_INVALID_ARG',
  });
  await t.throwsAsync(files.put('a', Buffer.alloc(101)), { code: 'ERR_DWCP_VALUE_TOO_LARGE' });
  const signal = AbortSignal.abort();
  await t.throwsAsync(files.put('a', Buffer.from('1'), { signal }), { code: 'ERR_DWCP_ABORTED' });
  t.is((await files.put('a', Buffer.from('1'))).dot.seq, 1);
});

test('what a peer claims of our own writes, or of too many replicas, never spoils the vector', async (t) => {
  const open = await openStorage({ path: await folder(t) });
  const store = await openStore(open);
  const files = bytesKeyspace(store);
  await files.put('a', Buffer.from('one'));
  const [namespace] = store.namespaces;
  const own = store.replicaId;
  await namespace!.cover(new VersionVector(new Map([[own, [[1, Number.MAX_SAFE_INTEGER]]]])));
  t.is(namespace!.vector.max(own), 1);
  const many = (from: number, count: number): VersionVector => {
    const ids = Array.from({ length: count }, (_, i) => (from + i).toString(16).padStart(16, '0'));
    return new VersionVector(new Map(ids.map((id) => [id, [[1, 1]]])));
  };
  await namespace!.cover(many(1, 3_000));
  await t.throwsAsync(namespace!.cover(many(10_000, 3_000)), { code: 'ERR_DWCP_LIMIT' });
  t.is((await files.put('b', Buffer.from('two'))).dot.seq, 2);
  await store.close();
  const again = bytesKeyspace(await openStore(open));
  t.is((await again.get('b'))?.toString(), 'two');
  t.is((await again.put('c', Buffer.from('three'))).dot.seq, 3);
  await open.close();
});
