/** The only door to randomness. Simulations pass a seeded generator and print its seed. */
import { randomFillSync } from 'node:crypto';

/** A source of random numbers and bytes. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** `sizeBytes` random bytes. */
  bytes(sizeBytes: number): Uint8Array;
}

/** Numbers drawn ahead: one call for many, since each costs microseconds. */
const pool = new Uint32Array(256);
let drawn = pool.length;

function nextWord(): number {
  if (drawn === pool.length) {
    randomFillSync(pool);
    drawn = 0;
  }
  const word = pool[drawn]!;
  pool[drawn++] = 0;
  return word;
}

/** Cryptographic randomness of the process. */
export const systemRandom: Random = {
  next: () => nextWord() / 2 ** 32,
  bytes: (sizeBytes) => randomFillSync(new Uint8Array(sizeBytes)),
};

/**
 * A reproducible generator (mulberry32), for simulations and tests; not for secrets.
 * @example const random = seededRandom(42);
 */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return { next, bytes: (sizeBytes) => Uint8Array.from({ length: sizeBytes }, () => next() * 256) };
}
