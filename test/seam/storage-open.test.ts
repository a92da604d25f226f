/** Opening stores: the ladder, format records, locks between processes, death of the holder. */
import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { openStorage, rungs } from '../../lib/storage/open-storage.ts';
import { loadSqlite } from '../../lib/storage/sqlite-storage.ts';
import { bytes, diskKinds, put, scanned, scratch } from './storage-kit.ts';

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
      original.replace(kind, 'tape'),
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

test('failures of the file system are coded, with their cause, and the store goes on', async (t) => {
  const path = scratch(t);
  const { storage, blobs, close } = await openStorage({ path });
  t.teardown(close);
  const folder = join(path, 'blobs');
  rmSync(folder, { recursive: true });
  writeFileSync(folder, 'no folder any more');
  const failed = { code: 'ERR_DWCP_STORAGE' };
  const name = 'ab'.repeat(16);
  const error = await t.throwsAsync(blobs.put(name, bytes('x')), failed);
  t.is((error.cause as NodeJS.ErrnoException).code, 'ENOTDIR');
  await t.throwsAsync(blobs.get(name), failed);
  await t.throwsAsync(blobs.list()[Symbol.asyncIterator]().next(), failed);
  rmSync(folder);
  await t.throwsAsync(blobs.put(name, bytes('x')), failed);
  mkdirSync(folder);
  await blobs.put(name, bytes('x'));
  t.deepEqual(await blobs.get(name), bytes('x'));
  await storage.batch([put('a', '1')]);
  t.deepEqual(await storage.get(bytes('a')), bytes('1'));
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
  // The store that exists pins its rung: LevelDB coming back must not shadow it with an empty
  // store.
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

const otherNodes = (process.env['DWCP_TEST_NODES'] ?? '').split(':').filter((node) => node !== '');

/** Opens a store in a process without addons and prints what came of it. */
async function openWithoutAddons(node: string, path: string | undefined): Promise<string> {
  const module = new URL('../../lib/storage/index.js', import.meta.url).href;
  const script = `
    import { openStorage } from ${JSON.stringify(module)};
    const options = ${JSON.stringify({ path })};
    const opened = await openStorage(options).catch((error) => console.log(error.code, error.message));
    if (opened) console.log(opened.reason);
    await opened?.close();`;
  const args = ['--no-addons', '--no-warnings', '--input-type=module', '-e', script];
  const { stdout } = await promisify(execFile)(node, args);
  return stdout;
}

test('where addons are off, a path gets node:sqlite or an error, and memory still works', async (t) => {
  for (const node of [process.execPath, ...otherNodes]) {
    const path = join(scratch(t), 'store');
    const onPath = await openWithoutAddons(node, path);
    t.regex(onPath, /classic-level did not load/);
    const hasSqlite = node !== process.execPath || loadSqlite() !== undefined;
    t.regex(onPath, hasSqlite ? /^sqlite: / : /^ERR_DWCP_STORAGE_UNAVAILABLE .*no node:sqlite/);
    t.regex(await openWithoutAddons(node, undefined), /^no path was given/);
  }
});

for (const node of otherNodes) {
  test(`the contract holds for sqlite on ${node.split('/').at(-3)}`, async (t) => {
    const ava = new URL('../../../node_modules/ava/entrypoints/cli.mjs', import.meta.url);
    const files = ['storage.test.js', 'storage-open.test.js'].map((name) =>
      fileURLToPath(new URL(name, import.meta.url)),
    );
    const env = { PATH: process.env['PATH'] };
    const args = [fileURLToPath(ava), '--tap', '--match', 'sqlite:*', ...files];
    const { stdout } = await promisify(execFile)(node, args, { env });
    t.regex(stdout, /^ok \d+ - .*sqlite: every acknowledged batch survives kill -9/m);
    t.notRegex(stdout, /^not ok/m);
  });
}
