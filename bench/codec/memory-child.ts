/**
 * One process, one delta: reads base and new value, does all that a delta needs around it, and prints how far its
 * resident memory then rose, bytes. `none` makes no delta: the baseline of the others. Linux counts the peak.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { Baseline, DigestKind, diff } from '../../lib/compression/index.ts';
import { native } from '../../lib/native/load.ts';

function status(field: 'VmHWM' | 'VmRSS'): number {
  const text = readFileSync('/proc/self/status', 'utf8');
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(text)?.[1]) * 1024;
}

/** Small deltas, of text and of numbers: loads code, starts threads. */
async function warmUp(): Promise<void> {
  for (const pattern of [Buffer.from('a value of some bytes, '), Buffer.from([7, 0, 0, 1, 0, 2])]) {
    const before = Buffer.alloc(400_000, pattern);
    const after = Buffer.from(before);
    for (let at = 0; at < after.length; at += 1000) after.writeDoubleLE(Math.sqrt(at), at);
    await diff(Baseline.of(before), after);
  }
}

/** What the warm-up left is given back in the background. */
async function settle(): Promise<void> {
  for (let round = 0; round < 3; round++) {
    globalThis.gc!();
    await setTimeout(30);
  }
}

const [mode, basePath, nextPath] = process.argv.slice(2);
await warmUp();
const baseline = Baseline.of(readFileSync(basePath!));
const next = readFileSync(nextPath!);
await baseline.digestAsync(DigestKind.xxh3);
if (mode !== 'cold') await baseline.deltaIndexAsync(native.codec);
await settle();
writeFileSync('/proc/self/clear_refs', '5'); // the peak starts anew
const before = status('VmRSS');
const frame = mode === 'none' ? undefined : await diff(baseline, next);
const after = status('VmHWM');
const usedBytes = after - before - (frame?.length ?? 0);
process.stdout.write(`${JSON.stringify({ usedBytes })}\n`);
