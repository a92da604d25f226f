/** The workloads of the transport suite: what flows, who serves it, and the bars between them. */
import { median } from '../measure.ts';
import type { Table } from '../suite.ts';
import type { Contestant, Load, Sample } from './sample.ts';

/** A ratio of one figure of two contestants. */
export interface Bar {
  /** The row of the list in docs/transport.md, for `--only`. */
  readonly row: string;
  readonly of: Contestant;
  readonly over: Contestant;
  readonly figure: Figure;
  readonly bar: number;
}

/** A figure bars are about. */
export interface Figure {
  readonly name: string;
  readonly better: 'higher' | 'lower';
  of(sample: Sample): number;
  show(value: number): string;
}

/** Everything measured on one load. */
export interface Workload {
  readonly name: string;
  readonly load: Load;
  readonly bars: readonly Bar[];
  /** Measured beside those the bars name. */
  readonly beside?: readonly Contestant[];
}

const thousands = (value: number): string =>
  value >= 1e6 ? `${(value / 1e6).toFixed(2)} M/s` : `${(value / 1e3).toFixed(1)} k/s`;

const rate: Figure = {
  name: 'messages/s',
  better: 'higher',
  of: (sample) => sample.messagesPerSecond,
  show: thousands,
};

const contestant = (
  name: string,
  server: string,
  wire: Contestant['wire'],
  tier?: Contestant['tier'],
): Contestant => ({ name, server, wire, ...(tier && { tier }) });

const cpu: Figure = {
  name: 'CPU per message',
  better: 'lower',
  of: (sample) => sample.serverCpuNsPerMessage,
  show: (value) => `${value.toFixed(0)} ns`,
};
const microseconds = (value: number): string => `${value.toFixed(1)} us`;
const p50: Figure = {
  name: 'p50',
  better: 'lower',
  of: (sample) => sample.p50Us,
  show: microseconds,
};
const p99: Figure = { ...p50, name: 'p99', of: (sample) => sample.p99Us };

const net = contestant('node:net', 'net', 'raw');
const netFramed = contestant('node:net framed', 'net-frames', 'frames');
const netFramedCrc = contestant('node:net framed, CRC', 'net-frames-crc', 'frames');
const zeromq = contestant('zeromq', 'zeromq', 'zmtp');
const plainC = contestant('C epoll', 'c', 'raw');
/** The same bytes, not looked at: what no server that reads its frames can beat. */
const plainCFrames = contestant('C epoll, unread', 'c', 'frames');
const tiersOf = (name: string, wire: Contestant['wire'], label = name) => ({
  uring: contestant(`${label}, uring`, name, wire, 'uring'),
  epoll: contestant(`${label}, epoll`, name, wire, 'epoll'),
  net: contestant(`${label}, net`, name, wire, 'net'),
});
const chunks = tiersOf('chunks', 'raw', 'batch');
const batch = tiersOf('batch', 'frames');
const view = tiersOf('batch-view', 'frames', 'batch, views');
const messages = tiersOf('messages', 'frames', 'onMessage');
const pipe = tiersOf('pipe', 'frames');
const connection = tiersOf('connection', 'stream');

const echoOf = (conns: number, sizeBytes: number, depth = 1): Load => ({
  mode: 'echo',
  conns,
  sizeBytes,
  depth,
});
const oneWay = (sizeBytes: number): Load => ({ mode: 'oneway', conns: 1, sizeBytes, depth: 1 });

/** Row 7: where io_uring is forbidden. */
const forbidden = (tiers: Readonly<Record<'uring' | 'epoll', Contestant>>): Bar => ({
  row: '7',
  of: tiers.epoll,
  over: tiers.uring,
  figure: rate,
  bar: 0.75,
});

