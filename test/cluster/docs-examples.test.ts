/**
 * Every `js` block of the README and of docs/ runs as it stands, against the package by its own name. Where
 * a `text` block follows under the word "prints", the program prints exactly that.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { native } from '../../lib/native/load.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
// Inside the package, so that `import 'dwcp'` means the package itself.
const folder = join(root, 'dist', 'docs-examples');
const run = promisify(execFile);
const pattern = /```js\n([\s\S]*?)```(?:\s*prints\s*```text\n([\s\S]*?)```)?/g;

/** Frames with a dictionary, and plain ones for others. */
const makesZstd = /\{[^}]*\bdictionary\b[^}]*\}\)|exportZstd\(/;

const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

mkdirSync(folder, { recursive: true });
let programs = 0;
for (const page of pages) {
  const blocks = [...readFileSync(join(root, page), 'utf8').matchAll(pattern)];
  for (const [i, [, program, printed]] of blocks.entries()) {
    programs += 1;
    test(`${page}: example ${i + 1} runs${printed ? ' and prints what it says' : ''}`, async (t) => {
      t.timeout(60_000);
      const file = join(folder, `${page.replaceAll(/[/.]/g, '-')}-${i + 1}.mjs`);
      writeFileSync(file, program!);
      const running = run(process.execPath, [file], { timeout: 30_000 });
      if (program!.match(makesZstd) && !native.codec.abilities.zstd) {
        // Nothing here makes zstd frames, and the example says so instead.
        await t.throwsAsync(running, { message: /ERR_DWCP_FRAME_CODEC/ });
        return;
      }
      const { stdout, stderr } = await running;
      t.is(stderr, '');
      if (printed !== undefined) t.is(stdout, printed);
    });
  }
}

test('the docs have examples', (t) => {
  t.true(programs >= 3, `${programs} found`);
});
