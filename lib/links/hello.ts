/**
 * The Hello payload: canonical JSON, one frame, strictly validated. Unknown fields are ignored so that
 * a newer peer can say more; every known field is bounded before it is used.
 */
import { isIdentityName } from '../crypto/peer-identity.ts';
import { DwcpError } from '../errors.ts';
import type { Hello } from './link.ts';

/** Bounds of a Hello. One frame carries it whole. */
export const helloLimits: Readonly<{
  maxBytes: number;
  maxCodecs: number;
  maxDigests: number;
  maxPolicies: number;
  maxPolicyNameChars: number;
  maxPolicyHashChars: number;
  maxIncarnation: number;
  maxSockets: number;
}> = {
  maxBytes: 60 * 1024,
  maxCodecs: 64,
  maxDigests: 16,
  maxPolicies: 1024,
  maxPolicyNameChars: 256,
  maxPolicyHashChars: 128,
  maxIncarnation: 2 ** 52,
  maxSockets: 255,
};

const hostPattern = /^[A-Za-z0-9._:%-]{1,253}$/;
const tokenPattern = /^[0-9a-f]{32}$/;
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** True for a cluster, region or node name: fits a SAN URI `dwcp://cluster/region/node`. */
export function isName(value: unknown): value is string {
  return typeof value === 'string' && isIdentityName(value);
}

/**
 * Encodes a Hello.
 * @throws ERR_DWCP_HANDSHAKE when a field is out of bounds, ERR_DWCP_LIMIT when it would not fit a frame.
 */
export function encodeHello(hello: Hello): Buffer {
  const { advertise, policies, ...rest } = readHello(hello as unknown as Record<string, unknown>);
  const names = Object.keys(policies).toSorted();
  const payload = Buffer.from(
    JSON.stringify({
      ...rest,
      advertise: advertise ?? null,
      policies: Object.fromEntries(names.map((keyspace) => [keyspace, policies[keyspace]])),
    }),
  );
  if (payload.length > helloLimits.maxBytes) {
    throw new DwcpError('ERR_DWCP_LIMIT', `Hello takes ${payload.length} bytes, above maxBytes`, {
      detail: { limit: 'hello.maxBytes', sizeBytes: payload.length },
    });
  }
  return payload;
}

/**
 * Decodes a Hello; the payload is not kept.
 * @throws ERR_DWCP_HANDSHAKE naming the field that is wrong.
 */
export function decodeHello(payload: Uint8Array): Hello {
  return readHello(parseObject(payload));
}

/** Parses a bounded UTF-8 JSON object. Throws ERR_DWCP_HANDSHAKE. */
export function parseObject(payload: Uint8Array): Record<string, unknown> {
  if (payload.length > helloLimits.maxBytes)
    refuse('size', `at most ${helloLimits.maxBytes} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(utf8.decode(payload));
  } catch (cause) {
    throw new DwcpError('ERR_DWCP_HANDSHAKE', 'Hello is not UTF-8 JSON', { cause });
  }
  if (!isRecord(value)) refuse('payload', 'an object');
  return value;
}

/** Reads a parsed Hello. Throws ERR_DWCP_HANDSHAKE. */
export function readHello(raw: Record<string, unknown>): Hello {
  const wireMin = integer(raw, 'wireMin', 0xffff);
  const wireMax = integer(raw, 'wireMax', 0xffff);
  if (wireMin > wireMax) refuse('wireMin', 'at most wireMax');
  return {
    wireMin,
    wireMax,
    cluster: name(raw, 'cluster'),
    nodeId: name(raw, 'nodeId'),
    incarnation: integer(raw, 'incarnation', helloLimits.maxIncarnation),
    region: name(raw, 'region'),
    advertise: readAddress(raw['advertise'], 'advertise'),
    codecs: integers(raw, 'codecs', helloLimits.maxCodecs),
    digests: integers(raw, 'digests', helloLimits.maxDigests),
    maxMessageBytes: integer(raw, 'maxMessageBytes', 2 ** 40),
    ...readSockets(raw['sockets']),
    policies: readPolicies(raw['policies']),
  };
}

/** Reads `{host, port}` or nothing. Throws ERR_DWCP_HANDSHAKE. */
export function readAddress(value: unknown, field: string): Hello['advertise'] {
  if (value === undefined || value === null) return undefined;
  if (!isRecord(value)) refuse(field, 'an address');
  if (typeof value['host'] !== 'string' || !hostPattern.test(value['host'])) {
    refuse(`${field}.host`, 'a host name or IP address');
  }
  const port = integer(value, 'port', 0xffff);
  if (port === 0) refuse(`${field}.port`, '1 to 65535');
  return { host: value['host'], port };
}

function readSockets(value: unknown): Pick<Hello, 'sockets'> {
  if (value === undefined || value === null) return {};
  if (!isRecord(value)) refuse('sockets', 'an object');
  const max = integer(value, 'max', helloLimits.maxSockets);
  const reorderBytes = integer(value, 'reorderBytes', 2 ** 40);
  return { sockets: { max, reorderBytes, token: readToken(value['token'], 'sockets.token') } };
}

/** Reads the token of a link. Throws ERR_DWCP_HANDSHAKE. */
export function readToken(value: unknown, field: string): string {
  if (typeof value !== 'string' || !tokenPattern.test(value)) refuse(field, '32 hex digits');
  return value;
}

function readPolicies(value: unknown): Record<string, string> {
  if (!isRecord(value)) refuse('policies', 'an object');
  const entries = Object.entries(value);
  if (entries.length > helloLimits.maxPolicies) {
    refuse('policies', `at most ${helloLimits.maxPolicies} entries`);
  }
  for (const [keyspace, hash] of entries) {
    if (keyspace.length === 0 || keyspace.length > helloLimits.maxPolicyNameChars) {
      refuse('policies', `names of 1 to ${helloLimits.maxPolicyNameChars} characters`);
    }
    if (typeof hash !== 'string' || hash.length > helloLimits.maxPolicyHashChars) {
      refuse('policies', `hashes of at most ${helloLimits.maxPolicyHashChars} characters`);
    }
  }
  return Object.fromEntries(entries) as Record<string, string>;
}

function name(raw: Record<string, unknown>, field: string): string {
  const value = raw[field];
  if (!isName(value)) refuse(field, '1 to 63 of A-Z a-z 0-9 . _ -');
  return value;
}

function integer(raw: Record<string, unknown>, field: string, max: number): number {
  const value = raw[field];
  if (!Number.isSafeInteger(value) || (value as number) < 0 || (value as number) > max) {
    refuse(field, `an integer from 0 to ${max}`);
  }
  // -0 would encode as 0 and compare unequal after a round trip.
  return (value as number) + 0;
}

function integers(
  raw: Record<string, unknown>,
  field: string,
  maxItems: number,
): readonly number[] {
  const value = raw[field];
  if (!Array.isArray(value) || value.length > maxItems)
    refuse(field, `at most ${maxItems} integers`);
  return value.map((item: unknown) => integer({ [field]: item }, field, 0xffff));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refuse(field: string, expected: string): never {
  throw new DwcpError('ERR_DWCP_HANDSHAKE', `Hello: ${field} must be ${expected}`, {
    detail: { field, expected },
  });
}
