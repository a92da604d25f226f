/**
 * `dwcp bench FILE FILE…`: the visitor's own successive versions under each way of sending them.
 * Bytes and codec times are measured; time-to-fresh and money follow from them by a stated model.
 */
import { readFile } from 'node:fs/promises';
import { defaultLimits } from '../limits.ts';
import { nativeStatus } from '../native/load.ts';
import { benchRows, type BenchRow } from './bench-rows.ts';
import { flag, numberOption, UsageError, type Arguments, type Command } from './command.ts';
import { bytesText, msText, timesText } from './format.ts';
import { transferMs } from './slow-start.ts';
import { Terminal } from './terminal.ts';

const hoursPerMonth = 730;

interface Scenario {
  readonly rttMs: number;
  readonly megabitPerSecond: number;
  readonly pricePerGigabyte: number;
  readonly updatesPerHour: number;
  readonly regions: number;
}

interface Costed extends BenchRow {
  /** Bytes of versions 2…N. */
  readonly updateBytes: number;
  readonly timesSmaller: number;
  readonly freshMs: number;
  readonly dollarsPerMonth: number;
}

function scenarioOf(args: Arguments): Scenario {
  const number = (name: string, least: number, most: number, otherwise: number): number =>
    numberOption(args, name, { least, most, otherwise });
  return {
    rttMs: number('rtt', 0, 10_000, 80),
    megabitPerSecond: number('mbit', 0.01, 1_000_000, 1000),
    pricePerGigabyte: number('price', 0, 1000, 0.02),
    updatesPerHour: number('per-hour', 0, 1e9, 60),
    regions: number('regions', 1, 100, 2),
  };
}

async function readVersions(files: readonly string[]): Promise<Buffer[]> {
  if (files.length < 2) throw new UsageError('bench needs at least two files: successive versions');
  const versions: Buffer[] = [];
  // One after the other, so that the first file that cannot be read is the one that is named.
  for (const file of files) versions.push(await readFile(file));
  for (const [index, { length }] of versions.entries()) {
    if (length === 0) throw new UsageError(`${files[index]} is empty`);
    if (length > defaultLimits.state.maxValueBytes) {
      throw new UsageError(
        `${files[index]} is larger than ${defaultLimits.state.maxValueBytes} bytes`,
      );
    }
  }
  return versions;
}

function cost(row: BenchRow, rawBytes: number, scenario: Scenario): Costed {
  const updates = row.bytes.slice(1);
  const updateBytes = updates.reduce((sum, bytes) => sum + bytes, 0);
  const meanBytes = updateBytes / Math.max(1, updates.length);
  const decodeMs = Number.isNaN(row.decodeMs) ? 0 : row.decodeMs;
  const wireMs = transferMs(meanBytes, scenario.rttMs, scenario.megabitPerSecond);
  const monthlyGigabytes =
    (meanBytes * scenario.updatesPerHour * hoursPerMonth * scenario.regions) / 1e9;
  return {
    ...row,
    updateBytes,
    timesSmaller: rawBytes / updateBytes,
    freshMs: row.encodeMs + wireMs + decodeMs,
    dollarsPerMonth: monthlyGigabytes * scenario.pricePerGigabyte,
  };
}

function moneyText(dollars: number): string {
  return `$${dollars >= 100 ? dollars.toFixed(0) : dollars >= 0.995 ? dollars.toFixed(2) : dollars.toPrecision(2)}`;
}

function cells(row: Costed): string[] {
  if (row.unavailable !== undefined) return [row.name, 'not here'];
  return [
    row.name,
    bytesText(row.updateBytes),
    timesText(row.timesSmaller),
    msText(row.encodeMs),
    Number.isNaN(row.decodeMs) ? 'not timed' : msText(row.decodeMs),
    msText(row.freshMs),
    moneyText(row.dollarsPerMonth),
  ];
}

function print(
  terminal: Terminal,
  rows: readonly Costed[],
  updates: number,
  scenario: Scenario,
): void {
  const header = ['way', `${updates} update${updates === 1 ? '' : 's'}`, 'vs raw'];
  header.push('encode', 'decode', `fresh @${scenario.rttMs} ms`, '$/month');
  const shown = rows.map((row) => {
    const line = cells(row);
    return row.name.startsWith('dwcp') ? line.map((cell) => terminal.paint('green', cell)) : line;
  });
  terminal.table(header, shown);
  terminal.line();
  for (const row of rows) if (row.unavailable) terminal.line(`  ${row.name}: ${row.unavailable}.`);
  const status = nativeStatus();
  const { rttMs, megabitPerSecond, updatesPerHour, regions, pricePerGigabyte } = scenario;
  const notes = [
    `Tier: ${status.tier}. ${status.reason}`,
    'Bytes: codec output, measured; every row was decoded and compared with the input.',
    'Codec times: mean per update, measured here, one thread.',
    `Fresh: encode + slow start from 10 segments at ${rttMs} ms and ${megabitPerSecond} Mbit/s + decode;` +
      ' a model of an idle connection without loss. `dwcp demo` measures the real thing.',
    `Money: ${updatesPerHour} updates an hour to ${regions} regions at $${pricePerGigabyte}/GB.`,
  ];
  for (const note of notes) terminal.line(terminal.paint('dim', `  ${note}`));
}

async function run(args: Arguments): Promise<number> {
  const scenario = scenarioOf(args);
  const versions = await readVersions(args.positionals);
  const json = flag(args, 'json');
  const terminal = new Terminal(json ? process.stderr : process.stdout);
  const rows = await benchRows(versions, (name) => terminal.progress(`  ${name} …`));
  terminal.done();
  const rawBytes = versions.slice(1).reduce((sum, { length }) => sum + length, 0);
  const costed = rows.map((row) => cost(row, rawBytes, scenario));
  if (json) {
    const report = { files: args.positionals, scenario, tier: nativeStatus(), rows: costed };
    process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
    return 0;
  }
  terminal.line();
  terminal.line(
    terminal.paint('bold', `  ${versions.length} versions, ${bytesText(rawBytes)} of updates`),
  );
  terminal.line();
  print(terminal, costed, versions.length - 1, scenario);
  return 0;
}

/** The subcommand. */
export const benchCommand: Command = {
  name: 'bench',
  operands: 'FILE FILE…',
  options: {
    rtt: { type: 'string', value: 'MS', text: 'round trip to the far region (80)' },
    mbit: { type: 'string', value: 'N', text: 'rate of the path, Mbit/s (1000)' },
    'per-hour': { type: 'string', value: 'N', text: 'updates an hour (60)' },
    regions: { type: 'string', value: 'N', text: 'remote regions that get each update (2)' },
    price: { type: 'string', value: 'USD', text: 'price of a GB between regions (0.02)' },
    json: { type: 'boolean', text: 'machine-readable result on stdout' },
  },
  run,
};
