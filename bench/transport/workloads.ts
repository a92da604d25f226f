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

const framed = contestant('node:net framed', 'net-frames', 'frames');
const framedCrc = contestant('node:net framed, CRC', 'net-frames-crc', 'frames');
const zeromq = contestant('zeromq', 'zeromq', 'zmtp');
const pipe = contestant('pipe, net', 'pipe', 'frames', 'net');
const connection = contestant('connection, net', 'connection', 'stream', 'net');

/** All workloads. */
export const workloads: readonly Workload[] = [
  {
    name: 'framed echo 50 x 64 B, 16 deep',
    load: { mode: 'echo', conns: 50, sizeBytes: 64, depth: 16 },
    bars: [{ row: '8', of: connection, over: pipe, figure: rate, bar: 0.6 }],
    beside: [framed, framedCrc, zeromq],
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