/** All workloads. */
export const workloads: readonly Workload[] = [
  {
    name: 'echo 50 x 64 B',
    load: echoOf(50, 64),
    bars: [
      { row: '1', of: chunks.uring, over: net, figure: rate, bar: 2.2 },
      { row: '1', of: chunks.uring, over: net, figure: cpu, bar: 0.5 },
      { row: '1', of: chunks.uring, over: plainC, figure: rate, bar: 0.85 },
      forbidden(chunks),
    ],
  },
  {
    name: 'framed echo 50 x 64 B, 16 deep',
    load: echoOf(50, 64, 16),
    bars: [
      { row: '2', of: batch.uring, over: netFramed, figure: rate, bar: 4 },
      { row: '2', of: batch.uring, over: zeromq, figure: rate, bar: 10 },
      { row: '2', of: messages.uring, over: netFramed, figure: rate, bar: 2 },
      forbidden(batch),
      { row: '8', of: connection.uring, over: pipe.uring, figure: rate, bar: 0.6 },
    ],
    beside: [netFramedCrc, view.uring, plainCFrames],
  },
  {
    name: 'one way 64 KB',
    load: oneWay(65_536),
    bars: [
      { row: '3', of: chunks.uring, over: net, figure: rate, bar: 2 },
      { row: '3', of: chunks.uring, over: zeromq, figure: rate, bar: 2.5 },
      forbidden(chunks),
    ],
  },
  {
    name: 'one way 64 KB, framed',
    load: oneWay(65_536),
    bars: [
      { row: '3', of: batch.uring, over: netFramed, figure: rate, bar: 2 },
      { row: '3', of: batch.uring, over: zeromq, figure: rate, bar: 2.5 },
    ],
    beside: [netFramedCrc, batch.epoll],
  },
  {
    name: 'one way 1 KB, framed',
    load: oneWay(1024),
    bars: [
      { row: '3', of: batch.uring, over: netFramed, figure: rate, bar: 1.8 },
      { row: '3', of: batch.uring, over: zeromq, figure: rate, bar: 3 },
      forbidden(batch),
    ],
    beside: [netFramedCrc],
  },
  {
    name: 'echo 500 x 64 B',
    load: echoOf(500, 64),
    bars: [
      { row: '4', of: chunks.uring, over: net, figure: rate, bar: 1.5 },
      { row: '4', of: chunks.uring, over: net, figure: p99, bar: 0.8 },
      forbidden(chunks),
    ],
  },
  {
    name: 'echo 50 x 64 KB',
    load: echoOf(50, 65_536),
    bars: [
      { row: '5', of: chunks.uring, over: net, figure: rate, bar: 1.8 },
      { row: '5', of: chunks.uring, over: plainC, figure: rate, bar: 0.6 },
    ],
  },
  {
    name: 'echo 1 x 64 B',
    load: echoOf(1, 64),
    bars: [{ row: '6', of: chunks.uring, over: net, figure: p50, bar: 1.05 }],
  },
];

/** The contestants of a workload that `bars` needs, each once, and those measured beside them. */
export function contestantsOf({ beside = [] }: Workload, bars: readonly Bar[]): Contestant[] {
  return [...new Set([...bars.flatMap(({ of, over }) => [of, over]), ...beside])];
}

/** One row of the table of a workload. */
export function tableRow(
  name: string,
  samples: readonly Sample[],
  load: Load,
): Table['rows'][number] {
  const middle = (of: (sample: Sample) => number): number => median(samples.map(of));
  const echo = load.mode === 'echo';
  return {
    server: name,
    'messages/s': Math.round(middle((s) => s.messagesPerSecond)),
    'MB/s': Number(middle((s) => s.megabytesPerSecond).toFixed(1)),
    'p50 us': echo ? Math.round(middle((s) => s.p50Us)) : '-',
    'p99 us': echo ? Math.round(middle((s) => s.p99Us)) : '-',
    'CPU ns/message': Math.round(middle((s) => s.serverCpuNsPerMessage)),
    'server CPU': Number(middle((s) => s.serverCpuShare).toFixed(2)),
    'client CPU': Number(middle((s) => s.clientCpuShare).toFixed(2)),
  };
}
