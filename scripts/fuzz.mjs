// `npm run fuzz -- TARGET SECONDS [SEED]`: coverage-guided fuzzing, of the C++ core with libFuzzer and AddressSanitizer,
// of decoders in TypeScript with test/fuzz. Without arguments it lists the targets. A failure prints the file and the
// command that replay it.
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { has, root, run } from './run-step.mjs';
import { setup } from './setup.mjs';

const { fuzz } = JSON.parse(readFileSync(join(root, 'native/sources.json'), 'utf8'));
const nativeTargets = fuzz.map((file) => basename(file, '_fuzz.cc'));
const scriptTargets = ['hello', 'rpc_header', 'chunks'];
const targets = [...nativeTargets, ...scriptTargets];

/** Fuzzes a decoder in TypeScript, or replays an input when a file stands in place of the seconds. */
async function fuzzScript(target, seconds, seed) {
  await setup({ want: ['build'] });
  const folder = join(root, 'build-cmake', 'corpus');
  if (Number(seconds) > 0)
    console.log(`${target}: ${seconds} s, seed ${seed}, corpus in ${folder}`);
  const args = [join(root, 'dist', 'test', 'fuzz', 'run.js'), target, seconds, seed, folder];
  const timeoutMs = (Number(seconds) > 0 ? Number(seconds) + 120 : 120) * 1000;
  const passed = run(process.execPath, args, { show: true, timeoutMs });
  if (passed) console.log(`${target}: nothing found`);
  return passed ? 0 : 1;
}

async function main([target, seconds = '60', seed = String(process.pid)]) {
  if (scriptTargets.includes(target) && (Number(seconds) > 0 || existsSync(seconds))) {
    return fuzzScript(target, seconds, seed);
  }
  if (!nativeTargets.includes(target) || !(Number(seconds) > 0)) {
    console.log(`usage: npm run fuzz -- TARGET SECONDS [SEED]\ntargets: ${targets.join(', ')}`);
    return 2;
  }
  await setup({ want: ['build', 'fuzz'] });
  if (!has('clang++-14') || !has('cmake')) {
    console.log('fuzzing needs clang-14, libclang-rt-14-dev and cmake');
    return 1;
  }
  const built =
    run('cmake', ['--preset', 'fuzz']) &&
    run('cmake', ['--build', '--preset', 'fuzz', '--parallel', '2', '--target', `${target}_fuzz`]);
  if (!built) return 1;

  const binary = join('build-cmake', 'fuzz', `${target}_fuzz`);
  const corpus = join('build-cmake', 'corpus', target);
  const failures = join('build-cmake', 'corpus', `${target}-failures`, '/');
  mkdirSync(join(root, corpus), { recursive: true });
  mkdirSync(join(root, failures), { recursive: true });
  console.log(`${target}: ${seconds} s, seed ${seed}, corpus in ${corpus}`);
  const passed = run(
    join(root, binary),
    [
      `-max_total_time=${seconds}`,
      `-seed=${seed}`,
      '-max_len=65536',
      '-timeout=10',
      '-rss_limit_mb=2048',
      '-print_final_stats=1',
      '-verbosity=1',
      `-artifact_prefix=${failures}`,
      corpus,
    ],
    { show: true, timeoutMs: (Number(seconds) + 120) * 1000 },
  );
  console.log(
    passed
      ? `${target}: nothing found`
      : `${target}: FAILED; replay with: ${binary} ${failures}<file named above>`,
  );
  return passed ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
