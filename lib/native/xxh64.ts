/**
 * XXH64 with seed 0, after the xxHash specification: what zstd frames of other programs end in. In BigInt, some
 * ten megabytes a second; only tiers without any zstd need it.
 */
import {
  PRIME64_1,
  PRIME64_2,
  PRIME64_3,
  PRIME64_4,
  PRIME64_5,
  u64,
} from './xxh3-short.ts';

const STRIPE_BYTES = 32;
const LANE_BYTES = 8;

const rotate = (value: bigint, bits: bigint): bigint =>
  u64((value << bits) | (value >> (64n - bits)));

const round = (lane: bigint, input: bigint): bigint =>
  u64(rotate(u64(lane + input * PRIME64_2), 31n) * PRIME64_1);

/** XXH64 of `bytes`. */
export function xxh64(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const lanes = [u64(PRIME64_1 + PRIME64_2), PRIME64_2, 0n, u64(-PRIME64_1)];
  let at = 0;
  for (; at + STRIPE_BYTES <= bytes.length; at += STRIPE_BYTES) {
    for (let i = 0; i < lanes.length; i += 1) {
      lanes[i] = round(lanes[i]!, view.getBigUint64(at + i * LANE_BYTES, true));
    }
  }
  let hash = (bytes.length < STRIPE_BYTES ? PRIME64_5 : merged(lanes)) + BigInt(bytes.length);
  for (; at + LANE_BYTES <= bytes.length; at += LANE_BYTES) {
    hash = rotate(u64(hash) ^ round(0n, view.getBigUint64(at, true)), 27n) * PRIME64_1 + PRIME64_4;
  }
  if (at + 4 <= bytes.length) {
    const word = BigInt(view.getUint32(at, true)) * PRIME64_1;
    hash = rotate(u64(hash) ^ u64(word), 23n) * PRIME64_2 + PRIME64_3;
    at += 4;
  }
  for (; at < bytes.length; at += 1) {
    hash = rotate(u64(hash) ^ u64(BigInt(bytes[at]!) * PRIME64_5), 11n) * PRIME64_1;
  }
  return avalanche(u64(hash));
}

function merged(lanes: readonly bigint[]): bigint {
  const turns = [1n, 7n, 12n, 18n];
  const sum = lanes.reduce((total, lane, i) => total + rotate(lane, turns[i]!), 0n);
  return lanes.reduce(
    (hash, lane) => u64((hash ^ round(0n, lane)) * PRIME64_1 + PRIME64_4),
    u64(sum),
  );
}

function avalanche(value: bigint): bigint {
  const once = u64((value ^ (value >> 33n)) * PRIME64_2);
  const twice = u64((once ^ (once >> 29n)) * PRIME64_3);
  return twice ^ (twice >> 32n);
}
