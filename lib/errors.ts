/**
 * The one closed list of error codes and the one error class.
 * Native code throws with the same codes; `test/unit/errors.test.ts` compares the two lists.
 */

/** Every code dwcp can throw, with what it means to the person who meets it. */
export const errorCodes = {
  ERR_DWCP_INVALID_ARG: 'An argument has the wrong type or range.',
  ERR_DWCP_CLOSED: 'The object was closed before or during the call.',
  ERR_DWCP_ABORTED: 'The AbortSignal of the call fired.',
  ERR_DWCP_DEADLINE: 'The deadline passed before the call finished.',
  ERR_DWCP_LIMIT: 'A stated limit was reached; the message names it.',
  ERR_DWCP_NATIVE_UNAVAILABLE: 'The addon was required but did not load.',
  ERR_DWCP_FRAME_MAGIC: 'The bytes are not a dwcp frame.',
  ERR_DWCP_FRAME_VERSION: 'The frame has a version this build does not read.',
  ERR_DWCP_FRAME_CODEC: 'The frame names a codec this build or tier does not have.',
  ERR_DWCP_FRAME_FLAGS: 'The frame has reserved flags set.',
  ERR_DWCP_FRAME_CORRUPT: 'The frame is truncated, or its fields contradict each other.',
  ERR_DWCP_FRAME_CHECKSUM: 'A checksum or digest does not match.',
  ERR_DWCP_FRAME_KIND: 'The link frame kind is unknown or out of order.',
  ERR_DWCP_BASE_MISSING: 'The frame needs a base that is not here.',
  ERR_DWCP_BASE_MISMATCH: 'The base given is not the one the frame was made against.',
  ERR_DWCP_DICTIONARY_INVALID: 'The bytes are no usable dictionary.',
  ERR_DWCP_DICTIONARY_MISMATCH: 'The dictionary the frame was made with was not given.',
  ERR_DWCP_DICTIONARY_SAMPLES: 'No useful dictionary can be trained on these samples.',
  ERR_DWCP_OUTPUT_LIMIT: 'The decoded size would pass maxOutputBytes or maxRatio.',
  ERR_DWCP_WINDOW_LIMIT: 'The frame needs a larger window than maxWindowLog allows.',
  ERR_DWCP_CODEC: 'The compression library refused the data.',
  ERR_DWCP_PROTOCOL: 'The peer broke the protocol; the link or stream was closed.',
  ERR_DWCP_HANDSHAKE:
    'The link could not be agreed: cluster, wire version, identity or policy differ.',
  ERR_DWCP_IDENTITY: 'The certificate does not name the node it should.',
  ERR_DWCP_PLAINTEXT_REFUSED: 'Plaintext off loopback needs `allowPlaintext: true`.',
  ERR_DWCP_UNAUTHORIZED:
    'The table of rights or the authorize hook refused this peer, verb or namespace.',
  ERR_DWCP_LINK_DOWN: 'The link closed while the operation was under way.',
  ERR_DWCP_STREAM_RESET: 'The peer reset the stream; `cause` tells its reason.',
  ERR_DWCP_CONNECT: 'The address could not be reached.',
  ERR_DWCP_NO_ENDPOINT: 'No live node serves this.',
  ERR_DWCP_REMOTE: 'The remote handler threw; message and code are the handler’s.',
  ERR_DWCP_STORAGE_UNAVAILABLE: 'The storage path cannot be honoured.',
  ERR_DWCP_STORAGE: 'The store failed to read or write.',
  ERR_DWCP_STORAGE_CORRUPT: 'Stored bytes do not verify, or the format version is unknown.',
  ERR_DWCP_POLICY: 'The policy or codec differs from the one the keyspace was created with.',
  ERR_DWCP_CLOCK_DRIFT: 'A remote timestamp is further ahead than maxDriftMs.',
  ERR_DWCP_VALUE_TOO_LARGE: 'The value is larger than maxValueBytes.',
  ERR_DWCP_NOT_BUILT: 'This part is designed but not built yet.',
} as const;

/** One of the codes in {@link errorCodes}. */
export type ErrorCode = keyof typeof errorCodes;

const brand = Symbol.for('dwcp.error');

/** Options of {@link DwcpError}. */
export interface DwcpErrorOptions {
  /** The lower error this one reports. */
  readonly cause?: unknown;
  /** Machine-readable particulars (limit name, received value, path). */
  readonly detail?: Readonly<Record<string, unknown>>;
}

/**
 * The error every dwcp call throws. Branded with `Symbol.for('dwcp.error')`, so `instanceof` works
 * across two copies of the package.
 * @example
 * try { await node.call('price', payload) }
 * catch (e) { if (isDwcpError(e, 'ERR_DWCP_NO_ENDPOINT')) retryLater() }
 */
export class DwcpError extends Error {
  readonly code: ErrorCode;
  readonly detail: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ErrorCode, message?: string, options: DwcpErrorOptions = {}) {
    super(message ?? errorCodes[code], options.cause === undefined ? {} : { cause: options.cause });
    this.name = 'DwcpError';
    this.code = code;
    this.detail = options.detail;
    Object.defineProperty(this, brand, { value: true });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && brand in value;
  }
}

/**
 * True when `value` is a {@link DwcpError}, of the given code if one is named. Never throws.
 * @example if (isDwcpError(error, 'ERR_DWCP_NO_ENDPOINT')) retryLater();
 */
export function isDwcpError(value: unknown, code?: ErrorCode): value is DwcpError {
  return value instanceof DwcpError && (code === undefined || value.code === code);
}

/** Throws `ERR_DWCP_INVALID_ARG` naming the argument, what was expected and what came. */
export function invalidArg(path: string, expected: string, received: unknown): never {
  const shown =
    typeof received === 'object' && received !== null
      ? (received.constructor?.name ?? 'object')
      : String(received);
  throw new DwcpError('ERR_DWCP_INVALID_ARG', `${path} must be ${expected}, received ${shown}`, {
    detail: { path, expected },
  });
}
