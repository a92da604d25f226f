/** The examples that docs/balancing.md and docs/rpc.md show, run as a reader would run them. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';

async function run(name: string): Promise<string> {
  const file = fileURLToPath(new URL(`../../examples/${name}.js`, import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [file], { timeout: 30_000 });
  return stdout;
}

const share = (id: string, stdout: string): number =>
  Number(new RegExp(`'${id}': (\\d+)`).exec(stdout)?.[1] ?? 0) / 1_000;

test('balancing: the endpoint that fails fast gets hardly any calls', async (t) => {
  const stdout = await run('balancing');
  t.true(share('eu-1', stdout) < 0.1, stdout);
  t.true(share('eu-2', stdout) > 0.8, stdout);
});

test('rpc: the call moves on when the nearest node stops', async (t) => {
  t.regex(await run('rpc'), /hello you, from (near|far)\nhello you, from far\n/);
});
