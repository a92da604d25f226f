/** The peer: one node:net socket, written to as fast as it drains. */
import { connect, createServer } from 'node:net';
import type { Receiving, Sending } from './party-child.ts';
import { Tenths } from './tenths.ts';

const CHUNK = Buffer.alloc(64 * 1024, 'w');

export function receiveNet(): Promise<Receiving> {
  const tenths = new Tenths();
  const server = createServer((socket) => {
    socket.on('data', (chunk) => tenths.add(chunk.length));
    socket.on('error', () => {});
  });
  return new Promise((resolve) => {
    server.listen(0, '0.0.0.0', () => {
      const address = server.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      resolve({ port, report: () => ({ tenths: tenths.toJSON() }) });
    });
  });
}

export function sendNet(host: string, port: number): Promise<Sending> {
  const socket = connect({ host, port, noDelay: true });
  socket.on('error', () => {});
  const fill = (): void => {
    while (socket.write(CHUNK)) {
      // Until it is full.
    }
  };
  return new Promise((resolve) => {
    socket.once('connect', () => {
      socket.on('drain', fill);
      fill();
      resolve({ done: new Promise(() => {}), report: () => ({}) });
    });
  });
}
