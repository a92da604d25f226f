/** Plaintext pipes over node:net: the tier that runs everywhere. Loopback only, unless asked. */
import { connect, createServer, type Socket } from 'node:net';
import { type Clock, systemClock } from '../clock.ts';
import type { DwcpError } from '../errors.ts';
import { resolveLinkLimits, type LinkLimits } from '../limits.ts';
import { dial } from './dial.ts';
import type { PipeTransport } from './frame-pipe.ts';
import { HalfOpen, knockOf } from './half-open.ts';
import { InboundRefusals } from './inbound-refusals.ts';
import { checkOnPipe, listenOn } from './listener.ts';
import { checkPlaintext } from './loopback.ts';
import { SocketPipe } from './socket-pipe.ts';

/** Options of {@link netTransport}. */
export interface NetTransportOptions {
  /** Lets plaintext leave this machine. False by default. */
  readonly allowPlaintext?: boolean | undefined;
  readonly clock?: Clock | undefined;
  readonly limits?: Partial<LinkLimits> | undefined;
  /** Told of every inbound connection that was turned away, and why. */
  readonly onRefused?: ((error: DwcpError, remoteAddress: string) => void) | undefined;
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
  const limits = resolveLinkLimits(options.limits);
  const allowPlaintext = options.allowPlaintext ?? false;
  const onRefused = options.onRefused ?? (() => {});
  const plain = { tier: 'net', secure: false, identity: undefined, clock, limits } as const;
  const wrap = (socket: Socket, inbound: boolean): SocketPipe =>
    new SocketPipe(socket, { ...plain, inbound });
  return {
    tier: 'net',
    listen: async (address, onPipe) => {
      checkOnPipe(onPipe);
      checkPlaintext(address, allowPlaintext);
      const refused = new InboundRefusals(onRefused);
      const halfOpen = new HalfOpen(clock, limits, refused.givenUp);
      const server = createServer({ noDelay: true });
      server.on('connection', (socket) => {
        halfOpen.admit(socket, knockOf(socket));
        socket.once('close', () => halfOpen.release(socket));
        const pipe = wrap(socket, true);
        pipe.onReady(
          () => {
            halfOpen.release(socket);
            onPipe(pipe);
          },
          (error) => refused.closed(socket, pipe.remoteAddress, error),
        );
      });
      return listenOn(server, address, halfOpen);
    },
    connect: async (address, { signal }) => {
      checkPlaintext(address, allowPlaintext);
      const start = (): Socket => connect({ host: address.host, port: address.port });
      return wrap(await dial(start, 'connect', address, { clock, limits, signal }), false);
    },
  };
}
