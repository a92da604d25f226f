/**
 * Power loss at every write boundary of a run of puts, rebases and conflicts: whatever was acknowledged
 * is read back after it, nothing else is damaged, and no name is given out twice.
 */
import test from 'ava';
import { systemClock } from '../../lib/clock.ts';
import { resolveLimits } from '../../lib/limits.ts';
import { native } from '../../lib/native/load.ts';
import { seededRandom } from '../../lib/random.ts';
import { Store } from '../../lib/replication/store.ts';
import type { NamespaceStore } from '../../lib/replication/namespace-store.ts';
import type { OpenStorage } from '../../lib/storage/index.ts';
import { SimulatedDisk } from '../../lib/testing/simulated-disk.ts';

const limits = resolveLimits({ state: { inlineValueBytes: 512, maxChain: 3, maxAuditRecords: 2 } });

function openStore(open: OpenStorage, seed: number): Promise<Store> {
  const random = seededRandom(seed);
  return Store.open({ open, clock: systemClock, random, limits, region: 'eu', native });
}

/** Cuts the power at the given write, before or after it reached the disk. */
function failing(
  inner: OpenStorage,
  disk: SimulatedDisk,
  atWrite: number,
  after: boolean,
): { open: OpenStorage; writes: () => number } {
  let count = 0;
  const guard = async <T>(write: () => Promise<T>): Promise<T> => {
    const mine = count++ === atWrite;
    if (mine && !after) disk.losePower();
    const result = await write();
    if (mine && after) disk.losePower();
    return result;
  };
  const { storage, blobs } = inner;
  const open: OpenStorage = {
    ...inner,
    storage: {
      kind: storage.kind,
      persistent: storage.persistent,
      get: (key) => storage.get(key),
      getMany: (keys) => storage.getMany(keys),
      batch: (ops, options) => guard(() => storage.batch(ops, options)),
      scan: (range) => storage.scan(range),
      close: () => storage.close(),
    },
    blobs: {
      put: (name, bytes) => guard(() => blobs.put(name, bytes)),
      get: (name) => blobs.get(name),
      delete: (name) => guard(() => blobs.delete(name)),
      list: () => blobs.list(),
    },
  };
  return { open, writes: () => count };
}

function value(version: number): Buffer {
  const bytes = Buffer.from(seededRandom(11).bytes(4_000));
  bytes.write(`version ${version}`, 100 * (version % 30));
  return bytes;
}

/** What was asked and what was answered, by key. */
interface History {
  readonly acked: Map<string, number>;
  readonly asked: Map<string, number>;
  readonly dots: Set<string>;
}

async function run(files: NamespaceStore, { acked, asked, dots }: History): Promise<void> {
  const put = async (key: string, version: number, bytes = value(version)): Promise<void> => {
    asked.set(key, version);
    const { dot } = await files.put(key, bytes);
    acked.set(key, version);
    dots.add(`${dot.replica}:${dot.seq}`);
  };
  for (let version = 1; version <= 9; version++) {
    await put('big', version);
    await put('small', version, Buffer.from(`small ${version}`));
    if (version === 3 || version === 8) await files.rebase('big');
    if (version === 5) {
      const { context } = await files.reader.entry('big');
      await put('big', version);
      asked.set('big', 100);
      const { dot } = await files.put('big', value(100), { context });
      acked.set('big', 100);
      dots.add(`${dot.replica}:${dot.seq}`);
    }
  }
}

async function crashAt(
  atWrite: number,
  after: boolean,
): Promise<{ done: boolean; error?: string }> {
  const disk = new SimulatedDisk({ random: seededRandom(atWrite), clock: systemClock });
  const { open, writes } = failing(await disk.open(), disk, atWrite, after);
  const history: History = { acked: new Map(), asked: new Map(), dots: new Set() };
  try {
    const store = await openStore(open, 1);
    await run(store.namespace('files', { policy: 'lww', codec: 'bytes' }), history);
    await store.close();
  } catch {
    // The power went: what was not acknowledged may be there or not.
  }
  if (writes() <= atWrite) return { done: true };
  disk.losePower();
  const again = await disk.open();
  const store = await openStore(again, 2);
  const files = store.namespace('files', { policy: 'lww', codec: 'bytes' });
  const problem = await check(files, again, history);
  await store.close();
  return problem === undefined ? { done: false } : { done: false, error: problem };
}

async function check(
  files: NamespaceStore,
  open: OpenStorage,
  { acked, asked, dots }: History,
): Promise<string | undefined> {
  for (const key of ['big', 'small']) {
    const { values } = await files.reader.entry(key);
    const bytes = values[0]?.value?.bytes;
    const allowed = [acked.get(key), asked.get(key)].map((version) =>
      version === undefined
        ? undefined
        : key === 'big'
          ? value(version)
          : Buffer.from(`small ${version}`),
    );
    const same = allowed.some((each) => (each && bytes ? each.equals(bytes) : each === bytes));
    if (!same) return `${key} is not what was acknowledged (${acked.get(key)})`;
  }
  for await (const record of files.auditLog.entries()) await record.loserBytes();
  const { dot } = await files.put('after', Buffer.from('x'));
  if (dots.has(`${dot.replica}:${dot.seq}`)) return `dot ${dot.seq} was given out twice`;
  let blobs = 0;
  for await (const name of open.blobs.list()) blobs += name === '' ? 0 : 1;
  return blobs > 3 ? `${blobs} blobs are left` : undefined;
}

for (const after of [false, true]) {
  test(`power loss ${after ? 'after' : 'before'} every write loses nothing acknowledged`, async (t) => {
    let atWrite = 0;
    for (; atWrite < 500; atWrite++) {
      const { done, error } = await crashAt(atWrite, after);
      if (error !== undefined) t.fail(`write ${atWrite}: ${error}`);
      if (done) break;
    }
    t.true(atWrite > 30 && atWrite < 500, `${atWrite} writes`);
  });
}

test('a failed batch stops the store: nothing more is acknowledged', async (t) => {
  const disk = new SimulatedDisk({ random: seededRandom(1), clock: systemClock });
  const store = await openStore(await disk.open(), 1);
  const files = store.namespace('files', { policy: 'lww', codec: 'bytes' });
  await files.put('a', Buffer.from('1'));
  disk.failWrites(1);
  await t.throwsAsync(files.put('a', Buffer.from('2')), { code: 'ERR_DWCP_STORAGE' });
  await t.throwsAsync(files.put('b', Buffer.from('3')), { code: 'ERR_DWCP_STORAGE' });
  t.is(files.vector.max(store.replicaId), 1);
});
