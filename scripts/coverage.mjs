// `npm run coverage [-- TEST FILES]`: statement and branch coverage of the TypeScript (c8 over AVA) and of the C++
// (gcovr over the native unit tests and over an instrumented addon that AVA's tests run on). Prints four figures and
// writes them to coverage/summary.json; browsable reports lie beside it.
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { has, root, run } from './run-step.mjs';
import { runtimes } from './runtimes.mjs';
import { setup } from './setup.mjs';

const require = createRequire(import.meta.url);
const buildFolder = join(root, 'build-cmake', 'coverage');
const reports = join(root, 'coverage');

/** The instrumented addon and unit tests; false when they cannot be built here. */
function buildInstrumented() {
  const missing = ['cmake', 'c++', 'gcovr'].filter((command) => !has(command));
  if (missing.length > 0) {
    console.log(`C++ coverage not measured: ${missing.join(', ')} missing`);
    return false;
  }
  const built =
    run('cmake', ['--preset', 'coverage']) &&
    run('cmake', ['--build', '--preset', 'coverage', '--parallel', '2']);
  // Counts of earlier runs would add up.
  if (built) run('find', [buildFolder, '-name', '*.gcda', '-delete']);
  return built;
}

/** What no Node process can run: declarations, files of types alone, and the page, which lives in a browser. */
function notMeasured() {
  const compiled = join(root, 'dist', 'lib');
  const typesOnly = readdirSync(compiled, { recursive: true })
    .map(String)
    .filter((file) => file.endsWith('.js'))
    .filter((file) => {
      const code = readFileSync(join(compiled, file), 'utf8');
      return code.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '').trim() === 'export {};';
    })
    .map((file) => `lib/${file.slice(0, -'.js'.length)}.ts`);
  return ['**/*.d.ts', 'lib/dashboard/page/**', ...typesOnly];
}

function coverTypeScript(env, tests) {
  const c8 = join(dirname(require.resolve('c8/package.json')), 'bin', 'c8.js');
  const ava = join(root, 'node_modules', 'ava', 'entrypoints', 'cli.mjs');
  const settings = [
    ['--temp-directory', join(reports, 'v8')],
    ['--reports-dir', join(reports, 'typescript')],
    ['--reporter', 'json-summary'],
    ['--reporter', 'html'],
    ['--include', 'lib/**'],
    notMeasured().flatMap((pattern) => ['--exclude', pattern]),
    ['--exclude-after-remap', '--all', '--src', 'lib'],
  ].flat();
  return run(process.execPath, [c8, ...settings, process.execPath, ava, ...tests], {
    env,
    show: true,
    timeoutMs: 1_800_000,
  });
}

function readTypeScript() {
  const summary = join(reports, 'typescript', 'coverage-summary.json');
  const { total } = JSON.parse(readFileSync(summary, 'utf8'));
  return { statements: total.statements.pct, branches: total.branches.pct };
}

function readNative() {
  const folder = join(reports, 'native');
  const summary = join(folder, 'summary.json');
  mkdirSync(folder, { recursive: true });
  const reported = run(
    'gcovr',
    [
      // Older gcovr stops at a counter that threads drove below zero.
      ['--gcov-ignore-parse-errors'],
      ['--root', root, '--filter', 'native/(core|binding)/'],
      ['--exclude-throw-branches', '--exclude-unreachable-branches'],
      ['--json-summary', summary, '--html-details', join(folder, 'index.html')],
      buildFolder,
    ].flat(),
  );
  if (!reported) return undefined;
  const { line_percent: statements, branch_percent: branches } = JSON.parse(
    readFileSync(summary, 'utf8'),
  );
  return { statements, branches };
}

async function main(tests) {
  await setup({ want: ['build', 'test', 'coverage'] });
  rmSync(reports, { recursive: true, force: true });
  const instrumented = buildInstrumented();
  const env = { DWCP_TEST_NODES: runtimes().join(':') };
  if (instrumented) Object.assign(env, { DWCP_PREBUILD: buildFolder, DWCP_NATIVE: 'require' });
  const unitTests = !instrumented || run('ctest', ['--preset', 'coverage']);
  const avaTests = coverTypeScript(env, tests);
  if (!unitTests || !avaTests) console.log('some tests FAILED; the figures count what ran');

  const summary = { typescript: readTypeScript() };
  if (instrumented) summary.native = readNative();
  writeFileSync(join(reports, 'summary.json'), `${JSON.stringify(summary, null, 2)}\n`);
  for (const [name, figures] of Object.entries(summary)) {
    if (figures === undefined) continue;
    const label = name === 'native' ? 'C++' : 'TypeScript';
    console.log(`${label}: ${figures.statements} % statements, ${figures.branches} % branches`);
  }
  return unitTests && avaTests ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
