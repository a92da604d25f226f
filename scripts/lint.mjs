// `npm run lint`: types, oxlint, prettier, knip, package checks, clang-format. Fails on the first finding
// of each tool and runs them all, so that one run shows everything.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setup } from './setup.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = (name) => join(root, 'node_modules', '.bin', name);

const nativeSources = readdirSync(join(root, 'native'), { recursive: true })
  .map((file) => join('native', String(file)))
  .filter((file) => /\.(cc|h)$/.test(file));

const checks = [
  ['types', bin('tsc'), ['--noEmit', '-p', '.']],
  ['oxlint', bin('oxlint'), ['--type-aware', '--quiet']],
  ['prettier', bin('prettier'), ['--check', '--log-level', 'warn', '.']],
  ['knip', bin('knip'), []],
  ['publint', bin('publint'), ['--strict']],
  ['clang-format', 'clang-format-14', ['--dry-run', '--Werror', ...nativeSources]],
];

await setup({ want: ['build', 'lint'] });
let failed = 0;
for (const [name, command, args] of checks) {
  const run = spawnSync(command, args, { cwd: root, encoding: 'utf8' });
  if (run.error?.code === 'ENOENT') {
    console.log(`${name}: not installed here, skipped`);
    continue;
  }
  console.log(`${name}: ${run.status === 0 ? 'ok' : 'FAILED'}`);
  if (run.status !== 0) {
    failed += 1;
    console.log(`${run.stdout}${run.stderr}`);
  }
}
process.exitCode = failed > 0 ? 1 : 0;
