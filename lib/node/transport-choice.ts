/** Which transport a node uses, and the sentence that says why. */
import { having } from '../check-options.ts';
import type { Check } from '../check-options.ts';
import { invalidArg } from '../errors.ts';
import type { DwcpError } from '../errors.ts';
import { ioStatus, ioTransport, netTransport } from '../transport/index.ts';
import type { PipeTransport } from '../transport/index.ts';
import type { ResolvedNodeOptions } from './options.ts';

/** A transport and why it was taken. */
export interface ChosenTransport {
  readonly own: PipeTransport;
  readonly reason: string;
}

/** What a transport must have. */
export const aTransport: Check = having('listen', 'connect');

/** Mutual TLS when an identity is given, plaintext on loopback otherwise; a user's own goes first. */
export function chooseTransport(options: ResolvedNodeOptions): ChosenTransport {
  const { transport } = options;
  if (transport !== undefined && typeof transport !== 'function') {
    return { own: transport, reason: 'given by the user' };
  }
  const { own, reason } = ownTransport(options);
  if (transport === undefined) return { own, reason };
  const wrapped = transport(own);
  if (!aTransport[1](wrapped)) invalidArg('options.transport()', aTransport[0], wrapped);
  return { own: wrapped, reason };
}

function ownTransport(options: ResolvedNodeOptions): ChosenTransport {
  const { clock, limits, allowPlaintext, identity, logger } = options;
  if (identity !== undefined) {
    const onRefused = (error: DwcpError, remoteAddress: string): void =>
      logger.warn({ err: error, remoteAddress }, 'inbound connection refused');
    const own = ioTransport({ identity, clock, limits: limits.link, onRefused });
    return { own, reason: `an identity was given: mutual TLS 1.3; ${ioStatus().secured.reason}` };
  }
  const plaintext = { clock, limits: limits.link, allowPlaintext };
  const reason = allowPlaintext
    ? 'no identity was given and plaintext was allowed'
    : 'no identity was given: plaintext, on loopback only';
  // The engine is asked for by name until it has carried the whole house for longer.
  if ((process.env['DWCP_IO'] ?? '') === '') return { own: netTransport(plaintext), reason };
  return { own: ioTransport(plaintext), reason: `${reason}; ${ioStatus().reason}` };
}
