// Installs the packages under bench/peers that a suite is measured against, from their own lockfile, and
// builds those that are C++. Only `npm run bench` calls this.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { nodeDir } from './build.mjs';
import { root, run } from './run-step.mjs';

const folder = join(root, 'bench', 'peers');
const require = createRequire(import.meta.url);

/** Peers that must be compiled, and what the compiler makes. */
const compiled = { 'zstd-napi': 'build/Release/binding.node' };

function home(name) {
  return join(folder, 'node_modules', name);
}

/**
 * Makes the named peers loadable; one that cannot be built is left out with a line that says so, and its
 * suite decides what that means.
 */
export function installPeers(names) {
  if (names.length === 0) return;
  if (!names.every((name) => existsSync(home(name)))) {
    console.log(`bench peers: installing ${names.join(', ')}`);
    const done = run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder });
    if (!done) throw new Error('npm ci in bench/peers failed; see its output above');
  }
  const gyp = require.resolve('node-gyp/bin/node-gyp.js');
  for (const name of names.filter((peer) => Object.hasOwn(compiled, peer))) {
    if (existsSync(join(home(name), compiled[name]))) continue;
    console.log(`bench peers: building ${name}`);
    const args = [gyp, 'rebuild', `--nodedir=${nodeDir()}`];
    const built = run(process.execPath, args, { cwd: home(name), env: { JOBS: '2' } });
    if (!built) console.log(`bench peers: ${name} did not build`);
  }
}
