// `npm run build`: the addon through node-gyp and the TypeScript through tsc. Each part runs only when its
// inputs changed; a stamp beside the output remembers them. `--force` builds both.
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { has, root, run } from './run-step.mjs';

const require = createRequire(import.meta.url);
/** Remembers the inputs of the addon that is built. */
export const nativeStamp = join(root, 'build', 'dwcp.stamp');
const distStamp = join(root, 'dist', 'dwcp.stamp');
const typeScriptFolders = ['lib', 'test', 'bench', 'examples'];
const asset = /\.(?:html|css|svg|json)$/;

/** Files under the given folders and files of the package, by relative path. Installed packages are left out. */
function filesOf(...entries) {
  return entries.flatMap((entry) => {
    const path = join(root, entry);
    if (!existsSync(path)) return [];
    if (!statSync(path).isDirectory()) return [entry];
    return readdirSync(path, { withFileTypes: true })
      .filter((child) => child.name !== 'node_modules')
      .flatMap((child) => filesOf(join(entry, child.name)));
  });
}

/** A digest of names and contents, and of what else the output depends on. */
function digestOf(files, ...others) {
  const hash = createHash('sha256').update(JSON.stringify(others));
  for (const file of files.toSorted())
    hash.update(`\0${file}\0`).update(readFileSync(join(root, file)));
  return hash.digest('hex');
}

const readStamp = (path) => (existsSync(path) ? readFileSync(path, 'utf8') : '');

function writeStamp(path, digest) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, digest);
}

/**
 * The folder for node-gyp's `--nodedir`: Node's own prefix when its headers are installed, else one made of
 * node-api-headers, which is all the addon needs. Nothing is ever downloaded.
 */
export function nodeDir() {
  const prefix = dirname(dirname(process.execPath));
  if (existsSync(join(prefix, 'include', 'node', 'common.gypi'))) return prefix;
  const made = join(root, 'build-headers');
  const include = join(made, 'include', 'node');
  mkdirSync(include, { recursive: true });
  cpSync(require('node-api-headers').include_dir, include, { recursive: true });
  const settings = {
    variables: { node_engine_include_dir: '' },
    target_defaults: {
      default_configuration: 'Release',
      configurations: { Release: { cflags: ['-O3', '-fno-omit-frame-pointer'] }, Debug: {} },
      cflags: ['-pthread'],
      cflags_cc: ['-fno-rtti', '-fno-exceptions'],
      ldflags: ['-pthread'],
    },
  };
  writeFileSync(join(include, 'common.gypi'), JSON.stringify(settings));
  return made;
}

/** Compilers in the environment, through ccache where it is installed. */
export function compilers() {
  if (!has('ccache')) return {};
  return { CC: `ccache ${process.env.CC ?? 'cc'}`, CXX: `ccache ${process.env.CXX ?? 'c++'}` };
}

/** Builds build/Release/dwcp.node. Returns whether a fresh addon is there. */
export function buildNative({ force = false } = {}) {
  const versions = ['zstd-napi', 'node-addon-api'].map(
    (name) => require(`${name}/package.json`).version,
  );
  const digest = digestOf(filesOf('native', 'binding.gyp'), versions, process.arch, nodeDir());
  const built = join(root, 'build', 'Release', 'dwcp.node');
  if (!force && readStamp(nativeStamp) === digest && existsSync(built)) return true;
  const missing = ['c++', 'make', 'python3'].filter((command) => !has(command));
  if (missing.length > 0) {
    console.log(`addon: not built, ${missing.join(', ')} missing; the portable tier runs`);
    return false;
  }
  console.log('addon: building');
  const gyp = require.resolve('node-gyp/bin/node-gyp.js');
  const env = { JOBS: '2', ...compilers() };
  if (!run(process.execPath, [gyp, 'rebuild', `--nodedir=${nodeDir()}`], { env })) {
    console.log('addon: build FAILED; the portable tier runs');
    return false;
  }
  writeStamp(nativeStamp, digest);
  console.log('addon: built');
  return true;
}

/** Removes compiled files whose source is gone, so that a deleted test does not run on. */
function prune() {
  const sources = new Set(filesOf(...typeScriptFolders));
  for (const file of filesOf('dist')) {
    const source = file.slice('dist/'.length).replace(/(?:\.d\.ts|\.js)(?:\.map)?$/, '.ts');
    if (source !== 'dwcp.stamp' && !sources.has(source)) rmSync(join(root, file));
  }
}

/** Compiles TypeScript into dist/ and copies the static files beside it. Returns whether it compiled. */
export function buildTypeScript({ force = false } = {}) {
  const files = filesOf(...typeScriptFolders);
  const { version } = require('typescript/package.json');
  const digest = digestOf([...files, 'tsconfig.json', 'package.json'], version);
  if (!force && readStamp(distStamp) === digest) return true;
  console.log('typescript: compiling');
  rmSync(distStamp, { force: true });
  const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');
  if (!run(process.execPath, [tsc, '-p', '.'])) {
    console.log('typescript: FAILED');
    return false;
  }
  prune();
  for (const file of files.filter((name) => asset.test(name))) {
    cpSync(join(root, file), join(root, 'dist', file), { recursive: true });
  }
  writeStamp(distStamp, digest);
  console.log('typescript: compiled');
  return true;
}

/** The command. Not awaited at the top: setup.mjs imports this file again and would wait for it for ever. */
async function main() {
  const { setup } = await import('./setup.mjs');
  const done = await setup({ want: ['build'], force: process.argv.includes('--force') });
  process.exitCode = done.addon || process.env.DWCP_NATIVE === 'off' ? 0 : 1;
}

if (process.argv[1] === import.meta.filename) void main();
