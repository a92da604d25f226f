/**
 * Runs one suite: prints ratio, bar and verdict per case, writes `bench/results/SUITE.json`, and says whether
 * every bar held. A suite without cases does not pass.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nativeStatus } from '../lib/native/load.ts';
import type { CaseReport, Measurement, Suite, SuiteReport } from './suite.ts';

const results = fileURLToPath(new URL('../../bench/results', import.meta.url));

/** Options of {@link runSuite}. */
export interface RunOptions {
  /** Print the report alone, as JSON; progress goes to stderr. */
  readonly json: boolean;
}

/** Runs `suite`; true when every bar held. */
export async function runSuite(suite: Suite, { json }: RunOptions): Promise<boolean> {
  const print = json ? toStderr : toStdout;
  print(`${suite.name}: ${suite.about}`);
  print(`Node ${process.version}, ${nativeStatus().tier} tier`);
  const cases: (CaseReport & { readonly detail: string })[] = [];
  for await (const measurement of suite.run(toStderr)) {
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
  save({ suite: suite.name, node: process.version, tier: nativeStatus().tier, cases });
  if (json) process.stdout.write(`${JSON.stringify(report)}\n`);
  return held;
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
