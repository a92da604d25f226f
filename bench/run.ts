/**
 * Runs one suite: prints ratio, bar and verdict per case, writes `bench/results/SUITE.json`, and says whether
 * every bar held. A suite without cases does not pass. A run of some parts only is not recorded.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nativeStatus } from '../lib/native/load.ts';
import type { CaseReport, Measurement, Suite, SuiteReport, Table } from './suite.ts';
import { tableLines } from './table.ts';

const results = fileURLToPath(new URL('../../bench/results', import.meta.url));

/** Options of {@link runSuite}. */
export interface RunOptions {
  /** Print the report alone, as JSON; progress goes to stderr. */
  readonly json: boolean;
  /** Parts to run, names of the suite's `parts`; all when empty. */
  readonly only: readonly string[];
}

/** Runs `suite`; true when every bar held. */
export async function runSuite(suite: Suite, { json, only }: RunOptions): Promise<boolean> {
  const print = json ? toStderr : toStdout;
  const head = { suite: suite.name, node: process.version, tier: nativeStatus().tier };
  print(`${suite.name}: ${suite.about}`);
  print(`Node ${head.node}, ${head.tier} tier`);
  const obstacle = suite.obstacle?.();
  if (obstacle !== undefined) return skip(suite, obstacle, { json, print });
  const cases: (CaseReport & { readonly detail: string })[] = [];
  const tables: Table[] = [];
  const table = (each: Table): void => {
    tables.push(each);
    for (const line of tableLines(each)) print(line);
  };
  const wants = (part: string): boolean => only.length === 0 || only.includes(part);
  for await (const measurement of suite.run({ log: toStderr, wants, table })) {
    const pass = holds(measurement);
    const { name, better, bar, detail } = measurement;
    cases.push({ name, ratio: rounded(measurement.ratio), better, bar, pass, detail });
    print(verdictOf(measurement, pass));
  }
  const held = cases.length > 0 && cases.every(({ pass }) => pass);
  print(`${cases.filter(({ pass }) => pass).length} of ${cases.length} bars held`);
  const report: SuiteReport = {
    suite: suite.name,
    cases: cases.map(({ name, ratio, better, bar, pass }) => ({ name, ratio, better, bar, pass })),
  };
  if (only.length === 0) save({ ...head, cases, ...(tables.length > 0 && { tables }) });
  if (json) process.stdout.write(`${JSON.stringify(report)}\n`);
  return held;
}

/** Nothing is measured and nothing recorded. */
function skip(
  { name }: Suite,
  obstacle: string,
  { json, print }: { readonly json: boolean; readonly print: (line: string) => void },
): boolean {
  print(`skipped: ${obstacle}`);
  if (json)
    process.stdout.write(`${JSON.stringify({ suite: name, cases: [], skipped: obstacle })}\n`);
  return true;
}

function toStderr(line: string): void {
  process.stderr.write(`${line}\n`);
}

function toStdout(line: string): void {
  process.stdout.write(`${line}\n`);
}

function holds({ ratio, better, bar }: Measurement): boolean {
  return better === 'higher' ? ratio >= bar : ratio <= bar;
}

function verdictOf(measurement: Measurement, pass: boolean): string {
  const { name, ratio, better, bar, detail } = measurement;
  const sign = better === 'higher' ? '>=' : '<=';
  const verdict = pass ? 'held  ' : 'MISSED';
  return `${verdict} ${String(rounded(ratio)).padStart(8)} (bar ${sign} ${bar})  ${name}  [${detail}]`;
}

/** Four significant digits: more would be noise. */
function rounded(ratio: number): number {
  return Number(ratio.toPrecision(4));
}

function save(record: { readonly suite: string; readonly [field: string]: unknown }): void {
  mkdirSync(results, { recursive: true });
  writeFileSync(join(results, `${record.suite}.json`), `${JSON.stringify(record, null, 2)}\n`);
}
