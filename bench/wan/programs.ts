/** The native programs of the wan suite, compiled with `c++` and `cc` when their sources are newer. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const sources = join(root, 'bench', 'wan', 'native');
const outputs = join(root, 'build', 'bench', 'wan');

/** Paths of the programs. */
export interface Programs {
  /** Two network namespaces and the path between them. */
  readonly relay: string;
  /** `enter NAMESPACE COMMAND…` runs a command in one. */
  readonly enter: string;
  /** One tuned socket in plain C++. */
  readonly flow: string;
  /** To be preloaded: pins the congestion control of all sockets to WAN_CONGESTION. */
  readonly pin: string;
}

function compile(output: string, files: readonly string[], flags: readonly string[] = []): string {
  const path = join(outputs, output);
  const newestMs = Math.max(
    ...readdirSync(sources).map((file) => statSync(join(sources, file)).mtimeMs),
  );
  if (existsSync(path) && statSync(path).mtimeMs > newestMs) return path;
  const compiler = files[0]!.endsWith('.c') ? ['cc'] : ['c++', '-std=c++20'];
  const paths = files.map((file) => join(sources, file));
  const args = [...compiler.slice(1), '-O2', '-Wall', '-Wextra', ...flags, '-o', path, ...paths];
  const { status, stderr, error } = spawnSync(compiler[0]!, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${files.join(' ')}: ${error?.message ?? stderr}`);
  return path;
}

/** Compiles what is missing. Throws when there is no compiler. */
export function buildPrograms(): Programs {
  mkdirSync(outputs, { recursive: true });
  return {
    relay: compile('relay', ['relay.cc', 'direction.cc', 'namespace.cc'], ['-pthread']),
    enter: compile('enter', ['enter.c']),
    flow: compile('flow', ['flow.cc']),
    pin: compile('pin.so', ['pin.c'], ['-shared', '-fPIC', '-ldl']),
  };
}
