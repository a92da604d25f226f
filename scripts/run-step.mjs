// Runs the commands of the scripts: quiet when they succeed, the end of their output when they fail.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The package root, with a slash at the end. */
export const root = fileURLToPath(new URL('..', import.meta.url));

const TAIL_LINES = 30;

/** True when `command` can be started. */
export function has(command) {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).error === undefined;
}

/**
 * Runs a command in the package root and returns whether it succeeded. `show` passes its output through;
 * `quiet` hides it; otherwise only the last lines appear, and only after a failure.
 */
export function run(
  command,
  args,
  { env = {}, show = false, quiet = false, timeoutMs = 900_000, cwd = root } = {},
) {
  const result = spawnSync(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: show ? 'inherit' : ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    timeout: timeoutMs,
    maxBuffer: 64 * 1024 * 1024,
  });
  if (result.error === undefined && result.status === 0) return true;
  const lines = `${result.stdout ?? ''}${result.stderr ?? ''}`.trimEnd().split('\n');
  if (quiet) return false;
  if (!show) console.log(lines.slice(-TAIL_LINES).join('\n'));
  if (result.error) console.log(`${command}: ${result.error.message}`);
  return false;
}
