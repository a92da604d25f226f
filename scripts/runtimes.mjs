// The other Node versions the project supports, as npm packages of their own under test/runtimes.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../test/runtimes', import.meta.url));

/**
 * Paths of node binaries 22, 24 and 26, installed when missing. Throws when they cannot be had: a matrix
 * that shrinks in silence proves nothing. Only glibc Linux on x64 has such packages.
 */
export function runtimes() {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    console.log('Node matrix: only on linux-x64, this machine tests its own Node alone.');
    return [];
  }
  const { dependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const names = Object.keys(dependencies);
  const paths = names.map((name) => join(folder, 'node_modules', name, 'bin', 'node'));
  if (!paths.every((path) => existsSync(path))) {
    console.log('installing Node 22, 24 and 26 for the matrix');
    execFileSync('npm', ['ci', '--ignore-scripts'], { cwd: folder, stdio: 'inherit' });
  }
  return paths;
}
