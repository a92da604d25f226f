/** The parts of rows 4 and 5 that need a process of their own: allocations per call, and memory that stays. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { mallocCount } from '../peers.ts';
import type { Measurement } from '../suite.ts';
import { lower } from './cases.ts';

const child = fileURLToPath(new URL('process-child.js', import.meta.url));
/** A young generation that no window fills, so that no collection hides what calls leave on the heap. */
const WIDE_YOUNG = ['--max-semi-space-size=128', '--min-semi-space-size=128'];
/** One that is as large at the start as it will ever be. */
const NARROW_YOUNG = ['--max-semi-space-size=1'];
/** Less than this is the process breathing, not a call keeping something: 10 bytes a call. */
const MiB = 1024 * 1024;

function figures(mode: 'allocations' | 'resident'): [string, number][] {
  const counted = mode === 'allocations';
  const flags = ['--expose-gc', ...(counted ? WIDE_YOUNG : NARROW_YOUNG)];
  const env = { ...process.env, ...(counted && { LD_PRELOAD: mallocCount }) };
  const out = execFileSync(process.execPath, [...flags, child, mode], { env }).toString();
  return Object.entries(JSON.parse(out) as Record<string, number>);
}

/** Row 4: what the calls into given memory allocate. */
export function* allocationRows(log: (line: string) => void): Generator<Measurement> {
  if (!existsSync(mallocCount)) {
    log('allocations are not counted: that needs a C++ compiler here');
    return;
  }
  for (const [name, count] of figures('allocations')) {
    yield lower(`4 1.2 KB records, ${name} per call`, count, 0, 'median of 21 x 1000 calls');
  }
}

/** Row 5: how far resident memory rose over 100,000 calls, whole megabytes. */
export function* residentRows(): Generator<Measurement> {
  for (const [name, bytes] of figures('resident')) {
    const megabytes = Math.max(0, Math.trunc(bytes / MiB));
    const detail = `${(bytes / 1024).toFixed(0)} KB`;
    yield lower(`5 ${name}: RSS growth over 100,000 calls, MB`, megabytes, 0, detail);
  }
}
