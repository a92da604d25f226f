/** The addon's plain errors with a code as `DwcpError`s. */
import { DwcpError, type ErrorCode, errorCodes } from '../errors.ts';

const isErrorCode = (code: unknown): code is ErrorCode =>
  typeof code === 'string' && Object.hasOwn(errorCodes, code);

/** `error` as ours, if it has one of our codes; a record of a batch that is at fault is named. */
export function asDwcpError(error: unknown): unknown {
  if (!(error instanceof Error && 'code' in error && isErrorCode(error.code))) return error;
  if (!('record' in error)) return new DwcpError(error.code, error.message);
  return recordError(error.code, error.message, error.record as number);
}

/** The error of one record of a batch. */
export function recordError(code: ErrorCode, message: string, record: number): DwcpError {
  return new DwcpError(code, `record ${record}: ${message}`, { detail: { record } });
}
