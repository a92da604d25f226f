/**
 * Mutual TLS 1.3 in the I/O engine beside node:tls, on loopback: one C client over OpenSSL and one cipher for
 * all, servers in fresh processes that alternate, medians of the pairs' own ratios. Rows are numbered as in
 * docs/transport.md; `--only 3` runs some.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { median } from '../measure.ts';
import type { Measurement, Suite, SuiteContext } from '../suite.ts';
import { clientObstacle } from '../tls/build.ts';
import {
  CIPHER,
  sampleTls,
  type TlsContestant,
  type TlsLoad,
  type TlsSample,
} from '../tls/sample.ts';

const ROUNDS = 5;
const lts = fileURLToPath(
  new URL('../../../test/runtimes/node_modules/node-24/bin/node', import.meta.url),
);

const engine: TlsContestant = { name: 'engine, uring', server: 'engine', tier: 'uring' };
const epoll: TlsContestant = { name: 'engine, epoll', server: 'engine', tier: 'epoll' };
const nodeTls: TlsContestant = { name: 'node:tls', server: 'node-tls' };
const pipeTls: TlsContestant = { name: 'dwcp over node:tls', server: 'pipe-tls' };

interface Figure {
  readonly name: string;
  readonly of: (sample: TlsSample) => number;
  readonly show: (value: number) => string;
}

const rate: Figure = {
  name: 'messages/s',
  of: (sample) => sample.messagesPerSecond,
  show: (value) => `${(value / 1e3).toFixed(1)} k/s`,
};
const throughput: Figure = {
  name: 'MB/s',
  of: (sample) => sample.megabytesPerSecond,
  show: (value) => `${value.toFixed(0)} MB/s`,
};
const handshakes: Figure = {
  name: 'handshakes/s',
  of: (sample) => sample.messagesPerSecond,
  show: (value) => `${value.toFixed(0)} /s`,
};

interface Case {
  readonly row: string;
  readonly name: string;
  readonly load: TlsLoad;
  readonly figure: Figure;
  readonly bar: number;
}

const cases: readonly Case[] = [
  {
    row: '3',
    name: 'one way 64 KB',
    load: { mode: 'oneway', conns: 1, sizeBytes: 65_536, depth: 1 },
    figure: throughput,
    bar: 1.5,
  },
  {
    row: '3',
    name: 'echo 50 x 64 B, 16 deep',
    load: { mode: 'echo', conns: 50, sizeBytes: 64, depth: 16 },
    figure: rate,
    bar: 1.5,
  },
  {
    row: '4',
    name: 'full handshakes, 16 at a time',
    load: { mode: 'handshake', conns: 16, sizeBytes: 64, depth: 1 },
    figure: handshakes,
    bar: 1,
  },
];

const resuming: TlsLoad = { mode: 'resume', conns: 16, sizeBytes: 64, depth: 1 };

type Samples = ReadonlyMap<TlsContestant, readonly TlsSample[]>;

async function takeRounds(
  load: TlsLoad,
  contestants: readonly TlsContestant[],
  node: string,
): Promise<Samples> {
  const samples = new Map(contestants.map((each) => [each, [] as TlsSample[]]));
  for (let round = 0; round < ROUNDS; round++) {
    const order = round % 2 === 0 ? contestants : contestants.toReversed();
    for (const each of order) samples.get(each)!.push(await sampleTls(load, each, node));
  }
  return samples;
}

function tell(title: string, samples: Samples, { table }: SuiteContext): void {
  const rows = [...samples].map(([{ name }, each]) => {
    const mid = (of: (sample: TlsSample) => number): number => median(each.map(of));
    return {
      contestant: name,
      'per second': Math.round(mid((one) => one.messagesPerSecond)),
      'MB/s': Math.round(mid((one) => one.megabytesPerSecond)),
      'p50, us': Math.round(mid((one) => one.p50Us)),
      'p99, us': Math.round(mid((one) => one.p99Us)),
      'server CPU, us': Number((mid((one) => one.serverCpuNsPerMessage) / 1e3).toFixed(2)),
      'server CPU share': mid((one) => one.serverCpuShare),
      'client CPU share': mid((one) => one.clientCpuShare),
      'resumed, %': Math.round(100 * mid((one) => one.resumed / one.messages)),
    };
  });
  table({ title, rows });
}

async function* runCase(
  { row, name, load, figure, bar }: Case,
  { name: runtime, path }: { readonly name: string; readonly path: string },
  context: SuiteContext,
): AsyncGenerator<Measurement> {
  context.log(`${name}, ${runtime}`);
  const samples = await takeRounds(load, [engine, nodeTls, epoll, pipeTls], path);
  tell(`${name}, ${runtime}`, samples, context);
  const [ours, theirs] = [engine, nodeTls].map((each) => samples.get(each)!.map(figure.of));
  yield {
    name: `${row} ${name}: ${figure.name}, engine, uring / node:tls, ${runtime}`,
    better: 'higher',
    bar,
    ratio: median(ours!.map((value, round) => value / theirs![round]!)),
    detail: `${figure.show(median(ours!))} against ${figure.show(median(theirs!))}`,
  };
}

async function* runResuming(
  { name: runtime, path }: { readonly name: string; readonly path: string },
  context: SuiteContext,
): AsyncGenerator<Measurement> {
  context.log(`resumed handshakes, ${runtime}`);
  const samples = await takeRounds(resuming, [engine, nodeTls], path);
  tell(`resumed handshakes, 16 at a time, ${runtime}`, samples, context);
  const ours = samples.get(engine)!;
  const share = median(ours.map(({ resumed, messages }) => resumed / messages));
  yield {
    name: `4 share of handshakes that resume when the client offers a ticket, engine, ${runtime}`,
    better: 'higher',
    bar: 0.99,
    ratio: share,
    detail: handshakes.show(median(ours.map(handshakes.of))),
  };
}

function runtimes(): { readonly name: string; readonly path: string }[] {
  const named = [process.execPath, lts]
    .filter((path) => existsSync(path))
    .map((path) => {
      const version = spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout.trim();
      return { name: `Node ${version.slice(1).split('.')[0]}`, path };
    });
  return named.filter(({ name }, i) => named.findIndex((each) => each.name === name) === i);
}

/** The suite. */
export const suite: Suite = {
  name: 'tls',
  about: `mutual TLS 1.3, ${CIPHER}, loopback, one C + OpenSSL client, fresh processes in turn, 5 pairs`,
  peers: [],
  runtimes: true,
  parts: ['3', '4'],
  obstacle: clientObstacle,
  async *run(context) {
    for (const runtime of runtimes()) {
      for (const each of cases) {
        if (context.wants(each.row)) yield* runCase(each, runtime, context);
      }
      if (context.wants('4')) yield* runResuming(runtime, context);
    }
  },
};
