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
export const hopeless: ReadonlySet<Refusal> = new Set([
  Refusal.tooLarge,
  Refusal.codec,
  Refusal.kind,
]);

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
      return new DwcpError('ERR_DWCP_LIMIT', `${nodeId} is at a limit of requests under way`, {
        detail,
      });
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
    case Refusal.kind:
      return new DwcpError('ERR_DWCP_INVALID_ARG', `${service} is a method of another kind`, {
        detail,
      });
    default:
      return new DwcpError('ERR_DWCP_NO_ENDPOINT', `${nodeId} does not serve ${service} now`, {
        detail,
      });
  }
}

/** The peer runs an older release that does not read this request: nothing was sent, nothing is wrong with it. */
export function tooOld(error: DwcpError): boolean {
  return error.code === 'ERR_DWCP_FRAME_VERSION';
}

/** The error of a request that `nodeId` would not understand. */
export function tooOldError(service: string, nodeId: string): DwcpError {
  const text = `${nodeId} runs a release without streams, metadata and custom codecs`;
  return new DwcpError('ERR_DWCP_FRAME_VERSION', text, { detail: { service, nodeId } });
}
