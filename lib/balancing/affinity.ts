/**
 * Rendezvous (highest random weight) hashing, Thaler and Ravishankar 1998: a key keeps its endpoint
 * while that endpoint stays, and only the keys of a leaving endpoint move. With a load bound (Mirrokni
 * et al. 2018, 1.25 x the mean), an overloaded endpoint hands the key to the next in its order.
 */

/** Something a key can be placed on. */
export interface Placed {
  readonly id: string;
  readonly inFlight: number;
}

const loadBound = 1.25;
/** Below this many calls in flight an endpoint is never too busy for its keys. */
const freeLoad = 8;

/** FNV-1a over UTF-16 code units with a murmur3 finaliser; 32 bits, not for adversaries. */
function hash32(text: string, seed = 0): number {
  let h = 0x811c9dc5 ^ seed;
  for (let i = 0; i < text.length; i += 1) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/**
 * The endpoint of `key` among `candidates`; undefined when there are none. The same for the same
 * set in any order, unless its endpoint carries more than 1.25 times the mean.
 * @example rendezvous('user-7', [{ id: 'a', inFlight: 0 }, { id: 'b', inFlight: 0 }])?.id
 */
export function rendezvous<T extends Placed>(key: string, candidates: readonly T[]): T | undefined {
  let load = 1;
  for (const candidate of candidates) load += candidate.inFlight;
  const mean = load / Math.max(1, candidates.length);
  const bound = Math.max(freeLoad, Math.ceil(mean * loadBound));
  const seed = hash32(key);
  let best: T | undefined;
  let bestScore = -1;
  let first: T | undefined;
  let firstScore = -1;
  for (const candidate of candidates) {
    const score = hash32(candidate.id, seed);
    if (score > firstScore) [first, firstScore] = [candidate, score];
    if (candidate.inFlight < bound && score > bestScore) [best, bestScore] = [candidate, score];
  }
  return best ?? first;
}
