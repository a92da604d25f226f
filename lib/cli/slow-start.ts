/**
 * How long n bytes take to a far region on an idle TCP connection: slow start from an initial window
 * of 10 segments (RFC 6928), doubling each round trip, no loss, then the rate of the path. Idle
 * connections fall back to the initial window (RFC 5681 §4.1), which is the case of rare updates.
 */
const segmentBytes = 1460;
const initialWindowBytes = 10 * segmentBytes;

/** Rounds of slow start that `bytes` need; 1 when they fit the initial window. */
export function slowStartRounds(bytes: number): number {
  return Math.max(1, Math.ceil(Math.log2(bytes / initialWindowBytes + 1)));
}

/** Ms from the first byte sent to the last byte there. */
export function transferMs(bytes: number, rttMs: number, megabitPerSecond: number): number {
  const waitingMs = (slowStartRounds(bytes) - 1) * rttMs + rttMs / 2;
  return waitingMs + (bytes * 8) / (megabitPerSecond * 1000);
}
