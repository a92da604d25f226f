/** The client of the tls suite, compiled with `cc` against libssl when its sources are newer. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const source = join(root, 'bench', 'tls', 'native', 'tls_client.c');
const shared = join(root, 'bench', 'transport', 'native');
const output = join(root, 'build', 'bench', 'tls-client');

/** Why the client cannot be built, or undefined. */
export function clientObstacle(): string | undefined {
  if (existsSync('/usr/include/openssl/ssl.h')) return undefined;
  return 'it needs the headers of OpenSSL: apt-get install libssl-dev';
}

/** Path of the client, compiled if it must be. */
export function buildClient(): string {
  mkdirSync(join(root, 'build', 'bench'), { recursive: true });
  if (existsSync(output) && statSync(output).mtimeMs > statSync(source).mtimeMs) return output;
  const flags = ['-O2', '-Wall', '-Wextra', `-I${shared}`];
  const args = [...flags, '-o', output, source, '-lssl', '-lcrypto'];
  const { status, stderr, error } = spawnSync('cc', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`cc tls_client.c: ${error?.message ?? stderr}`);
  return output;
}
