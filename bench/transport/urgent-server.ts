/** Answers 256-byte calls on channel 1, takes values on channel 2 and sends one when asked on channel 3. */
import { Connection, ioTransport, Priority, systemClock } from '../../lib/transport/index.ts';

const value = Buffer.alloc(Number(process.argv[2]), 'value');
const gone = (): void => {};

const transport = ioTransport();
const listener = await transport.listen({ host: '127.0.0.1', port: 0 }, (pipe) => {
  new Connection({
    pipe,
    role: 'acceptor',
    clock: systemClock,
    onStream: (stream) => {
      stream.onMessage((message) => {
        if (stream.channel === 1) stream.send(message, { end: true }).catch(gone);
        else if (stream.channel === 2) stream.end();
        else stream.send(value, { end: true, priority: Priority.bulk }).catch(gone);
      });
      stream.onClose(gone);
    },
  });
});
process.stdout.write(`${JSON.stringify({ port: listener.address.port, tier: transport.tier })}\n`);
process.stdin.resume().once('end', () => process.exit(0));
