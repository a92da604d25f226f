/** The C programs of the transport suite, compiled with `cc` when their sources are newer. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const sources = join(root, 'bench', 'transport', 'native');
const outputs = join(root, 'build', 'bench');

/** Paths of the programs. */
export interface Programs {
  /** The load client. */
  readonly client: string;
  /** An echo server. */
  readonly echo: string;
  /** `forbidUring COMMAND…` runs a command that may not use io_uring. */
  readonly forbidUring: string;
  /** To be preloaded: pins the congestion control of a server's sockets to BENCH_CONGESTION. */
  readonly pin: string;
}

function compile(name: string, output: string, flags: readonly string[]): string {
  const path = join(outputs, output);
  const newestMs = Math.max(
    ...readdirSync(sources).map((file) => statSync(join(sources, file)).mtimeMs),
  );
  if (existsSync(path) && statSync(path).mtimeMs > newestMs) return path;
  const args = ['-O2', '-Wall', '-Wextra', ...flags, '-o', path, join(sources, `${name}.c`)];
  const { status, stderr, error } = spawnSync('cc', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`cc ${name}.c: ${error?.message ?? stderr}`);
  return path;
}

/** Compiles what is missing. Throws when there is no compiler: without a client nothing is measured. */
export function buildPrograms(): Programs {
  mkdirSync(outputs, { recursive: true });
  return {
    client: compile('client', 'client', []),
    echo: compile('echo', 'echo', []),
    forbidUring: compile('forbid_uring', 'forbid-uring', []),
    pin: compile('pin', 'pin.so', ['-shared', '-fPIC', '-ldl']),
  };
}
