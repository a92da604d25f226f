/** The process the soak watches: answers calls over whatever tier DWCP_IO or the ladder picks. */
import {
  Connection,
  type EngineCounters,
  ioStatus,
  ioTransport,
  systemClock,
} from '../../lib/transport/index.ts';

/** What the parent gets when it asks. */
export interface ServerReport {
  readonly tier: string;
  readonly live: number;
  readonly calls: number;
  readonly engine: EngineCounters | undefined;
}

let calls = 0;
const live = new Set<Connection>();
const transport = ioTransport();
const listener = await transport.listen({ host: '127.0.0.1', port: 0 }, (pipe) => {
  const connection = new Connection({
    pipe,
    role: 'acceptor',
    clock: systemClock,
    onStream: (stream) => {
      stream.onMessage(async (message) => {
        calls++;
        await stream.send(message, { end: true }).catch(() => {});
      });
      stream.onClose(() => {});
    },
    onClose: () => live.delete(connection),
  });
  live.add(connection);
});

process.on('message', () => {
  (globalThis as { gc?: () => void }).gc?.();
  const { tier, engine } = ioStatus();
  process.send!({ tier, live: live.size, calls, engine } satisfies ServerReport);
});
process.send!({ port: listener.address.port });
