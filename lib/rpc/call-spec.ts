/** What a call is to do: the checked form of `call`'s arguments. */
import { aBoolean, aDuration, anything, aSignal, checkOptions, strings } from '../check-options.ts';
import type { Check } from '../check-options.ts';
import { DwcpError, invalidArg } from '../errors.ts';
import type { CallLimits } from '../limits.ts';
import { codecId, encodePayload } from './payload.ts';
import { checkServiceName } from './server.ts';
import type { CallOptions } from './types.ts';
import { wireBounds, type PayloadCodec } from './wire.ts';

/** A call, checked; the payload is borrowed from the caller. */
export interface CallSpec {
  readonly service: string;
  readonly payload: Uint8Array;
  readonly codec: PayloadCodec;
  readonly key: string | undefined;
  readonly deadlineMs: number;
  readonly idempotent: boolean;
  readonly oneWay: boolean;
  readonly signal: AbortSignal | undefined;
  readonly exclude: readonly string[];
}

const optionChecks: Readonly<Record<keyof CallOptions, Check>> = {
  codec: anything,
  key: anything,
  deadlineMs: aDuration,
  idempotent: aBoolean,
  oneWay: aBoolean,
  signal: aSignal,
  exclude: strings,
  local: aBoolean,
};

/** Checks the arguments of a call. @throws ERR_DWCP_INVALID_ARG, ERR_DWCP_LIMIT */
export function callSpec(
  service: string,
  payload: unknown,
  options: CallOptions,
  limits: CallLimits,
  selfId: string,
): CallSpec {
  checkServiceName(service);
  checkOptions('options', options, optionChecks);
  const codec = codecId(options.codec);
  const bytes = encodePayload(codec, payload);
  const { maxPayloadBytes, defaultDeadlineMs } = limits;
  if (bytes.length > maxPayloadBytes) {
    const text = `payload of ${bytes.length} bytes passes maxPayloadBytes ${maxPayloadBytes}`;
    throw new DwcpError('ERR_DWCP_LIMIT', text, { detail: { limit: 'maxPayloadBytes' } });
  }
  const deadlineMs = options.deadlineMs ?? defaultDeadlineMs;
  if (!(deadlineMs > 0 && deadlineMs <= wireBounds.deadlineMs)) {
    invalidArg('options.deadlineMs', `above 0 and at most ${wireBounds.deadlineMs}`, deadlineMs);
  }
  const exclude = [...(options.exclude ?? [])];
  if (options.local === false) exclude.push(selfId);
  return {
    service,
    payload: bytes,
    codec,
    key: checkKey(options.key),
    deadlineMs,
    idempotent: options.idempotent === true,
    oneWay: options.oneWay === true,
    signal: options.signal,
    exclude,
  };
}

function checkKey(key: unknown): string | undefined {
  if (key === undefined) return undefined;
  if (typeof key !== 'string') return invalidArg('options.key', 'a string', key);
  const bytes = Buffer.from(key);
  if (bytes.length > wireBounds.keyBytes || bytes.toString() !== key) {
    return invalidArg('options.key', `at most ${wireBounds.keyBytes} bytes of text`, key);
  }
  return key;
}
