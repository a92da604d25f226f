/** The contract kit of the codec binding on each tier of this Node, and of every other Node named. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { native } from '../../lib/native/load.ts';
import { native as portable } from '../../lib/native/portable.ts';
import { casesFor } from './native-binding-kit.ts';
import { testNodes } from './test-nodes.ts';

const child = fileURLToPath(new URL('native-binding-child.js', import.meta.url));

for (const binding of new Set([native, portable])) {
  for (const { name, run } of casesFor(binding.codec.abilities)) {
    test.serial(`${binding.tier}: ${name}`, async (t) => {
      await t.notThrowsAsync(async () => run(binding.codec));
    });
  }
}

test.serial('both tiers keep the contract on every Node of the matrix', async (t) => {
  for (const node of testNodes()) {
    const run = promisify(execFile)(node, [child], { timeout: 90_000 });
    const { stdout } = await run.catch((error: { stdout: string }) => error);
    const report = JSON.parse(stdout);
    t.deepEqual(report.failures, [], node);
    t.is(report.tier, native.tier, node);
  }
});
