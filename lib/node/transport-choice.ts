/** Which transport a node uses, and the sentence that says why. */
import { netTransport } from '../transport/index.ts';
import type { PipeTransport } from '../transport/index.ts';
import type { ResolvedNodeOptions } from './options.ts';

/** A transport and why it was taken. */
export interface ChosenTransport {
  readonly own: PipeTransport;
  readonly reason: string;
}

/** Mutual TLS when an identity is given, plaintext on loopback otherwise; a user's own goes first. */
export function chooseTransport(options: ResolvedNodeOptions): ChosenTransport {
  const { transport, clock, limits, allowPlaintext } = options;
  if (transport !== undefined && typeof transport !== 'function') {
    return { own: transport, reason: 'given by the user' };
  }
  const own = netTransport({ clock, limits: limits.link, allowPlaintext });
  const reason = allowPlaintext
    ? 'no identity was given and plaintext was allowed'
    : 'no identity was given: plaintext, on loopback only';
  return { own: transport?.(own) ?? own, reason };
}
