/** The paths of the wan suite: that of rows 5 and 6, and the profiles of CH-9. Delays are round trips. */

/** What a path does to packets, alike in both directions. */
export interface PathProfile {
  readonly name: string;
  readonly roundTripMs: number;
  /** Share of packets lost in each direction, 0 to 1. */
  readonly loss: number;
  readonly rateBitsPerSecond: number;
  readonly jitterMs?: number;
  /** Share of packets that overtake those before them. */
  readonly reorder?: number;
}

const MBIT = 1e6;

/** 500 Mbit/s, 80 ms, with the loss of row 5 or without. */
export const longPath = (loss: number): PathProfile => ({
  name: `500 Mbit/s, 80 ms, ${loss * 100} %`,
  roundTripMs: 80,
  loss,
  rateBitsPerSecond: 500 * MBIT,
});

/** CH-9. */
export const profiles: readonly PathProfile[] = [
  { name: 'LAN', roundTripMs: 1, loss: 0.0001, rateBitsPerSecond: 1000 * MBIT },
  { name: 'WAN', roundTripMs: 20, loss: 0.001, rateBitsPerSecond: 1000 * MBIT },
  { name: 'far WAN', roundTripMs: 100, loss: 0.005, rateBitsPerSecond: 100 * MBIT, jitterMs: 2 },
  { name: 'worse WAN', roundTripMs: 150, loss: 0.01, rateBitsPerSecond: 100 * MBIT, jitterMs: 5 },
  { name: 'satellite', roundTripMs: 600, loss: 0.02, rateBitsPerSecond: 10 * MBIT, jitterMs: 10 },
  { name: 'degraded', roundTripMs: 200, loss: 0.05, rateBitsPerSecond: 10 * MBIT, reorder: 0.001 },
];

/** What the router before the line holds: one bandwidth-delay product, at least 128 packets, bytes. */
export function queueBytesOf({ rateBitsPerSecond, roundTripMs }: PathProfile): number {
  return Math.max(128 * 1500, (rateBitsPerSecond / 8) * (roundTripMs / 1000) * 1.2);
}
