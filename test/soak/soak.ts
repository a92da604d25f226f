/**
 * `npm run soak -- MINUTES [SEED]`: 500 connections that call, end and come back, against one server process.
 * The first fifth warms up; over the rest, Theil–Sen slopes of the server's memory, descriptors and slabs must
 * stay under their bars, every call must be answered, and at the end nothing may be left.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { LoadReport } from './soak-load-child.ts';
import type { ServerReport } from './soak-server-child.ts';
import { type Reading, slopePerMinute } from './theil-sen.ts';

const CONNECTIONS = 500;
const WARM_SHARE = 0.2;
const READ_MS = 1_000;
const DRAIN_MS = 10_000;
const RSS_MB_PER_MINUTE = 0.5;
/** A count that moves by less than this in a minute does not move. */
const COUNT_PER_MINUTE = 0.5;

const minutes = Number(process.argv[2] ?? 10);
const seed = Number(process.argv[3] ?? 1);
if (!(minutes > 0) || !Number.isInteger(seed)) {
  console.error('usage: npm run soak -- MINUTES [SEED]');
  process.exit(2);
}

const start = (file: string, args: readonly string[], execArgv: readonly string[]): ChildProcess =>
  fork(new URL(file, import.meta.url), args, { execArgv: [...execArgv] });

async function ask<T>(child: ChildProcess, question: string): Promise<T> {
  const answer = once(child, 'message') as Promise<[T]>;
  child.send(question);
  return (await answer)[0];
}

/** Slabs that hold bytes of somebody; those that stand ready do not count. */
const heldSlabs = (engine: ServerReport['engine']): number => engine?.slabsHeld ?? 0;
const filesOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;
const rssMbOf = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

const server = start('soak-server-child.js', [], ['--expose-gc', '--max-semi-space-size=2']);
const [{ port }] = (await once(server, 'message')) as [{ port: number }];
const idle = await ask<ServerReport>(server, 'report');
const idleFiles = filesOf(server.pid!);
console.log(`soak: ${minutes} min, ${CONNECTIONS} connections, tier ${idle.tier}, seed ${seed}`);
const load = start('soak-load-child.js', [String(port), String(CONNECTIONS), String(seed)], []);

const series = { rss: [] as Reading[], files: [] as Reading[], slabs: [] as Reading[] };
const startMs = performance.now();
const endMs = minutes * 60_000;
for (let atMs = 0; atMs < endMs; atMs = performance.now() - startMs) {
  await delay(READ_MS);
  const { live, calls, engine } = await ask<ServerReport>(server, 'report');
  const rssMb = rssMbOf(server.pid!);
  const files = filesOf(server.pid!);
  if (atMs >= endMs * WARM_SHARE) {
    series.rss.push({ atMs, value: rssMb });
    series.files.push({ atMs, value: files });
    series.slabs.push({ atMs, value: heldSlabs(engine) });
  }
  if (Math.round(atMs / READ_MS) % 30 === 0) {
    const slabs = engine
      ? `, ${engine.slabsHeld} of ${engine.slabsUsed} slabs held, ${engine.lostWakes} lost wake-ups`
      : '';
    console.log(
      `${(atMs / 60_000).toFixed(1)} min: ${live} live, ${calls} calls, ${rssMb.toFixed(1)} MB, ${files} files${slabs}`,
    );
  }
}

const done = await ask<LoadReport>(load, 'stop');
await delay(200);
let last = await ask<ServerReport>(server, 'report');
for (let waited = 0; waited < DRAIN_MS && last.live > 0; waited += 200) {
  await delay(200);
  last = await ask<ServerReport>(server, 'report');
}
const leftFiles = filesOf(server.pid!) - idleFiles;
const failed = Object.values(done.failures).reduce((sum, count) => sum + count, 0);

const bars: [string, number, number][] = [
  ['RSS, MB per minute', slopePerMinute(series.rss), RSS_MB_PER_MINUTE],
  ['open files, per minute', slopePerMinute(series.files), COUNT_PER_MINUTE],
  ['slabs, per minute', slopePerMinute(series.slabs), COUNT_PER_MINUTE],
  ['calls that failed', failed, 0],
  ['connections left', last.live, 0],
  ['files left', leftFiles, 0],
  ['slabs left', heldSlabs(last.engine), 0],
];
console.log(`${done.calls} calls over ${done.dials} connections`, done.failures);
if (last.engine) console.log(`${last.engine.lostWakes} lost wake-ups, all repaired`);
let held = true;
for (const [name, value, bar] of bars) {
  const pass = value <= bar;
  held &&= pass;
  console.log(
    `${pass ? 'held  ' : 'MISSED'} ${value.toFixed(3).padStart(9)} (bar <= ${bar})  ${name}`,
  );
}
console.log(
  held ? 'soak: all bars held' : `soak: FAILED; again with: npm run soak -- ${minutes} ${seed}`,
);
server.kill();
process.exitCode = held ? 0 : 1;
