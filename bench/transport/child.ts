/** Server processes: started on a tier with pinned congestion control, told to stop by the end of stdin. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** A tier of dwcp's I/O. */
export type IoTier = 'uring' | 'epoll' | 'net';

/** On loopback nothing is lost: any will do, and every process may choose this one. */
export const CONGESTION = 'reno';
const STOP_MS = 10_000;

/** How a server runs. */
export interface StartOptions {
  /** Path of the library that pins the congestion control. */
  readonly pin: string;
  /** The tier it must tell it runs on. */
  readonly tier?: IoTier | undefined;
}

/** A server that listens. */
export interface Started {
  readonly process: ChildProcess;
  readonly port: number;
  readonly env: NodeJS.ProcessEnv;
  readonly lines: AsyncIterator<string>;
}

/** Starts a server that prints its port, or `{port, tier}`. */
export async function startServer(
  command: readonly string[],
  { pin, tier }: StartOptions,
): Promise<Started> {
  const pinned = { ...process.env, LD_PRELOAD: pin, BENCH_CONGESTION: CONGESTION };
  const env: NodeJS.ProcessEnv = tier ? { ...pinned, DWCP_IO: tier } : pinned;
  const server = spawn(command[0]!, command.slice(1), { stdio: ['pipe', 'pipe', 'inherit'], env });
  const lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
  const { value, done } = await lines.next();
  if (done) throw new Error(`${command.join(' ')} did not start`);
  const told = JSON.parse(value) as number | { port: number; tier?: string };
  const { port, tier: ran } = typeof told === 'number' ? { port: told, tier: undefined } : told;
  if (tier && ran !== tier) {
    server.kill('SIGKILL');
    throw new Error(`${command.join(' ')} runs on ${ran}, not on ${tier}`);
  }
  return { process: server, port, env, lines };
}

/** Stops a server; returns the last line it printed, if any. */
export async function stopServer({ process: server, lines }: Started): Promise<string | undefined> {
  const closed = server.exitCode === null && server.signalCode === null && once(server, 'close');
  server.stdin!.end();
  const timer = setTimeout(() => server.kill('SIGKILL'), STOP_MS);
  const { value, done } = await lines.next();
  if (closed) await closed;
  clearTimeout(timer);
  return done ? undefined : value;
}
