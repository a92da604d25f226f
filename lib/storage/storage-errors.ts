/** How the errors of LevelDB, SQLite and the file system become dwcp's, with the first as `cause`. */
import { DwcpError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';

const sqliteCorrupt = new Set([11, 26]);

interface LowerError {
  readonly code?: unknown;
  readonly errcode?: unknown;
  readonly message?: unknown;
}

function codeOf({ code, errcode }: LowerError): ErrorCode {
  if (code === 'LEVEL_CORRUPTION') return 'ERR_DWCP_STORAGE_CORRUPT';
  if (typeof errcode === 'number' && sqliteCorrupt.has(errcode & 0xff)) {
    return 'ERR_DWCP_STORAGE_CORRUPT';
  }
  if (code === 'LEVEL_DATABASE_NOT_OPEN' || code === 'LEVEL_ITERATOR_NOT_OPEN') {
    return 'ERR_DWCP_CLOSED';
  }
  return 'ERR_DWCP_STORAGE';
}

/** The error to throw when `what` failed with `cause`. */
export function storageError(what: string, cause: unknown): DwcpError {
  if (cause instanceof DwcpError) return cause;
  const lower: LowerError = typeof cause === 'object' && cause !== null ? cause : {};
  return new DwcpError(codeOf(lower), `${what}: ${String(lower.message ?? cause)}`, { cause });
}

/** The error of a call on a closed store. */
export function closedError(): DwcpError {
  return new DwcpError('ERR_DWCP_CLOSED', 'the store is closed');
}

/** The error of a path that cannot be honoured; `cause` may be an AggregateError-like list. */
export function unavailable(path: string, why: string, cause?: unknown): DwcpError {
  return new DwcpError('ERR_DWCP_STORAGE_UNAVAILABLE', `cannot keep state in ${path}: ${why}`, {
    cause,
    detail: { path },
  });
}
