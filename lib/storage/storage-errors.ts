/**
 * How the errors of LevelDB, SQLite and the file system become dwcp's, with the first as `cause`.
 */
import { DwcpError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';

const sqliteCorrupt = new Set([11, 26]);

interface LowerError {
  readonly code?: unknown;
  readonly errcode?: unknown;
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

/** True for an error of the file system with this code. */
export function hasCode(error: unknown, code: string): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === code;
}

/** What an error says, whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The error to throw when `what` failed with `cause`. */
export function storageError(what: string, cause: unknown): DwcpError {
  if (cause instanceof DwcpError) return cause;
  const lower: LowerError = typeof cause === 'object' && cause !== null ? cause : {};
  return new DwcpError(codeOf(lower), `${what}: ${messageOf(cause)}`, { cause });
}

/** The error of a call on a closed store. */
export function closedError(): DwcpError {
  return new DwcpError('ERR_DWCP_CLOSED', 'the store is closed');
}

/** The error of a path that cannot be honoured. */
export function unavailable(path: string, why: string, cause?: unknown): DwcpError {
  return new DwcpError('ERR_DWCP_STORAGE_UNAVAILABLE', `cannot keep state in ${path}: ${why}`, {
    cause,
    detail: { path },
  });
}
