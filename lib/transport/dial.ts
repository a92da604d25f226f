/** Waiting for a dialled socket: every way it can end is one typed error. */
import type { Socket } from 'node:net';
import type { Clock } from '../clock.ts';
import { DwcpError } from '../errors.ts';
import type { LinkLimits } from '../limits.ts';
import type { Address } from './frame-pipe.ts';

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
