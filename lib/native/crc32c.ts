/**
 * CRC-32C (Castagnoli polynomial, RFC 3720 appendix B.4) by slicing-by-8 tables, for tiers without the
 * addon. Reflected form: polynomial 0x82f63b78, initial and final XOR 0xffffffff.
 */

const POLYNOMIAL = 0x82f63b78;

/** Eight tables of 256 entries in one array; `tables[256 * k + b]` advances byte `b` by `k` zero bytes. */
const tables: Uint32Array = buildTables();

function buildTables(): Uint32Array {
  const out = new Uint32Array(8 * 256);
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    out[byte] = crc;
  }
  for (let i = 256; i < out.length; i += 1) {
    const previous = out[i - 256]!;
    out[i] = (previous >>> 8) ^ out[previous & 0xff]!;
  }
  return out;
}

/**
 * CRC-32C of `bytes`, continuing from `seed` (the CRC of what came before; 0 to start).
 * @example crc32c(Buffer.from('123456789')) // 0xe3069283
 */
export function crc32c(bytes: Uint8Array, seed = 0): number {
  const t = tables;
  let crc = ~seed;
  let i = 0;
  for (const end = bytes.length - 7; i < end; i += 8) {
    crc ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    crc =
      t[1792 + (crc & 0xff)]! ^
      t[1536 + ((crc >>> 8) & 0xff)]! ^
      t[1280 + ((crc >>> 16) & 0xff)]! ^
      t[1024 + (crc >>> 24)]! ^
      t[768 + bytes[i + 4]!]! ^
      t[512 + bytes[i + 5]!]! ^
      t[256 + bytes[i + 6]!]! ^
      t[bytes[i + 7]!]!;
  }
  for (; i < bytes.length; i += 1) crc = (crc >>> 8) ^ t[(crc ^ bytes[i]!) & 0xff]!;
  return ~crc >>> 0;
}
