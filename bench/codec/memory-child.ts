/**
 * One process, one delta: reads base and new value, does all that a delta needs around it, and prints how far its
 * resident memory then rose, bytes. `none` makes no delta: the baseline of the others. Linux counts the peak.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { Baseline, DigestKind, diff } from '../../lib/compression/index.ts';
import { native } from '../../lib/native/load.ts';

function status(field: 'VmHWM' | 'VmRSS'): number {
  const text = readFileSync('/proc/self/status', 'utf8');
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(text)?.[1]) * 1024;
}

const [mode, basePath, nextPath] = process.argv.slice(2);
const tiny = Buffer.from('a value of some bytes, '.repeat(40_000));
await diff(Baseline.of(tiny), Buffer.concat([tiny.subarray(9), tiny])); // loads code, starts threads

const baseline = Baseline.of(readFileSync(basePath!));
const next = readFileSync(nextPath!);
await baseline.digestAsync(DigestKind.xxh3);
if (mode !== 'cold') await baseline.deltaIndexAsync(native.codec);
globalThis.gc!();
writeFileSync('/proc/self/clear_refs', '5'); // the peak starts anew
const before = status('VmRSS');
const frame = mode === 'none' ? undefined : await diff(baseline, next);
const after = status('VmHWM');
const usedBytes = after - before - (frame?.length ?? 0);
process.stdout.write(`${JSON.stringify({ usedBytes })}\n`);
