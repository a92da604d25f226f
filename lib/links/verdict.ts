/**
 * What each side says after it has checked the other's Hello. Sent in a second frame of kind hello, as a
 * JSON object told apart from a Hello by its `verdict` field.
 */
import { DwcpError, errorCodes } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';

/** The answer to a Hello. */
export type Verdict =
  /** The link is good. It is up when both sides said so. */
  | { readonly verdict: 'accepted' }
  /** There is a link between the two nodes already; keep that one. */
  | { readonly verdict: 'duplicate' }
  /** The node dialled itself. */
  | { readonly verdict: 'self' }
  /** No link, and why. */
  | { readonly verdict: 'refused'; readonly code: ErrorCode; readonly reason: string };

const maxReasonChars = 512;

export function encodeVerdict(verdict: Verdict): Buffer {
  return Buffer.from(
    JSON.stringify(
      verdict.verdict === 'refused'
        ? { ...verdict, reason: verdict.reason.slice(0, maxReasonChars) }
        : verdict,
    ),
  );
}

/** Reads a parsed verdict. Throws ERR_DWCP_HANDSHAKE. */
export function readVerdict(raw: Record<string, unknown>): Verdict {
  const { verdict, code, reason } = raw;
  if (verdict === 'accepted' || verdict === 'duplicate' || verdict === 'self') return { verdict };
  if (verdict !== 'refused') {
    throw new DwcpError('ERR_DWCP_HANDSHAKE', 'the peer gave an unknown verdict');
  }
  return {
    verdict,
    // A newer peer may know more codes.
    code:
      typeof code === 'string' && Object.hasOwn(errorCodes, code)
        ? (code as ErrorCode)
        : 'ERR_DWCP_HANDSHAKE',
    reason: typeof reason === 'string' ? reason.slice(0, maxReasonChars) : 'no reason given',
  };
}
