/**
 * CRC-32C (RFC 3720 appendix B.4) of link frames. Short frames stay in JavaScript, where the table
 * loop costs less than crossing into the addon; long ones go to whatever tier is loaded.
 */
import { crc32c as crc32cByTable } from '../native/crc32c.ts';
import { native } from '../native/load.ts';

/** Below this size the table loop is quicker than a native call, bytes. */
const crossingBytes = 128;

/** CRC-32C of `bytes`, an unsigned 32-bit number. */
export function crc32c(bytes: Uint8Array): number {
  return bytes.length < crossingBytes ? crc32cByTable(bytes) : native.codec.crc32c(bytes);
}
