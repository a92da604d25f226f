/** `xdelta3 -9`, the Debian package, as a peer: a process over files in a folder of its own. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What one run gave. */
export interface XdeltaRun {
  readonly sizeBytes: number;
  readonly ms: number;
}

/** True when the command is installed. */
export function hasXdelta(): boolean {
  return spawnSync('xdelta3', ['-V'], { stdio: 'ignore' }).status === 0;
}

/** The delta of `next` against `base`: median of `rounds` runs. */
export function xdelta(base: Buffer, next: Buffer, rounds = 3): XdeltaRun {
  const folder = mkdtempSync(join(tmpdir(), 'dwcp-xdelta-'));
  try {
    const [from, to, out] = ['base', 'next', 'delta'].map((name) => join(folder, name));
    writeFileSync(from!, base);
    writeFileSync(to!, next);
    const times = Array.from({ length: rounds }, () => {
      const start = performance.now();
      const { status } = spawnSync('xdelta3', ['-9', '-e', '-f', '-s', from!, to!, out!]);
      if (status !== 0) throw new Error('xdelta3 failed');
      return performance.now() - start;
    }).toSorted((a, b) => a - b);
    return { sizeBytes: statSync(out!).size, ms: times[Math.floor(rounds / 2)]! };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
