// `npm run sanitize -- [asan|ubsan|tsan]...`: the native unit tests under each sanitizer (all three without
// arguments). For asan and tsan also the seam: the instrumented addon inside Node, with the contract kit and
// terminated workers.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { has, root, run } from './run-step.mjs';
import { setup } from './setup.mjs';

const sanitizers = {
  asan: {
    runtime: 'libasan.so',
    // Node itself never frees some memory at exit; leaks of the core are found by the unit tests.
    env: { ASAN_OPTIONS: 'detect_leaks=0:quarantine_size_mb=16' },
  },
  ubsan: undefined,
  tsan: {
    runtime: 'libtsan.so',
    // V8 and libuv are not instrumented: only reports with our own frames in both stacks mean anything.
    env: { TSAN_OPTIONS: 'ignore_noninstrumented_modules=1:exitcode=66' },
  },
};

/** Runs the contract kit and terminated workers on the instrumented addon. */
function runSeam(name, { runtime, env }) {
  const found = spawnSync('c++', [`-print-file-name=${runtime}`], { encoding: 'utf8' });
  const options = {
    env: {
      ...env,
      LD_PRELOAD: found.stdout.trim(),
      DWCP_NATIVE: 'require',
      DWCP_PREBUILD: join(root, 'build-cmake', name),
    },
    show: true,
    timeoutMs: 600_000,
  };
  const seam = (file, ...args) => {
    const path = join(root, 'dist', 'test', 'seam', file);
    return run(process.execPath, ['--expose-gc', path, ...args], options);
  };
  return seam('native-binding-child.js') && seam('native-worker-child.js', '22');
}

function sanitize(name) {
  const seam = sanitizers[name];
  const steps = {
    configure: () => run('cmake', ['--preset', name]),
    build: () => run('cmake', ['--build', '--preset', name, '--parallel', '2']),
    'unit tests': () => run('ctest', ['--preset', name]),
    ...(seam && { seam: () => runSeam(name, seam) }),
  };
  for (const [step, execute] of Object.entries(steps)) {
    const passed = execute();
    console.log(`${name}: ${step} ${passed ? 'ok' : 'FAILED'}`);
    if (!passed) return false;
  }
  return true;
}

async function main(names) {
  const unknown = names.filter((name) => !Object.hasOwn(sanitizers, name));
  if (unknown.length > 0) {
    console.log(`unknown: ${unknown.join(', ')}; there are ${Object.keys(sanitizers).join(', ')}`);
    return 2;
  }
  await setup({ want: ['build', 'sanitize'] });
  if (!has('cmake') || !has('c++')) {
    console.log('sanitizer builds need cmake and a C++ compiler');
    return 1;
  }
  const wanted = names.length > 0 ? names : Object.keys(sanitizers);
  return wanted.map(sanitize).every(Boolean) ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
