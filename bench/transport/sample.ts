/**
 * One sample: a fresh server process, the C client against it, figures of the client and the CPU time of
 * the server. What the client says it sent must have arrived.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { buildPrograms, type Programs } from './build.ts';
import { CONGESTION, type IoTier, startServer, stopServer } from './child.ts';

const run = promisify(execFile);
const serverFile = fileURLToPath(new URL('server.js', import.meta.url));

const WARM_S = 0.3;
const MEASURE_S = 0.5;
const DEADLINE_MS = 30_000;

/** What flows. */
export interface Load {
  readonly mode: 'echo' | 'oneway';
  readonly conns: number;
  readonly sizeBytes: number;
  /** Messages under way per connection. */
  readonly depth: number;
}

/** Who serves. */
export interface Contestant {
  /** `node:net`, `batch, uring`. */
  readonly name: string;
  /** A server of server.ts, or the one in C. */
  readonly server: string;
  /** What the client speaks to it. */
  readonly wire: 'raw' | 'frames' | 'stream' | 'zmtp';
  /** The I/O tier it must run on. */
  readonly tier?: IoTier;
}

/** Figures of one sample. */
export interface Sample {
  readonly messages: number;
  readonly messagesPerSecond: number;
  readonly megabytesPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly serverCpuNsPerMessage: number;
  readonly serverCpuShare: number;
  readonly clientCpuShare: number;
  /** Of the client's sockets, as the kernel tells it. */
  readonly congestion: string;
}

/** The command of a server. The epoll tier runs where io_uring is forbidden, as in most containers. */
function commandOf(
  programs: Programs,
  { server, tier }: Contestant,
  node: string,
  mode: string,
): string[] {
  if (server === 'c') return [programs.echo];
  const command = [node, serverFile, server, mode];
  return tier === 'epoll' ? [programs.forbidUring, ...command] : command;
}

/** Takes one sample. */
export async function sample(load: Load, contestant: Contestant, node: string): Promise<Sample> {
  const programs = buildPrograms();
  const command = commandOf(programs, contestant, node, load.mode);
  const server = await startServer(command, { pin: programs.pin, tier: contestant.tier });
  const args = {
    port: server.port,
    pid: server.process.pid,
    wire: contestant.wire,
    mode: load.mode,
    conns: load.conns,
    size: load.sizeBytes,
    depth: load.depth,
    warm: WARM_S,
    secs: MEASURE_S,
    congestion: CONGESTION,
  };
  const words = Object.entries(args).map(([name, value]) => `${name}=${value}`);
  try {
    const { stdout } = await run(programs.client, words, { timeout: DEADLINE_MS });
    const result = JSON.parse(stdout) as Sample;
    const last = contestant.server === 'c' ? undefined : await stopServer(server);
    const counted =
      last === undefined ? Infinity : (JSON.parse(last) as { messages: number }).messages;
    // What was under way when the client left may be missing, what was measured may not.
    if (counted < result.messages) {
      throw new Error(`${contestant.name} took ${counted} of ${result.messages} messages`);
    }
    if (result.messages === 0) throw new Error(`${contestant.name} answered nothing`);
    return result;
  } finally {
    server.process.kill('SIGKILL');
  }
}
