/** A full `Connection`: streams, credit, priorities. Each message is answered on its stream, without a promise, as by the pipe. */
import { Connection, ioTransport, systemClock } from '../../../lib/transport/index.ts';
import type { Mode, Serving } from '../server.ts';

/** Echoes or takes messages. */
export async function connectionServer(mode: Mode): Promise<Serving> {
  let messages = 0;
  const transport = ioTransport();
  const gone = (): void => {};
  const listener = await transport.listen({ host: '127.0.0.1', port: 0 }, (pipe) => {
    new Connection({
      pipe,
      role: 'acceptor',
      clock: systemClock,
      onStream: (stream) => {
        stream.onMessage((message) => {
          messages++;
          if (mode === 'echo') stream.post(message, {}, gone);
        });
        stream.onClose(gone);
      },
    });
  });
  return { port: listener.address.port, tier: transport.tier, count: () => messages };
}
