/** The `zstd` command, where it is installed: an implementation that is not ours to compare with. */
import { spawnSync } from 'node:child_process';

/** Whether the command is here. */
export const zstdTool: boolean = spawnSync('zstd', ['--version']).status === 0;

/** Standard output of one run. @throws when it fails */
export function runZstd(args: readonly string[], input: Uint8Array = Buffer.alloc(0)): Buffer {
  const run = spawnSync('zstd', ['--quiet', ...args], { input, maxBuffer: 1 << 28 });
  if (run.status === 0) return run.stdout;
  throw new Error(`zstd ${args.join(' ')}: ${String(run.stderr)}`);
}
