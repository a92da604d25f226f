/** The plaintext rule: without TLS, only addresses that cannot leave this machine. */
import { BlockList, isIP } from 'node:net';
import { DwcpError } from '../errors.ts';
import { checkAddress } from './address.ts';
import type { Address } from './frame-pipe.ts';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/**
 * True when the host names this machine only. Names other than `localhost` are not resolved.
 * @example isLoopback('127.0.0.2') // true
 */
export function isLoopback(host: string): boolean {
  if (host.toLowerCase() === 'localhost') return true;
  const family = isIP(host);
  if (family === 0) return false;
  return loopback.check(host, family === 6 ? 'ipv6' : 'ipv4');
}

/**
 * Lets plaintext pass on loopback, or anywhere when the user asked for it by name.
 * @throws ERR_DWCP_PLAINTEXT_REFUSED, ERR_DWCP_INVALID_ARG
 */
export function checkPlaintext(address: Address, allowPlaintext: boolean): void {
  checkAddress(address);
  if (allowPlaintext || isLoopback(address.host)) return;
  throw new DwcpError(
    'ERR_DWCP_PLAINTEXT_REFUSED',
    `Plaintext to or on ${address.host} needs \`allowPlaintext: true\`; better give an \`identity\``,
    { detail: { host: address.host } },
  );
}
