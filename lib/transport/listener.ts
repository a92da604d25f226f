/** Binding a server socket, for node:net and node:tls alike. */
import type { Server } from 'node:net';
import { DwcpError, invalidArg } from '../errors.ts';
import type { Address, PipeListener } from './frame-pipe.ts';
import type { HalfOpen } from './half-open.ts';

/** Starts a server. Closing stops accepting and drops half-open sockets; pipes handed out live on. */
export function listenOn(
  server: Server,
  address: Address,
  halfOpen: HalfOpen,
): Promise<PipeListener> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error): void =>
      reject(
        new DwcpError(
          'ERR_DWCP_CONNECT',
          `Cannot listen on ${address.host}:${address.port}: ${cause.message}`,
          {
            cause,
          },
        ),
      );
    server.once('error', fail);
    server.listen({ host: address.host, port: address.port }, () => {
      server.off('error', fail);
      // A failed accept (EMFILE) must not end the process; the socket is simply not there.
      server.on('error', () => {});
      const bound = server.address();
      const port = typeof bound === 'object' && bound ? bound.port : address.port;
      resolve({
        address: { host: address.host, port },
        halfOpen: () => halfOpen.stats(),
        close: () => closeServer(server, halfOpen),
      });
    });
  });
}

function closeServer(server: Server, halfOpen: HalfOpen): Promise<void> {
  halfOpen.destroyAll();
  // close() calls back only when every connection ended, and pipes handed out are not ours to wait for.
  server.close();
  return Promise.resolve();
}

/** Refuses a listener that nobody would hear. @throws ERR_DWCP_INVALID_ARG */
export function checkOnPipe(onPipe: unknown): void {
  if (typeof onPipe !== 'function') invalidArg('onPipe', 'a function', onPipe);
}
