/** Checks of what callers hand to a store; all throw ERR_DWCP_INVALID_ARG. */
import { invalidArg } from '../errors.ts';
import type { StorageOp, StorageRange } from './storage.ts';

/** A key: bytes, at least one. */
export function checkKey(key: unknown, path = 'key'): asserts key is Uint8Array {
  checkBytes(key, path);
  if (key.length === 0) invalidArg(path, 'at least one byte', 'none');
}

/** Any bytes. */
export function checkBytes(bytes: unknown, path: string): asserts bytes is Uint8Array {
  if (!(bytes instanceof Uint8Array)) invalidArg(path, 'a Uint8Array', bytes);
}

/** The operations of a batch; returns their size in bytes. */
export function checkOps(ops: readonly StorageOp[]): number {
  if (!Array.isArray(ops)) invalidArg('ops', 'an array', ops);
  let sizeBytes = 0;
  for (const op of ops) {
    checkKey(op.key, 'ops[].key');
    sizeBytes += op.key.length;
    if (op.type === 'put') {
      checkBytes(op.value, 'ops[].value');
      sizeBytes += op.value.length;
    } else if (op.type !== 'delete') {
      invalidArg('ops[].type', 'put or delete', Object(op).type);
    }
  }
  return sizeBytes;
}

/** The bounds and the limit of a scan; returns the limit. */
export function checkRange(range: StorageRange): number {
  checkBytes(range.gte, 'range.gte');
  checkBytes(range.lt, 'range.lt');
  const { limit = Number.MAX_SAFE_INTEGER } = range;
  if (!Number.isSafeInteger(limit) || limit < 0)
    invalidArg('range.limit', 'an integer >= 0', limit);
  return limit;
}

/**
 * A blob name: lower-case hex digest, then optionally its kind. Nothing else can reach the file
 * system.
 */
export function checkBlobName(name: unknown): asserts name is string {
  if (!isBlobName(name)) invalidArg('name', 'a hex digest and its kind, as in 00ff….xxh3', name);
}

/** True for what {@link checkBlobName} lets pass. */
export function isBlobName(name: unknown): name is string {
  return typeof name === 'string' && /^[0-9a-f]{16,128}(?:[.-][0-9a-z]{1,16})?$/.test(name);
}
