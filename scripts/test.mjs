// `npm test`: sets up what is missing, builds, runs every test, prints `N passed, N failed` last.
// Arguments are AVA's: `npm test -- dist/test/unit/frame.test.js` runs that file alone.
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { runtimes } from './runtimes.mjs';
import { setup } from './setup.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const only = process.argv.slice(2);

/** Runs AVA in TAP form; prints failures whole and passes as a running count. */
async function runAva(env) {
  const entry = join(root, 'node_modules', 'ava', 'entrypoints', 'cli.mjs');
  const child = spawn(process.execPath, [entry, '--tap', ...only], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const count = { passed: 0, failed: 0 };
  let failing = false;
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith('not ok ')) {
      count.failed += 1;
      failing = true;
    } else if (line.startsWith('ok ') && line.endsWith('# SKIP')) {
      failing = false;
      console.log(line.replace(/^ok \d+ - (.*) # SKIP$/, 'skipped: $1'));
    } else if (line.startsWith('ok ')) {
      count.passed += 1;
      failing = false;
      if (count.passed % 100 === 0) console.log(`… ${count.passed} passed`);
    }
    if (failing) console.log(line);
  }
  if ((await ended) !== 0 && count.failed === 0) {
    console.log('the test runner itself failed');
    count.failed += 1;
  }
  return count;
}

/** Runs the C++ unit tests through ctest. They need cmake and a compiler; setup installs both as root. */
function runNative() {
  const has = (command) => spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
  if (only.length > 0) return { passed: 0, failed: 0 };
  if (!has('cmake') || !has('c++')) {
    console.log('C++ unit tests not run: they need cmake and a C++ compiler.');
    return { passed: 0, failed: 0 };
  }
  const cmake = (...args) => spawnSync('cmake', args, { cwd: root, encoding: 'utf8' });
  for (const args of [
    ['--preset', 'test'],
    ['--build', '--preset', 'test', '--parallel', '2'],
  ]) {
    const step = cmake(...args);
    if (step.status !== 0) {
      console.log(`${step.stdout}${step.stderr}`);
      return { passed: 0, failed: 1 };
    }
  }
  const run = spawnSync('ctest', ['--preset', 'test'], { cwd: root, encoding: 'utf8' });
  const passed = (run.stdout.match(/\.+\s+Passed\s/g) ?? []).length;
  const total = Number(/tests failed out of (\d+)/.exec(run.stdout)?.[1] ?? passed);
  if (run.status !== 0) console.log(`${run.stdout}${run.stderr}`);
  return { passed, failed: run.status === 0 ? 0 : Math.max(1, total - passed) };
}

await setup({ want: ['build', 'test'] });
const native = runNative();
const ava = await runAva({ ...process.env, DWCP_TEST_NODES: runtimes().join(':') });
const passed = native.passed + ava.passed;
const failed = native.failed + ava.failed;
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
