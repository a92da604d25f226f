/**
 * The gossip message: canonical JSON `{"members":[...]}` sorted by node id. Every field is bounded before
 * use and unknown fields are ignored, so malformed gossip costs the sender its stream and nothing else.
 */
import { DwcpError } from '../errors.ts';
import { isName, readAddress } from '../links/hello.ts';
import type { Member } from './member.ts';

/** Bounds of a member table and of the message that carries one. */
export const membershipLimits: Readonly<{
  maxMembers: number;
  maxBytes: number;
  maxIncarnation: number;
  maxVersion: number;
}> = {
  maxMembers: 1024,
  maxBytes: 512 * 1024,
  maxIncarnation: 2 ** 52,
  maxVersion: 2 ** 31,
};

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Encodes claims; equal sets give equal bytes. */
export function encodeMembers(members: Iterable<Member>): Buffer {
  const sorted = [...members].toSorted((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  const rows = sorted.map(({ nodeId, incarnation, version, region, address, state }) => ({
    nodeId,
    incarnation,
    version,
    region,
    address: address === undefined ? null : { host: address.host, port: address.port },
    state,
  }));
  return Buffer.from(JSON.stringify({ members: rows }));
}

/**
 * Decodes claims; the payload is not kept.
 * @throws ERR_DWCP_PROTOCOL naming what is wrong, ERR_DWCP_LIMIT when there are too many.
 */
export function decodeMembers(payload: Uint8Array): Member[] {
  if (payload.length > membershipLimits.maxBytes) {
    throw new DwcpError('ERR_DWCP_LIMIT', `gossip of ${payload.length} bytes is above maxBytes`);
  }
  let value: unknown;
  try {
    value = JSON.parse(utf8.decode(payload));
  } catch (cause) {
    throw new DwcpError('ERR_DWCP_PROTOCOL', 'gossip is not UTF-8 JSON', { cause });
  }
  const rows = (value as { members?: unknown } | null)?.members;
  if (!Array.isArray(rows)) malformed('members must be an array');
  if (rows.length > membershipLimits.maxMembers) {
    throw new DwcpError('ERR_DWCP_LIMIT', `gossip of ${rows.length} members is above maxMembers`);
  }
  return rows.map(readMember);
}

function readMember(row: unknown): Member {
  if (typeof row !== 'object' || row === null) malformed('a member must be an object');
  const { nodeId, incarnation, version, region, address, state } = row as Record<string, unknown>;
  if (!isName(nodeId)) malformed('nodeId must be a name');
  if (!isName(region)) malformed(`region of ${nodeId} must be a name`);
  if (state !== 'alive' && state !== 'left') malformed(`state of ${nodeId} must be alive or left`);
  return {
    nodeId,
    incarnation: integer(incarnation, membershipLimits.maxIncarnation, nodeId),
    version: integer(version, membershipLimits.maxVersion, nodeId),
    region,
    address: addressOf(address, nodeId),
    state,
  };
}

function addressOf(value: unknown, nodeId: string): Member['address'] {
  try {
    return readAddress(value, 'address');
  } catch (cause) {
    throw new DwcpError('ERR_DWCP_PROTOCOL', `gossip: address of ${nodeId} is malformed`, {
      cause,
    });
  }
}

function integer(value: unknown, max: number, nodeId: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0 || (value as number) > max) {
    malformed(`a counter of ${nodeId} must be an integer from 0 to ${max}`);
  }
  return (value as number) + 0;
}

function malformed(what: string): never {
  throw new DwcpError('ERR_DWCP_PROTOCOL', `gossip: ${what}`);
}
