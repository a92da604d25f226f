/** What the ways an attempt can fail mean for its call: which error, and whether to try elsewhere. */
import { DwcpError, type ErrorCode } from '../errors.ts';
import { Refusal } from './wire.ts';

/** Refusals that say nothing about load: moving on is free of the retry budget. */
export const unbudgeted: ReadonlySet<Refusal> = new Set([Refusal.noService, Refusal.draining]);
/** Errors after which a call waits for an endpoint, since links may be coming back. */
export const mayComeBack: ReadonlySet<ErrorCode> = new Set([
  'ERR_DWCP_LINK_DOWN',
  'ERR_DWCP_NO_ENDPOINT',
]);
/** Refusals that every other node would repeat. */
export const hopeless: ReadonlySet<Refusal> = new Set([Refusal.tooLarge, Refusal.codec]);

/** The error of an attempt that could not begin. */
export function asError(error: unknown): DwcpError {
  if (error instanceof DwcpError) return error;
  return new DwcpError('ERR_DWCP_LINK_DOWN', undefined, { cause: error });
}

/** The error of a call that was refused everywhere, last by `nodeId`. */
export function refusalError(reason: Refusal, service: string, nodeId: string): DwcpError {
  const detail = { service, nodeId };
  switch (reason) {
    case Refusal.overLimit:
      return new DwcpError('ERR_DWCP_LIMIT', `${nodeId} is at maxHandlersInFlight`, { detail });
    case Refusal.unauthorized:
      return new DwcpError('ERR_DWCP_UNAUTHORIZED', `${nodeId} refused a call of ${service}`, {
        detail,
      });
    case Refusal.tooLarge:
      return new DwcpError('ERR_DWCP_LIMIT', `${nodeId} takes no payload that large`, { detail });
    case Refusal.codec:
      return new DwcpError('ERR_DWCP_INVALID_ARG', `${service} reads another payload codec`, {
        detail,
      });
    default:
      return new DwcpError('ERR_DWCP_NO_ENDPOINT', `${nodeId} does not serve ${service} now`, {
        detail,
      });
  }
}

/** The handler's own error, as the caller sees it. */
export function remoteError(
  { code, text }: { readonly code: string; readonly text: string },
  service: string,
  nodeId: string,
): DwcpError {
  return new DwcpError('ERR_DWCP_REMOTE', text, {
    detail: { code, message: text, nodeId, service },
  });
}
