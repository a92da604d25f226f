/**
 * Row 11: how far the memory of a process rises while it makes one delta, beside base, new value, frame and cached
 * index. A process per figure, less what one that makes no delta shows.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Measurement } from '../suite.ts';
import { lower } from './cases.ts';
import type { Pair } from './pairs.ts';

const child = fileURLToPath(new URL('memory-child.js', import.meta.url));
/** Below, the pages of the process itself would be what is measured, bytes. */
const SMALLEST_BYTES = 2 * 1024 * 1024;
const ROUNDS = 3;
type Mode = 'none' | 'cold' | 'cached';

/** Peak memory of one delta of a pair, cold and with a cached index. */
export function* memoryRows({ name, base, next }: Pair): Generator<Measurement> {
  if (next.length < SMALLEST_BYTES) return;
  const folder = mkdtempSync(join(tmpdir(), 'dwcp-memory-'));
  try {
    const files = ['base', 'next'].map((file) => join(folder, file));
    writeFileSync(files[0]!, base);
    writeFileSync(files[1]!, next);
    const idle = used('none', files);
    const row = (mode: Mode, beside: number, bar: number, what: string): Measurement => {
      const bytes = Math.max(0, used(mode, files) - idle);
      const detail = `${megabytes(bytes)} / ${megabytes(beside)} MB`;
      return lower(`11 ${name}: peak memory, ${what}`, bytes / beside, bar, detail);
    };
    yield row('cached', next.length, 0.5, 'cached index / new');
    yield row('cold', base.length + next.length, 1, 'cold / base + new');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The median of some processes, bytes. */
function used(mode: Mode, files: readonly string[]): number {
  const runs = Array.from({ length: ROUNDS }, () => {
    const out = execFileSync(process.execPath, ['--expose-gc', child, mode, ...files]);
    return (JSON.parse(out.toString()) as { usedBytes: number }).usedBytes;
  });
  return runs.toSorted((a, b) => a - b)[Math.floor(ROUNDS / 2)]!;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
