/** Which transport a node uses, and the sentence that says why. */
import { having } from '../check-options.ts';
import type { Check } from '../check-options.ts';
import { invalidArg } from '../errors.ts';
import type { DwcpError } from '../errors.ts';
import { ioStatus, ioTransport } from '../transport/index.ts';
import type { IoStatus, PipeTransport, SecureTransport } from '../transport/index.ts';
import { isSecureTransport } from '../transport/secure-transport.ts';
import type { ResolvedNodeOptions } from './options.ts';

/** A transport and why it was taken. */
export interface ChosenTransport {
  readonly own: PipeTransport;
  readonly reason: string;
  /** Steps of the I/O ladder that were tried and did not work. */
  readonly attempts: IoStatus['attempts'];
  /** The one with certificates, beneath whatever wraps it; undefined on plaintext. */
  readonly secure: SecureTransport | undefined;
}

/** Told of every inbound connection that was turned away below the handshake of links. */
export type OnRefused = (error: DwcpError, remoteAddress: string) => void;

/** What a transport must have. */
export const aTransport: Check = having('listen', 'connect');

/** Mutual TLS when an identity is given, plaintext on loopback otherwise; a user's own goes first. */
export function chooseTransport(
  options: ResolvedNodeOptions,
  onRefused: OnRefused,
): ChosenTransport {
  const chosen = choose(options, onRefused);
  if (options.revoked.length === 0) return chosen;
  if (!chosen.secure) invalidArg('options.revoked', 'given together with `identity`', 'plaintext');
  chosen.secure.setRevoked(options.revoked);
  return chosen;
}

function choose(options: ResolvedNodeOptions, onRefused: OnRefused): ChosenTransport {
  const { transport } = options;
  if (transport !== undefined && typeof transport !== 'function') {
    const secure = isSecureTransport(transport) ? transport : undefined;
    return { own: transport, reason: 'given by the user', attempts: [], secure };
  }
  const made = ownTransport(options, onRefused);
  const { own } = made;
  if (transport === undefined) return made;
  const wrapped = transport(own);
  if (!aTransport[1](wrapped)) invalidArg('options.transport()', aTransport[0], wrapped);
  return { ...made, own: wrapped };
}

function ownTransport(options: ResolvedNodeOptions, onRefused: OnRefused): ChosenTransport {
  const { clock, limits, allowPlaintext, identity } = options;
  if (identity !== undefined) {
    const own = ioTransport({ identity, clock, limits: limits.link, onRefused });
    const { secured, attempts } = ioStatus();
    const reason = `an identity was given: mutual TLS 1.3; ${secured.reason}`;
    return { own, reason, attempts, secure: own };
  }
  const plaintext = { clock, limits: limits.link, allowPlaintext, onRefused };
  const reason = allowPlaintext
    ? 'no identity was given and plaintext was allowed'
    : 'no identity was given: plaintext, on loopback only';
  const own = ioTransport(plaintext);
  const io = ioStatus();
  return { own, reason: `${reason}; ${io.reason}`, attempts: io.attempts, secure: undefined };
}
