// Installs the packages under bench/peers that a suite is measured against, from their own lockfile, and
// builds those that are C++, with the C++ of bench/peers/native. Only `npm run bench` calls this.
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { compilers, nodeDir } from './build.mjs';
import { root, run } from './run-step.mjs';

const folder = join(root, 'bench', 'peers');
const require = createRequire(import.meta.url);

const home = (name) => join(folder, 'node_modules', name);

/** What must be compiled: where, what comes of it, and where a package looks for it. */
const compiled = {
  'zstd-napi': { at: home('zstd-napi'), made: 'binding.node' },
  'mongodb-zstd-7': {
    at: join(folder, 'native'),
    made: 'mongodb_zstd.node',
    wanted: join(home('mongodb-zstd-7'), 'build', 'Release', 'zstd.node'),
  },
};

/** True when node_modules holds what the lockfile names. */
function installed(names) {
  const lock = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8')).packages;
  return names.every((name) => {
    const manifest = join(home(name), 'package.json');
    if (!existsSync(manifest)) return false;
    const { version } = JSON.parse(readFileSync(manifest, 'utf8'));
    return version === lock[`node_modules/${name}`].version;
  });
}

function build(name, { at, made, wanted }) {
  const output = join(at, 'build', 'Release', made);
  if (!existsSync(output)) {
    console.log(`bench peers: building ${name}`);
    const gyp = require.resolve('node-gyp/bin/node-gyp.js');
    const args = [gyp, 'rebuild', `--nodedir=${nodeDir()}`];
    const done = run(process.execPath, args, { cwd: at, env: { JOBS: '2', ...compilers() } });
    if (!done) console.log(`bench peers: ${name} did not build`);
  }
  if (wanted === undefined || !existsSync(output) || existsSync(wanted)) return;
  mkdirSync(dirname(wanted), { recursive: true });
  copyFileSync(output, wanted);
}

/**
 * Makes the named peers loadable; one that cannot be built is left out with a line that says so, and its
 * suite decides what that means.
 */
export function installPeers(names) {
  if (names.length === 0) return;
  if (!installed(names)) {
    console.log(`bench peers: installing ${names.join(', ')}`);
    const done = run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder });
    if (!done) throw new Error('npm ci in bench/peers failed; see its output above');
  }
  for (const name of names) if (Object.hasOwn(compiled, name)) build(name, compiled[name]);
}
