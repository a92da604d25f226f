/** One list of C++ sources, true to the folders. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const list: Readonly<Record<string, string[]>> = JSON.parse(read('native/sources.json'));

const onDisk = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true })
    .map((file) => `${folder}/${String(file)}`)
    .filter((file) => /\.(?:cc|cpp|c|S)$/.test(file))
    .toSorted();

for (const [group, folder] of [
  ['core', 'native/core'],
  ['binding', 'native/binding'],
  ['tests', 'native/test'],
  ['fuzz', 'native/fuzz'],
] as const) {
  test(`sources.json lists exactly the files of ${folder}`, (t) => {
    t.true(list[group]!.length > 0);
    t.deepEqual(list[group]!.toSorted(), onDisk(folder));
  });
}

test('sources.json names every zstd file that a build without worker threads needs', (t) => {
  const base = String(list['zstdRoot']);
  const threads = /\/(?:pool|threading|zstdmt_compress)\.c$/;
  const needed = onDisk(base).filter((file) => !threads.test(file));
  t.deepEqual(list['zstd']!.toSorted(), needed);
});

test('both builds read sources.json and name no source themselves', (t) => {
  for (const file of ['binding.gyp', 'CMakeLists.txt']) {
    t.regex(read(file), /sources\.json/);
    t.notRegex(read(file), /\w\.(?:cc|cpp)\b/);
  }
});

test('the core includes nothing of Node', (t) => {
  const including = onDisk('native/core')
    .concat(['native/core/error_code.h'])
    .filter((file) => /#include [<"](?:napi|node_api|uv|v8|js_native)/.test(read(file)));
  t.deepEqual(including, []);
});
