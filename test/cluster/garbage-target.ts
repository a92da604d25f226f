/** A process that listens and echoes, and tells its parent over IPC what broke and what it weighs. */
import { Connection, netTransport, systemClock } from '../../lib/transport/index.ts';

/** What the parent gets when it asks. */
export interface TargetReport {
  readonly rssBytes: number;
  readonly live: number;
  /** Connections closed, by error code; `none` for an orderly end. */
  readonly closes: Record<string, number>;
  /** Violations of connections closed, by code. */
  readonly violations: Record<string, number>;
}

const closes: Record<string, number> = {};
const violations: Record<string, number> = {};
const live = new Set<Connection>();

function add(counts: Record<string, number>, more: Readonly<Record<string, number>>): void {
  for (const [code, count] of Object.entries(more)) counts[code] = (counts[code] ?? 0) + count;
}

const transport = netTransport({ limits: { handshakeTimeoutMs: 2_000 } });
const listener = await transport.listen({ host: '127.0.0.1', port: 0 }, (pipe) => {
  const connection = new Connection({
    pipe,
    role: 'acceptor',
    clock: systemClock,
    onStream: (stream) =>
      stream.onMessage(async (message) => {
        await stream.send(message, { end: true }).catch(() => {});
      }),
    onClose: (error) => {
      live.delete(connection);
      add(closes, { [error?.code ?? 'none']: 1 });
      add(violations, connection.stats().violations);
    },
  });
  live.add(connection);
});

process.on('message', () => {
  (globalThis as { gc?: () => void }).gc?.();
  const rssBytes = process.memoryUsage().rss;
  process.send!({ rssBytes, live: live.size, closes, violations } satisfies TargetReport);
});
process.send!({ port: listener.address.port });
