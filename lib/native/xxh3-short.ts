/**
 * XXH3-128 of inputs up to 240 bytes, after the xxHash specification, "XXH3 Algorithm", "Small inputs" and
 * "Medium inputs", with seed 0 and the default secret. A few dozen 64-bit steps at most, so they are
 * written as the specification has them, in BigInt cut to 64 bits. `xxh3.ts` holds the long form.
 */

/** Two 64-bit halves of a digest or accumulator. */
export interface Halves {
  readonly low: bigint;
  readonly high: bigint;
}

/** 32-bit primes of the specification. */
export const PRIME32_1 = 0x9e3779b1n;
export const PRIME32_2 = 0x85ebca77n;
export const PRIME32_3 = 0xc2b2ae3dn;
/** 64-bit primes of the specification. */
export const PRIME64_1 = 0x9e3779b185ebca87n;
export const PRIME64_2 = 0xc2b2ae3d27d4eb4fn;
export const PRIME64_3 = 0x165667b19e3779f9n;
export const PRIME64_4 = 0x85ebca77c2b2ae63n;
export const PRIME64_5 = 0x27d4eb2f165667c5n;
const PRIME_MX1 = 0x165667919e3779f9n;
const PRIME_MX2 = 0x9fb21c651e98df25n;

/** The default secret, 192 bytes. */
export const SECRET: Buffer = Buffer.from(
  'b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f' +
    'cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c' +
    '3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8' +
    'a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364' +
    'eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e' +
    '2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e',
  'hex',
);

/** Longest input of the short form, bytes. */
export const SHORT_MAX_BYTES = 240;
/** Secret offsets of the medium form: second round, and last 32 bytes. */
const MIDDLE_SECRET_START = 3;
const LAST_SECRET_START = 136 - 17 - 16;
/** Bytes of the first round of the long medium form. */
const FIRST_ROUND_BYTES = 128;

const MASK32 = 0xffff_ffffn;

/** The low 64 bits. */
export const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const read = (bytes: Buffer, at: number): bigint => bytes.readBigUInt64LE(at);
/** Two secret words folded into one. */
const secretPair = (at: number): bigint => read(SECRET, at) ^ read(SECRET, at + 8);

function swap64(value: bigint): bigint {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes.readBigUInt64BE();
}

