/** What a request is to do: the checked form of the arguments of calls and streams. */
import { aBoolean, aDuration, anything, aSignal, checkOptions, strings } from '../check-options.ts';
import type { Check } from '../check-options.ts';
import { DwcpError, invalidArg } from '../errors.ts';
import type { CallLimits } from '../limits.ts';
import { checkServiceName } from './handlers.ts';
import { encodeMetadata } from './metadata.ts';
import type { ResolvedCodec } from './payload.ts';
import type { CallOptions, RequestOptions, StreamOptions } from './types.ts';
import { headerBounds, type HeaderFields } from './wire-request.ts';

/** A request, checked; the payload is borrowed from the caller. */
export interface CallSpec {
  readonly service: string;
  readonly payload: Uint8Array;
  readonly codec: ResolvedCodec;
  readonly key: string | undefined;
  /** Infinity for a stream without one. */
  readonly deadlineMs: number;
  readonly idempotent: boolean;
  readonly oneWay: boolean;
  readonly signal: AbortSignal | undefined;
  readonly exclude: readonly string[];
  /** In wire form. */
  readonly metadata: Buffer | undefined;
}

const requestChecks: Readonly<Record<keyof RequestOptions, Check>> = {
  key: anything,
  deadlineMs: aDuration,
  idempotent: aBoolean,
  metadata: anything,
  signal: aSignal,
  exclude: strings,
  local: aBoolean,
};
const callChecks: Readonly<Record<keyof CallOptions, Check>> = {
  ...requestChecks,
  codec: anything,
  oneWay: aBoolean,
};
const streamChecks: Readonly<Record<keyof StreamOptions, Check>> = {
  ...requestChecks,
  idleTimeoutMs: aDuration,
};

/** Checks the options of a call, `codec` apart. @throws ERR_DWCP_INVALID_ARG */
export function checkCall(service: string, options: CallOptions): void {
  checkServiceName(service);
  checkOptions('options', options, callChecks);
}

/** Checks the options of a stream. @throws ERR_DWCP_INVALID_ARG */
export function checkStream(service: string, options: StreamOptions): void {
  checkServiceName(service);
  checkOptions('options', options, streamChecks);
}

/** What a request is made of besides its options. */
export interface CallInput {
  readonly service: string;
  readonly codec: ResolvedCodec;
  /** The value of the payload; undefined when items are sent instead. */
  readonly input: unknown;
  readonly limits: CallLimits;
  readonly selfId: string;
  readonly defaultDeadlineMs: number;
}

const nobody: readonly string[] = [];

/** The request that checked options describe. @throws ERR_DWCP_INVALID_ARG, ERR_DWCP_LIMIT */
export function callSpec(what: CallInput, options: CallOptions): CallSpec {
  const { service, codec, input, limits, selfId } = what;
  const payload = codec.encode(input);
  const { maxPayloadBytes } = limits;
  if (payload.length > maxPayloadBytes) {
    const text = `payload of ${payload.length} bytes passes maxPayloadBytes ${maxPayloadBytes}`;
    throw new DwcpError('ERR_DWCP_LIMIT', text, { detail: { limit: 'maxPayloadBytes' } });
  }
  const deadlineMs = options.deadlineMs ?? what.defaultDeadlineMs;
  const finite = deadlineMs !== Number.POSITIVE_INFINITY;
  if (finite && !(deadlineMs > 0 && deadlineMs <= headerBounds.deadlineMs)) {
    invalidArg('options.deadlineMs', `above 0 and at most ${headerBounds.deadlineMs}`, deadlineMs);
  }
  let exclude: readonly string[] = options.exclude ?? nobody;
  if (options.local === false) exclude = [...exclude, selfId];
  return {
    service,
    payload,
    codec,
    key: checkKey(options.key),
    deadlineMs,
    idempotent: options.idempotent === true,
    oneWay: options.oneWay === true,
    signal: options.signal,
    exclude,
    metadata: encodeMetadata('options.metadata', options.metadata),
  };
}

/** The header of a request that has until `deadlineAtMs`. */
export function headerOf(spec: CallSpec, deadlineAtMs: number, nowMs: number): HeaderFields {
  const { service, codec, idempotent, oneWay, key, metadata } = spec;
  const finite = deadlineAtMs !== Number.POSITIVE_INFINITY;
  return {
    service,
    codec: codec.id,
    codecName: codec.name,
    idempotent,
    oneWay,
    key,
    metadata,
    deadlineMs: finite ? Math.max(1, Math.ceil(deadlineAtMs - nowMs)) : 0,
  };
}

function checkKey(key: unknown): string | undefined {
  if (key === undefined) return undefined;
  if (typeof key !== 'string') return invalidArg('options.key', 'a string', key);
  const bytes = Buffer.from(key);
  if (bytes.length > headerBounds.keyBytes || bytes.toString() !== key) {
    return invalidArg('options.key', `at most ${headerBounds.keyBytes} bytes of text`, key);
  }
  return key;
}
