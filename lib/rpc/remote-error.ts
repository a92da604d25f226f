/**
 * Errors of handlers, on both sides of the wire. A handler tells its caller what went wrong with a
 * {@link HandlerError}; the caller meets it as ERR_DWCP_REMOTE and tells it from local errors with
 * {@link isRemoteError}. Any other error a handler throws crosses with its message and, if it has one, its
 * string `code`; never with its `detail`, which may hold what is nobody else's business.
 */
import { DwcpError, invalidArg, isDwcpError } from '../errors.ts';
import { errorBounds } from './wire.ts';

/**
 * Throw it in a handler to fail a call with a code of your own.
 * @example throw new HandlerError('OUT_OF_STOCK', 'only 2 left', { left: 2 });
 */
export class HandlerError extends Error {
  /** At most 64 bytes. */
  readonly code: string;
  /** Any JSON value, at most 16 KiB of it. */
  readonly detail: unknown;

  /** @throws ERR_DWCP_INVALID_ARG for a code above 64 bytes, or a detail that is no JSON or too large */
  constructor(code: string, message: string, detail?: unknown) {
    super(message);
    this.name = 'HandlerError';
    const fits = typeof code === 'string' && Buffer.byteLength(code) <= errorBounds.codeBytes;
    if (!fits) invalidArg('code', `a text of at most ${errorBounds.codeBytes} bytes`, code);
    this.code = code;
    this.detail = detail;
    if (detailText(detail) === undefined) {
      invalidArg('detail', `JSON of at most ${errorBounds.detailBytes} bytes`, detail);
    }
  }
}

/** The JSON of a detail, empty for none; undefined when it cannot be sent. */
function detailText(detail: unknown): string | undefined {
  if (detail === undefined) return '';
  try {
    const text = JSON.stringify(detail);
    const fits = text !== undefined && Buffer.byteLength(text) <= errorBounds.detailBytes;
    return fits ? text : undefined;
  } catch {
    return undefined;
  }
}

/** A handler's failure as it crosses the wire. */
export interface ErrorReply {
  readonly type: 'error';
  readonly code: string;
  readonly text: string;
  /** JSON text, or empty. */
  readonly detail: string;
}

/** A handler may throw anything, also what cannot be made a text: telling of it must not throw again. */
export function errorReply(error: unknown): ErrorReply {
  try {
    if (!(error instanceof Error)) {
      return { type: 'error', code: '', text: String(error), detail: '' };
    }
    const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
    const message: unknown = error.message;
    const detail = error instanceof HandlerError ? (detailText(error.detail) ?? '') : '';
    return { type: 'error', code, text: String(message), detail };
  } catch {
    const text = 'the handler threw something that has no text';
    return { type: 'error', code: '', text, detail: '' };
  }
}

/** What `detail` of an ERR_DWCP_REMOTE holds. */
export interface RemoteDetail<Code extends string = string> {
  /** The handler's own code; empty when its error had none. */
  readonly code: Code;
  readonly message: string;
  /** The detail of its {@link HandlerError}. */
  readonly detail: unknown;
  readonly nodeId: string;
  readonly service: string;
}

/** A handler's error as its caller meets it. */
export interface RemoteError<Code extends string = string> extends DwcpError {
  readonly code: 'ERR_DWCP_REMOTE';
  readonly detail: RemoteDetail<Code> & Readonly<Record<string, unknown>>;
}

/** The error of a reply. */
export function remoteError(
  { code, text, detail }: Omit<ErrorReply, 'type'>,
  service: string,
  nodeId: string,
): DwcpError {
  const theirs: unknown = detail === '' ? undefined : JSON.parse(detail);
  return new DwcpError('ERR_DWCP_REMOTE', text, {
    detail: { code, message: text, detail: theirs, nodeId, service },
  });
}

/**
 * True for an error a remote handler threw, of the given code if one is named; false for every error of
 * the fabric itself. Never throws.
 * @example
 * if (isRemoteError(error, 'OUT_OF_STOCK')) show(error.detail.detail);
 */
export function isRemoteError<Code extends string = string>(
  error: unknown,
  code?: Code,
): error is RemoteError<Code> {
  if (!isDwcpError(error, 'ERR_DWCP_REMOTE')) return false;
  return code === undefined || error.detail?.['code'] === code;
}
