/** What a host and a port have to be, wherever users give them. */
import { invalidArg } from '../errors.ts';
import type { Address } from './frame-pipe.ts';

/**
 * Refuses what is no host and no port; the error names them after `prefix`.
 * @throws ERR_DWCP_INVALID_ARG
 */
export function checkHostAndPort(
  { host, port }: { readonly host?: unknown; readonly port?: unknown },
  prefix = '',
): void {
  if (typeof host !== 'string' || host === '') invalidArg(`${prefix}host`, 'a host', host);
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 0 || port > 65_535) {
    invalidArg(`${prefix}port`, 'a port', port);
  }
}

/** Refuses what is no address. @throws ERR_DWCP_INVALID_ARG */
export function checkAddress(address: unknown, name = 'address'): asserts address is Address {
  if (typeof address !== 'object' || address === null) invalidArg(name, 'an object', address);
  checkHostAndPort(address, `${name}.`);
}
