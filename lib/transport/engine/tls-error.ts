/** What went wrong with TLS in the engine, as errors; the numbers are `TlsFault` of native/core/io/tls_session.h. */
import { DwcpError, type ErrorCode } from '../../errors.ts';

/** Kinds of fault, in the order of their numbers. */
const tlsFaults = [
  'none',
  'certificate',
  'alert',
  'protocol',
  'cut',
  'early data',
  'memory',
] as const;

/** OpenSSL's number for a peer that proved nothing. */
const noCertificate = 199;

/** The error of a handshake that failed; `words` are OpenSSL's. */
export function handshakeFault(number: number, detail: number, words: string): DwcpError {
  const fault = tlsFaults[number] ?? 'protocol';
  const isCertificate =
    fault === 'certificate' || (fault === 'protocol' && detail === noCertificate);
  const code: ErrorCode = isCertificate
    ? 'ERR_DWCP_IDENTITY'
    : fault === 'memory'
      ? 'ERR_DWCP_LIMIT'
      : 'ERR_DWCP_CONNECT';
  return new DwcpError(code, `TLS handshake failed: ${words}`, {
    detail: { fault, number: detail },
  });
}

/** The error of a pipe whose records are not the peer's, or who says that it gives up. */
export function recordFault(number: number, detail: number, words: string): DwcpError {
  const fault = tlsFaults[number] ?? 'protocol';
  const code: ErrorCode = fault === 'memory' ? 'ERR_DWCP_LIMIT' : 'ERR_DWCP_LINK_DOWN';
  return new DwcpError(code, `TLS failed: ${words}`, { detail: { fault, number: detail } });
}

/** A peer that closed before both sides had agreed; over TLS that is how it refuses. */
export function closedInHandshake(cause?: DwcpError): DwcpError {
  const message = 'TLS handshake failed: the peer closed it, perhaps refusing our certificate';
  return new DwcpError('ERR_DWCP_CONNECT', message, { cause: cause?.cause ?? cause });
}
