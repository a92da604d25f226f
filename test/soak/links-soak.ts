/**
 * `npm run soak -- MINUTES [SEED] --links`: three nodes over mutual TLS, each of which cuts one of its links every second
 * under calls and writes. Idempotent calls all succeed, the others run at most once, what was written is
 * everywhere at the end, and memory and descriptors of no node grow.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { createAuthority, issueCertificate } from '../../lib/crypto/certificates.ts';
import { systemRandom } from '../../lib/random.ts';
import type { Address } from '../../lib/transport/index.ts';
import type { LinksReport, SoakNode } from './links-node-child.ts';
import { type Reading, slopePerMinute } from './theil-sen.ts';

const WARM_SHARE = 0.2;
const READ_MS = 2_000;
const SETTLE_MS = 30_000;
const RSS_MB_PER_MINUTE = 0.5;
const FILES_PER_MINUTE = 0.5;
const REGIONS = ['eu', 'us', 'ap'] as const;

const numbers = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const [minutes = 10, seed = 1] = numbers.map(Number);
if (!(minutes > 0) || !Number.isInteger(seed)) {
  console.error('usage: npm run soak -- MINUTES [SEED] --links');
  process.exit(2);
}

const nowMs = Date.now();
const validity = {
  random: systemRandom,
  notBeforeMs: nowMs - 60_000,
  notAfterMs: nowMs + (minutes + 60) * 60_000,
};
const authority = createAuthority({ name: 'soak', ...validity });

interface Running {
  readonly child: ChildProcess;
  readonly name: string;
  readonly rss: Reading[];
  readonly files: Reading[];
}

async function ask<T>(child: ChildProcess, question: unknown): Promise<T> {
  const answer = once(child, 'message') as Promise<[T]>;
  child.send(question as object);
  return (await answer)[0];
}

const filesOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;
const rssMbOf = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

const nodes: Running[] = [];
const seeds: Address[] = [];
for (const [i, region] of REGIONS.entries()) {
  const nodeId = `${region}-1`;
  const identity = { cluster: 'soak', region, nodeId };
  const credentials = issueCertificate(authority, { identity, ...validity });
  const child = fork(new URL('links-node-child.js', import.meta.url), {
    execArgv: ['--expose-gc', '--max-semi-space-size=2'],
  });
  const self: SoakNode = {
    nodeId,
    region,
    identity: { ...credentials, ca: authority.cert },
    seeds: [...seeds],
    seed: seed * 10 + i,
  };
  const { address } = await ask<{ address: Address }>(child, self);
  seeds.push(address);
  nodes.push({ child, name: nodeId, rss: [], files: [] });
}
console.log(`soak: ${minutes} min, ${nodes.length} nodes over mutual TLS, seed ${seed}`);
const all = <T>(question: string): Promise<T[]> =>
  Promise.all(nodes.map(({ child }) => ask<T>(child, question)));
await all('start');

const startMs = performance.now();
const endMs = minutes * 60_000;
let line = 0;
for (let atMs = 0; atMs < endMs; atMs = performance.now() - startMs) {
  await delay(READ_MS);
  const reports = await all<LinksReport>('report');
  if (atMs >= endMs * WARM_SHARE) {
    for (const { child, rss, files } of nodes) {
      rss.push({ atMs, value: rssMbOf(child.pid!) });
      files.push({ atMs, value: filesOf(child.pid!) });
    }
  }
  if ((line += 1) % 15 !== 1) continue;
  const sum = (of: (report: LinksReport) => number): number =>
    reports.reduce((total, report) => total + of(report), 0);
  const rss = nodes.map(({ child }) => rssMbOf(child.pid!).toFixed(0)).join('/');
  console.log(
    `${(atMs / 60_000).toFixed(1)} min: ${sum(({ cuts }) => cuts)} cuts, ${sum(({ ups }) => ups)} links, ` +
      `${sum(({ idempotent, answered }) => idempotent + answered)} calls, ${sum(({ puts }) => puts)} puts, ${rss} MB`,
  );
}

let reports = await all<LinksReport>('stop');
const same = (): boolean => new Set(reports.map(({ state }) => state)).size === 1;
for (let waited = 0; waited < SETTLE_MS && !same(); waited += 500) {
  await delay(500);
  reports = await all<LinksReport>('report');
}
const total = (of: (report: LinksReport) => number): number =>
  reports.reduce((sum, report) => sum + of(report), 0);
const failures: Record<string, number> = {};
for (const report of reports) {
  for (const [kind, count] of Object.entries(report.failures)) {
    failures[kind] = (failures[kind] ?? 0) + count;
  }
}
const [answered, failed, ran] = [
  total((report) => report.answered),
  total((report) => report.failed),
  total((report) => report.ran),
];
const cuts = total((report) => report.cuts);
const ups = total((report) => report.ups);
const failedIdempotent = Object.values(failures).reduce((sum, count) => sum + count, 0);
const rows: [string, number, number][] = [
  ...nodes.flatMap(({ name, rss, files }): [string, number, number][] => [
    [`${name}: RSS, MB per minute`, slopePerMinute(rss), RSS_MB_PER_MINUTE],
    [`${name}: open files, per minute`, slopePerMinute(files), FILES_PER_MINUTE],
  ]),
  ['idempotent calls and puts that failed', failedIdempotent, 0],
  ['calls answered and not run', Math.max(0, answered - ran), 0],
  ['calls run more than once', Math.max(0, ran - answered - failed), 0],
  ['nodes that differ in what they hold', new Set(reports.map(({ state }) => state)).size - 1, 0],
];
console.log(
  `${cuts} cuts, ${ups} links came up; ${total((report) => report.idempotent)} idempotent calls, ` +
    `${answered} others answered and ${failed} failed with their link; ` +
    `${total((report) => report.puts)} puts; each node holds ${reports[0]!.state}`,
);
if (failedIdempotent > 0) console.log(failures);
let held = cuts > 0 && ups > cuts;
for (const [name, value, bar] of rows) {
  const pass = value <= bar;
  held &&= pass;
  console.log(
    `${pass ? 'held  ' : 'MISSED'} ${value.toFixed(3).padStart(9)} (bar <= ${bar})  ${name}`,
  );
}
console.log(
  held
    ? 'soak: all bars held'
    : `soak: FAILED; again with: npm run soak -- ${minutes} ${seed} --links`,
);
for (const { child } of nodes) child.kill();
process.exitCode = held ? 0 : 1;
