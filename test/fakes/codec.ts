/** Codec frames for tests: tiers to run on, sample data from a seed, frames with a repaired header. */
import { native as loaded } from '../../lib/native/load.ts';
import { native as portable } from '../../lib/native/portable.ts';
import type { NativeBinding } from '../../lib/native/contract.ts';
import { isDwcpError } from '../../lib/errors.ts';
import type { ErrorCode } from '../../lib/errors.ts';
import { seededRandom } from '../../lib/random.ts';

/** The tiers of this process: portable always, the addon where it loads. */
export const tiers: readonly NativeBinding[] =
  loaded.tier === 'portable' ? [portable] : [portable, loaded];

/** JSON records that look like real state; equal for equal arguments. */
export function records(count: number, seed: number): Buffer {
  const random = seededRandom(seed);
  const rows = Array.from({ length: count }, (_, id) => ({
    id,
    name: `item-${Math.floor(random.next() * 1e9).toString(36)}`,
    price: Math.floor(random.next() * 1e5) / 100,
    tags: ['new', 'sale', 'hot'].filter(() => random.next() < 0.4),
    updated: 1.7e12 + Math.floor(random.next() * 1e9),
  }));
  return Buffer.from(JSON.stringify(rows));
}

/** Incompressible bytes; equal for equal arguments. */
export function noise(sizeBytes: number, seed: number): Buffer {
  return Buffer.from(seededRandom(seed).bytes(sizeBytes));
}

/** A copy of `frame` with one header change and a header CRC that fits it. */
export function forged(
  frame: Buffer,
  headerBytes: number,
  change: (header: Buffer) => void,
): Buffer {
  const copy = Buffer.from(frame);
  const crcAt = headerBytes - 4;
  change(copy.subarray(0, crcAt));
  copy.writeUInt32LE(portable.codec.crc32c(copy.subarray(0, crcAt)), crcAt);
  return copy;
}

/** The code `fn` throws or rejects with; fails on any error without one. */
export async function codeOf(fn: () => unknown): Promise<ErrorCode | undefined> {
  try {
    await fn();
    return undefined;
  } catch (error) {
    if (isDwcpError(error)) return error.code;
    throw error;
  }
}
