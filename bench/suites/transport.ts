/**
 * The transport beside node:net, ZeroMQ and plain C, on loopback: one C client for all, servers in fresh
 * processes that alternate, medians of the pairs' own ratios, on this Node and on the LTS of test/runtimes.
 * Rows are numbered as in docs/transport.md; `--only 2,9` runs some.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Measurement, Suite, SuiteContext } from '../suite.ts';
import { compare, takeRounds } from '../transport/rounds.ts';
import { urgentCalls } from '../transport/urgent.ts';
import { contestantsOf, tableRow, type Workload, workloads } from '../transport/workloads.ts';

const lts = fileURLToPath(
  new URL('../../../test/runtimes/node_modules/node-24/bin/node', import.meta.url),
);

/** A Node to run servers with. */
interface Runtime {
  readonly name: string;
  readonly path: string;
}

function runtimes(): Runtime[] {
  const paths = [process.execPath, lts].filter((path) => existsSync(path));
  const named = paths.map((path) => {
    const version = spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout.trim();
    return { name: `Node ${version.slice(1).split('.')[0]}`, path };
  });
  return named.filter(({ name }, i) => named.findIndex((each) => each.name === name) === i);
}

async function* runWorkload(
  workload: Workload,
  { name: runtime, path }: Runtime,
  { log, wants, table }: SuiteContext,
): AsyncGenerator<Measurement> {
  const bars = workload.bars.filter(({ row }) => wants(row));
  if (bars.length === 0) return;
  log(`${workload.name}, ${runtime}`);
  const samples = await takeRounds(workload.load, contestantsOf(workload, bars), path);
  const rows = [...samples].map(([{ name }, each]) => tableRow(name, each, workload.load));
  table({ title: `${workload.name}, ${runtime}`, rows });
  for (const each of bars) {
    const { row, of, over, figure, bar } = each;
    const name = `${row} ${workload.name}: ${figure.name}, ${of.name} / ${over.name}, ${runtime}`;
    yield { name, better: figure.better, bar, ...compare(samples, each) };
  }
}

async function* runUrgent(
  { name: runtime, path }: Runtime,
  { log, table }: SuiteContext,
): AsyncGenerator<Measurement> {
  const rows = [];
  for (const direction of ['out', 'in'] as const) {
    log(`calls beside a 64 MB value, ${direction}, ${runtime}`);
    const { measurement, row } = await urgentCalls('uring', direction, path);
    rows.push(row);
    const way = direction === 'out' ? 'to the callee' : 'to the caller';
    yield {
      name: `9 p99 of calls beside a 64 MB value ${way} / idle, uring, ${runtime}`,
      ...measurement,
    };
  }
  table({ title: `256-byte calls beside a 64 MB value, ${runtime}`, rows });
}

/** The suite. */
export const suite: Suite = {
  name: 'transport',
  about: 'loopback, one C client for all servers, fresh processes in turn, 5 pairs',
  peers: ['zeromq'],
  runtimes: true,
  parts: [...new Set([...workloads.flatMap(({ bars }) => bars.map(({ row }) => row)), '9'])],
  async *run(context) {
    for (const runtime of runtimes()) {
      for (const workload of workloads) yield* runWorkload(workload, runtime, context);
      if (context.wants('9')) yield* runUrgent(runtime, context);
    }
  },
};
