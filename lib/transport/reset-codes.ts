/** Error codes across the wire: a reset frame is a u16 reason and at most 1 KiB of UTF-8 text. */
import { DwcpError, type ErrorCode } from '../errors.ts';

const maxTextBytes = 1024;

/** The number of each code on the wire. Numbers never change meaning; a new code takes the next. */
const numbers: Readonly<Record<ErrorCode, number>> = {
  ERR_DWCP_STREAM_RESET: 0,
  ERR_DWCP_INVALID_ARG: 1,
  ERR_DWCP_CLOSED: 2,
  ERR_DWCP_ABORTED: 3,
  ERR_DWCP_DEADLINE: 4,
  ERR_DWCP_LIMIT: 5,
  ERR_DWCP_NATIVE_UNAVAILABLE: 6,
  ERR_DWCP_FRAME_MAGIC: 7,
  ERR_DWCP_FRAME_VERSION: 8,
  ERR_DWCP_FRAME_CODEC: 9,
  ERR_DWCP_FRAME_FLAGS: 10,
  ERR_DWCP_FRAME_CORRUPT: 11,
  ERR_DWCP_FRAME_CHECKSUM: 12,
  ERR_DWCP_FRAME_KIND: 13,
  ERR_DWCP_BASE_MISSING: 14,
  ERR_DWCP_BASE_MISMATCH: 15,
  ERR_DWCP_OUTPUT_LIMIT: 16,
  ERR_DWCP_WINDOW_LIMIT: 17,
  ERR_DWCP_CODEC: 18,
  ERR_DWCP_PROTOCOL: 19,
  ERR_DWCP_HANDSHAKE: 20,
  ERR_DWCP_IDENTITY: 21,
  ERR_DWCP_PLAINTEXT_REFUSED: 22,
  ERR_DWCP_UNAUTHORIZED: 23,
  ERR_DWCP_LINK_DOWN: 24,
  ERR_DWCP_CONNECT: 25,
  ERR_DWCP_NO_ENDPOINT: 26,
  ERR_DWCP_REMOTE: 27,
  ERR_DWCP_STORAGE_UNAVAILABLE: 28,
  ERR_DWCP_STORAGE: 29,
  ERR_DWCP_STORAGE_CORRUPT: 30,
  ERR_DWCP_POLICY: 31,
  ERR_DWCP_CLOCK_DRIFT: 32,
  ERR_DWCP_VALUE_TOO_LARGE: 33,
  ERR_DWCP_NOT_BUILT: 34,
  ERR_DWCP_DICTIONARY_INVALID: 35,
  ERR_DWCP_DICTIONARY_MISMATCH: 36,
  ERR_DWCP_DICTIONARY_SAMPLES: 37,
};

const codes = new Map(Object.entries(numbers).map(([code, number]) => [number, code as ErrorCode]));

/** The payload of a reset frame. */
export function encodeReset(code: ErrorCode, text: string): Buffer {
  const textBytes = Buffer.from(text, 'utf8').subarray(0, maxTextBytes);
  const payload = Buffer.allocUnsafe(2 + textBytes.length);
  payload.writeUInt16LE(numbers[code], 0);
  textBytes.copy(payload, 2);
  return payload;
}

/** The peer's reason; a number this build does not know becomes ERR_DWCP_STREAM_RESET. */
export function decodeReset(payload: Uint8Array): DwcpError {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
  const code = codes.get(bytes.readUInt16LE(0)) ?? 'ERR_DWCP_STREAM_RESET';
  const text = bytes.subarray(2, 2 + maxTextBytes).toString('utf8');
  return new DwcpError(code, text === '' ? undefined : text);
}