function swap32(value: number): number {
  return ((value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
}

/** The last step of XXH64, for inputs that were not mixed before. */
function avalanche64(value: bigint): bigint {
  let h = u64((value ^ (value >> 33n)) * PRIME64_2);
  h = u64((h ^ (h >> 29n)) * PRIME64_3);
  return h ^ (h >> 32n);
}

/** The last step of XXH3. */
export function avalanche(value: bigint): bigint {
  const h = u64((value ^ (value >> 37n)) * PRIME_MX1);
  return h ^ (h >> 32n);
}

/** The 128-bit product folded to 64 bits. */
export function foldedProduct(a: bigint, b: bigint): bigint {
  const product = a * b;
  return u64(product) ^ (product >> 64n);
}

function hashEmpty(): Halves {
  return { low: avalanche64(secretPair(64)), high: avalanche64(secretPair(80)) };
}

function hash1To3(bytes: Buffer): Halves {
  const { length } = bytes;
  const [first, middle, last] = [bytes[0]!, bytes[length >> 1]!, bytes[length - 1]!];
  const low = ((first << 16) | (middle << 24) | last | (length << 8)) >>> 0;
  const swapped = swap32(low);
  const high = ((swapped << 13) | (swapped >>> 19)) >>> 0;
  const word = (at: number): number => SECRET.readUInt32LE(at);
  return {
    low: avalanche64(BigInt((low ^ word(0) ^ word(4)) >>> 0)),
    high: avalanche64(BigInt((high ^ word(8) ^ word(12)) >>> 0)),
  };
}

function hash4To8(bytes: Buffer): Halves {
  const { length } = bytes;
  const first = BigInt(bytes.readUInt32LE(0));
  const last = BigInt(bytes.readUInt32LE(length - 4));
  const keyed = (first | (last << 32n)) ^ secretPair(16);
  const product = keyed * (PRIME64_1 + BigInt(length << 2));
  let low = u64(product);
  const high = u64((product >> 64n) + (low << 1n));
  low ^= high >> 3n;
  low = u64((low ^ (low >> 35n)) * PRIME_MX2);
  return { low: low ^ (low >> 28n), high: avalanche(high) };
}

function hash9To16(bytes: Buffer): Halves {
  const { length } = bytes;
  const first = read(bytes, 0);
  const last = read(bytes, length - 8);
  const product = (first ^ last ^ secretPair(32)) * PRIME64_1;
  const low = u64(u64(product) + (BigInt(length - 1) << 54n));
  const keyed = last ^ secretPair(48);
  const high = u64((product >> 64n) + keyed + (keyed & MASK32) * (PRIME32_2 - 1n));
  const mixed = (low ^ swap64(high)) * PRIME64_2;
  return {
    low: avalanche(u64(mixed)),
    high: avalanche(u64((mixed >> 64n) + high * PRIME64_2)),
  };
}

/** Sixteen bytes against sixteen of the secret. */
function mix16(bytes: Buffer, at: number, secretAt: number): bigint {
  const low = read(bytes, at) ^ read(SECRET, secretAt);
  return foldedProduct(low, read(bytes, at + 8) ^ read(SECRET, secretAt + 8));
}

/** Two times sixteen bytes into the accumulator. */
function mix32(acc: Halves, bytes: Buffer, at1: number, at2: number, secretAt: number): Halves {
  const sum = (at: number): bigint => u64(read(bytes, at) + read(bytes, at + 8));
  return {
    low: u64(acc.low + mix16(bytes, at1, secretAt)) ^ sum(at2),
    high: u64(acc.high + mix16(bytes, at2, secretAt + 16)) ^ sum(at1),
  };
}

function finishMedium({ low, high }: Halves, length: number): Halves {
  const mixed = low * PRIME64_1 + high * PRIME64_4 + BigInt(length) * PRIME64_2;
  return { low: avalanche(u64(low + high)), high: u64(-avalanche(u64(mixed))) };
}

const startMedium = (length: number): Halves => ({ low: u64(BigInt(length) * PRIME64_1), high: 0n });

function hash17To128(bytes: Buffer): Halves {
  const { length } = bytes;
  let acc = startMedium(length);
  for (let i = (length - 1) >> 5; i >= 0; i -= 1) {
    acc = mix32(acc, bytes, 16 * i, length - 16 * (i + 1), 32 * i);
  }
  return finishMedium(acc, length);
}

function hash129To240(bytes: Buffer): Halves {
  const { length } = bytes;
  let acc = startMedium(length);
  let at = 0;
  for (; at < FIRST_ROUND_BYTES; at += 32) acc = mix32(acc, bytes, at, at + 16, at);
  acc = { low: avalanche(acc.low), high: avalanche(acc.high) };
  for (; at + 32 <= length; at += 32) {
    acc = mix32(acc, bytes, at, at + 16, MIDDLE_SECRET_START + at - FIRST_ROUND_BYTES);
  }
  acc = mix32(acc, bytes, length - 16, length - 32, LAST_SECRET_START);
  return finishMedium(acc, length);
}

/** XXH3-128 of at most {@link SHORT_MAX_BYTES} bytes. */
export function hashShort(bytes: Buffer): Halves {
  const { length } = bytes;
  if (length === 0) return hashEmpty();
  if (length <= 3) return hash1To3(bytes);
  if (length <= 8) return hash4To8(bytes);
  if (length <= 16) return hash9To16(bytes);
  return length <= 128 ? hash17To128(bytes) : hash129To240(bytes);
}
