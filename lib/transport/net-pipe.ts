/** Plaintext pipes over node:net: the tier that runs everywhere. Loopback only, unless asked. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { type Clock, systemClock } from '../clock.ts';
import { DwcpError } from '../errors.ts';
import { defaultLimits, type LinkLimits } from '../limits.ts';
import type { Address, FramePipe, PipeListener, PipeTransport } from './frame-pipe.ts';
import { HalfOpen } from './half-open.ts';
import { checkPlaintext } from './loopback.ts';
import { SocketPipe } from './socket-pipe.ts';

/** Options of {@link netTransport}. */
export interface NetTransportOptions {
  /** Lets plaintext leave this machine. False by default. */
  readonly allowPlaintext?: boolean | undefined;
  readonly clock?: Clock | undefined;
  readonly limits?: Partial<LinkLimits> | undefined;
}

/**
 * Pipes over TCP without encryption.
 * @throws ERR_DWCP_PLAINTEXT_REFUSED from `listen` and `connect` off loopback
 * @example
 * const transport = netTransport();
 * const listener = await transport.listen({ host: '127.0.0.1', port: 0 }, onPipe);
 * const pipe = await transport.connect(listener.address, {});
 */
export function netTransport(options: NetTransportOptions = {}): PipeTransport {
  const clock = options.clock ?? systemClock;
  const limits = { ...defaultLimits.link, ...options.limits };
  const allowPlaintext = options.allowPlaintext ?? false;
  const wrap = (socket: Socket): SocketPipe =>
    new SocketPipe(socket, { tier: 'net', secure: false, identity: undefined, clock, limits });
  return {
    tier: 'net',
    listen: async (address, onPipe) => {
      checkPlaintext(address, allowPlaintext);
      const halfOpen = new HalfOpen(limits.maxHalfOpen);
      const server = createServer({ noDelay: true });
      server.on('connection', (socket) => handOut(socket, wrap, halfOpen, onPipe));
      return listenOn(server, address, halfOpen);
    },
    connect: async (address, { signal }) => {
      checkPlaintext(address, allowPlaintext);
      const start = (): Socket => connect({ host: address.host, port: address.port });
      return wrap(await dial(start, 'connect', address, { clock, limits, signal }));
    },
  };
}

/** Hands an inbound pipe out once its preface was read. */
export function handOut(
  socket: Socket,
  wrap: (socket: Socket) => SocketPipe,
  halfOpen: HalfOpen,
  onPipe: (pipe: FramePipe) => void,
): void {
  if (!halfOpen.admit(socket)) return;
  socket.on('close', () => halfOpen.release(socket));
  const pipe = wrap(socket);
  pipe.onReady(() => {
    halfOpen.release(socket);
    onPipe(pipe);
  });
}

/** Starts a server. Closing stops accepting and drops half-open sockets; pipes handed out live on. */
export function listenOn(
  server: Server,
  address: Address,
  halfOpen: HalfOpen,
): Promise<PipeListener> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error): void =>
      reject(
        new DwcpError('ERR_DWCP_CONNECT', `Cannot listen on ${shown(address)}: ${cause.message}`, {
          cause,
        }),
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

/** Patience of a dial. */
export interface DialOptions {
  readonly clock: Clock;
  readonly limits: LinkLimits;
  readonly signal: AbortSignal | undefined;
}

/** Waits until `start`'s socket emits `event`, fails, runs out of time or is aborted. */
export function dial<S extends Socket>(
  start: () => S,
  event: 'connect' | 'secureConnect',
  address: Address,
  { clock, limits, signal }: DialOptions,
): Promise<S> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(aborted(signal));
    const socket = start();
    const finish = (error: DwcpError | undefined): void => {
      timer.cancel();
      signal?.removeEventListener('abort', onAbort);
      socket.off('error', onError);
      if (!error) return resolve(socket);
      socket.on('error', () => {});
      socket.destroy();
      reject(error);
    };
    const onAbort = (): void => finish(aborted(signal!));
    const onError = (cause: Error): void =>
      finish(
        new DwcpError('ERR_DWCP_CONNECT', `Cannot reach ${shown(address)}: ${cause.message}`, {
          cause,
        }),
      );
    const timer = clock.setTimer(
      () =>
        finish(
          new DwcpError(
            'ERR_DWCP_DEADLINE',
            `${shown(address)} did not answer within ${limits.connectTimeoutMs} ms`,
          ),
        ),
      limits.connectTimeoutMs,
    );
    socket.once(event, () => finish(undefined));
    socket.once('error', onError);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

function aborted(signal: AbortSignal): DwcpError {
  return new DwcpError('ERR_DWCP_ABORTED', 'The dial was aborted', { cause: signal.reason });
}

function shown(address: Address): string {
  return `${address.host}:${address.port}`;
}
