/** Errors of connections of the engine: errnos as Node words them, and broken frames as the parser does. */
import { getSystemErrorName } from 'node:util';
import { DwcpError, type ErrorCode, errorCodes } from '../../errors.ts';
import { checkKindAndFlags, prefaceSizeBytes, tooLong } from '../envelope.ts';
import { Field } from './layout.ts';

const codes = Object.keys(errorCodes) as ErrorCode[];
const enobufs = 105;

/** A failed call of the kernel, as Node words it. */
export function systemError(errno: number, call: string, address = ''): Error {
  const code = getSystemErrorName(-errno);
  const message = address === '' ? `${call} ${code}` : `${call} ${code} ${address}`;
  return Object.assign(new Error(message), { code, errno: -errno, syscall: call });
}

/** What ended a connection. */
export function socketError(errno: number): DwcpError {
  if (errno === enobufs) return outOfMemory();
  const cause = systemError(errno, 'read');
  return new DwcpError('ERR_DWCP_LINK_DOWN', 'The socket failed', { cause });
}

/** The engine has no memory for more bytes on their way out. */
export function outOfMemory(): DwcpError {
  const message = 'The memory budget of the I/O engine is used up';
  return new DwcpError('ERR_DWCP_LIMIT', message, { detail: { limit: 'memoryBytes' } });
}

/** A use of something closed. */
export function closedError(): DwcpError {
  return new DwcpError('ERR_DWCP_CLOSED', 'The pipe is closed');
}

/** A peer that closed before it spoke. */
export function closedEarly(): DwcpError {
  return new DwcpError('ERR_DWCP_LINK_DOWN', 'The peer closed the link before its preface');
}

/** A peer that says nothing. */
export function prefaceLate(timeoutMs: number): DwcpError {
  const message = `No ${prefaceSizeBytes}-byte preface within ${timeoutMs} ms`;
  return new DwcpError('ERR_DWCP_DEADLINE', message);
}

/** A peer that does not finish its TLS handshake. */
export function handshakeLate(timeoutMs: number): DwcpError {
  return new DwcpError('ERR_DWCP_DEADLINE', `No TLS handshake within ${timeoutMs} ms`);
}

/** The error the parser in TypeScript would have thrown for a row of broken framing at `at`. */
export function brokenError(
  rows: Uint32Array,
  at: number,
  envelope: { readonly maxPayloadBytes: number; readonly checksum: boolean },
): DwcpError {
  const code = codes[rows[at + Field.stream]! - 1]!;
  switch (code) {
    case 'ERR_DWCP_LIMIT':
      return tooLong(rows[at + Field.length]!, envelope);
    case 'ERR_DWCP_FRAME_MAGIC':
      return new DwcpError(code, 'The peer does not speak the dwcp link protocol');
    case 'ERR_DWCP_FRAME_CORRUPT':
      return new DwcpError(code, 'The peer closed the link inside a frame');
    case 'ERR_DWCP_FRAME_CHECKSUM':
      return new DwcpError(code, 'The frame does not match its CRC-32C');
    default:
      try {
        checkKindAndFlags((rows[at + Field.what]! >>> 8) & 0xff, rows[at + Field.flags]!);
      } catch (error) {
        return error as DwcpError;
      }
      return new DwcpError(code);
  }
}
