/**
 * How far two byte runs agree. Short runs are compared in JavaScript, long ones by memcmp on growing
 * pieces, so that unchanged megabytes cost memory bandwidth and a five-byte match costs no native call.
 */

const SHORT_BYTES = 32;
const FIRST_PIECE_BYTES = 128;
const LARGEST_PIECE_BYTES = 1024 * 1024;

/** Length of the common run of `a` from `aAt` and `b` from `bAt`, bytes. */
export function commonForward(a: Buffer, aAt: number, b: Buffer, bAt: number): number {
  const most = Math.min(a.length - aAt, b.length - bAt);
  const short = Math.min(most, SHORT_BYTES);
  let length = 0;
  while (length < short && a[aAt + length] === b[bAt + length]) length++;
  if (length < short) return length;
  let piece = FIRST_PIECE_BYTES;
  while (length < most) {
    const size = Math.min(piece, most - length);
    if (!same(a, aAt + length, b, bAt + length, size)) {
      return length + firstDifference(a, aAt + length, b, bAt + length, size);
    }
    length += size;
    if (piece < LARGEST_PIECE_BYTES) piece *= 4;
  }
  return length;
}

/** Length of the common run that ends before `aAt` and `bAt`, at most `most` bytes. */
export function commonBackward(
  a: Buffer,
  aAt: number,
  b: Buffer,
  bAt: number,
  most: number,
): number {
  let length = 0;
  while (length < most && a[aAt - length - 1] === b[bAt - length - 1]) length++;
  return length;
}

function same(a: Buffer, aAt: number, b: Buffer, bAt: number, size: number): boolean {
  return a.compare(b, bAt, bAt + size, aAt, aAt + size) === 0;
}

/** Offset of the first difference in a piece known to differ, by halving. */
function firstDifference(a: Buffer, aAt: number, b: Buffer, bAt: number, size: number): number {
  let offset = 0;
  let rest = size;
  while (rest > SHORT_BYTES) {
    const half = rest >> 1;
    if (same(a, aAt + offset, b, bAt + offset, half)) {
      offset += half;
      rest -= half;
    } else {
      rest = half;
    }
  }
  while (a[aAt + offset] === b[bAt + offset]) offset++;
  return offset;
}
