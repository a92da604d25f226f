/** The fuzzer of the TypeScript decoders: a short run finds nothing in them, and finds what is planted. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { fuzz } from '../fuzz/fuzzer.ts';
import type { FuzzTarget } from '../fuzz/decoded.ts';
import { targets } from '../fuzz/targets.ts';
import { planted } from '../fuzz/planted.ts';

for (const [name, target] of Object.entries(targets)) {
  test.serial(`${name}: a short run reaches new parts and finds no defect`, (t) => {
    const report = fuzz(target, { seed: 20_261_129, goOn: (runs) => runs < 30_000 });
    t.is(report.failure, undefined, String(report.failure?.error));
    t.true(report.corpus > target.seeds.length, 'coverage guides');
    t.true(report.reached > 500);
  });
}

test.serial('the command knows every target', (t) => {
  const script = fileURLToPath(new URL('../../../scripts/fuzz.mjs', import.meta.url));
  const { stdout, status } = spawnSync(process.execPath, [script], { encoding: 'utf8' });
  t.is(status, 2);
  const told = stdout
    .replace(/^.*targets: /s, '')
    .trim()
    .split(', ');
  for (const name of Object.keys(targets)) t.true(told.includes(name), name);
});

test.serial('a defect behind several comparisons is found, and its input shows it again', (t) => {
  const target: FuzzTarget = {
    seeds: [Buffer.from('hello world')],
    words: [Buffer.from('x')],
    files: /\/test\/fuzz\/planted\.js$/,
    run: planted,
  };
  const report = fuzz(target, { seed: 7, goOn: (runs) => runs < 400_000 });
  t.truthy(report.failure);
  t.throws(() => target.run(report.failure!.input), { message: 'planted' });
});

test.serial('the same seed makes the same run', (t) => {
  const once = (): unknown => fuzz(targets['rpc_header']!, { seed: 3, goOn: (n) => n < 6_000 });
  t.deepEqual(once(), once());
});
