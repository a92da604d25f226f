// Sets up what is missing: system packages, npm packages, the addon, the compiled TypeScript. Needs nothing but
// Node 20 and npm. Other scripts call `setup({want})`; from a shell: `npm run setup -- --with lint,fuzz`.
// As root, or with sudo that asks no password, missing Debian packages are installed; otherwise they are listed
// and what needs them is left out. Without a compiler the portable tier runs.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { has, root, run } from './run-step.mjs';

/** Debian packages by group, each with a command or file that shows it is there. */
const packages = {
  build: { 'g++': 'c++', make: 'make', python3: 'python3' },
  test: { cmake: 'cmake', chromium: 'chromium', zstd: 'zstd' },
  lint: { 'clang-format-14': 'clang-format-14' },
  fuzz: { cmake: 'cmake', 'clang-14': 'clang++-14', 'libclang-rt-14-dev': 'clang++-14' },
  bench: { xdelta3: 'xdelta3' },
  sanitize: { cmake: 'cmake' },
  tls: { 'libssl-dev': '/usr/include/openssl/ssl.h' },
  coverage: { cmake: 'cmake', gcovr: 'gcovr' },
};

/** How to become root without a question, or undefined. */
function rootPrefix() {
  if (process.getuid?.() === 0) return [];
  const asked = has('sudo') && run('sudo', ['-n', 'true'], { show: true });
  return asked ? ['sudo', '-n'] : undefined;
}

function installSystemPackages(groups) {
  const wanted = groups.flatMap((group) => Object.entries(packages[group] ?? {}));
  const isThere = (shown) => (shown.startsWith('/') ? existsSync(shown) : has(shown));
  const missing = [...new Set(wanted.filter(([, shown]) => !isThere(shown)).map(([name]) => name))];
  if (missing.length === 0) return;
  const list = missing.join(' ');
  const prefix = has('apt-get') ? rootPrefix() : undefined;
  if (prefix === undefined) {
    console.log(`system packages missing: ${list}`);
    console.log(`  to add them: sudo apt-get install -y --no-install-recommends ${list}`);
    return;
  }
  console.log(`system packages: installing ${list}`);
  const apt = (...args) => {
    const [command, ...rest] = [...prefix, 'apt-get', ...args];
    return run(command, rest, { env: { DEBIAN_FRONTEND: 'noninteractive' } });
  };
  const install = () => apt('install', '-y', '--no-install-recommends', ...missing);
  const done = apt('update') && install();
  console.log(`system packages: ${done ? 'installed' : 'FAILED; going on without them'}`);
}

const readLock = (path) => JSON.parse(readFileSync(path, 'utf8')).packages;

/** True when node_modules holds what the lockfile names. */
function modulesAreCurrent() {
  const installed = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installed)) return false;
  const here = readLock(installed);
  return Object.entries(readLock(join(root, 'package-lock.json'))).every(
    ([path, entry]) => path === '' || entry.optional || here[path]?.version === entry.version,
  );
}

function installModules() {
  if (modulesAreCurrent()) return;
  console.log('npm packages: installing');
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund'];
  const done = run('npm', ['ci', ...flags]);
  if (!done) throw new Error('npm ci failed; see its output above');
  console.log('npm packages: installed');
}

/**
 * Brings the working copy up to date.
 * @param {{want?: string[], force?: boolean}} options groups of `packages`; `force` rebuilds
 * @returns {Promise<{addon: boolean, typeScript: boolean}>} whether each is built
 * @throws when npm packages or TypeScript fail, or the addon does and `DWCP_NATIVE=require`
 */
export async function setup({ want = ['build'], force = false } = {}) {
  const native = process.env.DWCP_NATIVE;
  installSystemPackages(want.filter((group) => group !== 'build' || native !== 'off'));
  installModules();
  const { buildNative, buildTypeScript } = await import('./build.mjs');
  const addon = native === 'off' ? false : buildNative({ force });
  if (native === 'off') console.log('addon: not built, DWCP_NATIVE=off');
  if (!addon && native === 'require')
    throw new Error('DWCP_NATIVE=require, but the addon is not built');
  const typeScript = buildTypeScript({ force });
  if (!typeScript) throw new Error('TypeScript did not compile');
  return { addon, typeScript };
}

if (process.argv[1] === import.meta.filename) {
  const at = process.argv.indexOf('--with');
  const extra = at < 0 ? [] : (process.argv[at + 1] ?? '').split(',');
  const unknown = extra.filter((group) => !Object.hasOwn(packages, group));
  if (unknown.length > 0) {
    console.log(
      `unknown group ${unknown.join(', ')}; there are ${Object.keys(packages).join(', ')}`,
    );
    process.exitCode = 1;
  } else {
    await setup({ want: ['build', ...extra] });
  }
}
