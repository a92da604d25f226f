/** The peer everybody knows: node:net, bytes as they come. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import type { Mode, Serving } from '../server.ts';

/** Echoes or takes bytes. */
export async function netServer(mode: Mode): Promise<Serving> {
  let bytes = 0;
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    if (mode === 'echo') {
      socket.on('data', (chunk) => {
        bytes += chunk.length;
        socket.write(chunk);
      });
    } else socket.on('data', (chunk) => (bytes += chunk.length));
  });
  server.listen(0, '127.0.0.1', 4096);
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, count: () => bytes };
}
