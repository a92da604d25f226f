// `npm run prebuild`: the binary that ships, prebuilds/<platform>-<arch>/dwcp.<libc>.node, through prebuildify.
// It clears build/ and moves the file out of it, so a copy and the stamp go back for the working copy to run on.
import { copyFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { compilers, nativeStamp, nodeDir } from './build.mjs';
import { root, run } from './run-step.mjs';
import { setup } from './setup.mjs';

const require = createRequire(import.meta.url);

/** Builds the binary and returns its path. Throws when that fails. */
export async function prebuild() {
  const { addon } = await setup({ want: ['build'] });
  if (!addon) throw new Error('the addon does not build here');
  const stamp = readFileSync(nativeStamp);
  const tool = join(dirname(require.resolve('prebuildify/package.json')), 'bin.js');
  const env = { JOBS: '2', npm_config_nodedir: nodeDir(), ...compilers() };
  if (!run(process.execPath, [tool, '--napi', '--strip', '--tag-libc'], { env })) {
    throw new Error('prebuildify failed; see its output above');
  }
  const folder = join(root, 'prebuilds', `${process.platform}-${process.arch}`);
  const file = readdirSync(folder).find((name) => name.endsWith('.node'));
  const release = join(root, 'build', 'Release');
  mkdirSync(release, { recursive: true });
  copyFileSync(join(folder, file), join(release, 'dwcp.node'));
  writeFileSync(nativeStamp, stamp);
  return join(folder, file);
}

if (process.argv[1] === import.meta.filename) console.log(`prebuilt: ${await prebuild()}`);
