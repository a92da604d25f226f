/** What a shaped link is like, and presets named by their round trip. */

/** One direction of a link. Absent fields shape nothing. */
export interface DirectionProfile {
  /** One-way delay, ms. */
  readonly delayMs?: number | undefined;
  /** Up to this much more delay per batch, uniform, ms. Order is kept. */
  readonly jitterMs?: number | undefined;
  /** Line rate, bytes per second. */
  readonly rateBytesPerSecond?: number | undefined;
  /** Bytes that may wait for the line before `send` returns false. */
  readonly queueBytes?: number | undefined;
  /** Nothing moves and nothing is lost until this is false again: a frozen path. */
  readonly stalled?: boolean | undefined;
  /** Like `stalled`, and dials fail: to a link that lives, both look the same until it is given up. */
  readonly partitioned?: boolean | undefined;
}

/** Both directions of a link as one end shapes them. */
export interface LinkProfile {
  /** What this end sends. When every node shapes what it sends, each direction is delayed once. */
  readonly outbound?: DirectionProfile | undefined;
  /** What this end receives, for when only one end is shaped, and for one-way partitions. */
  readonly inbound?: DirectionProfile | undefined;
}

/**
 * A profile for both ends: each delays what it sends by half of `roundTripMs`.
 * @example wanProfile(80, { jitterMs: 2, rateBytesPerSecond: 12_500_000 })
 */
export function wanProfile(roundTripMs: number, more: DirectionProfile = {}): LinkProfile {
  return { outbound: { delayMs: roundTripMs / 2, ...more } };
}

/** Presets for links of which both ends are shaped. */
export const profiles: {
  readonly [K in 'none' | 'lan' | 'wan80' | 'wan140' | 'wan220']: LinkProfile;
} = {
  none: {},
  lan: wanProfile(0.5),
  wan80: wanProfile(80, { jitterMs: 2 }),
  wan140: wanProfile(140, { jitterMs: 3 }),
  wan220: wanProfile(220, { jitterMs: 5 }),
};

/**
 * The same link, cut: nothing leaves (`outbound`), nothing comes in (`inbound`), or both.
 * @example pipe.setProfile(partitioned(profiles.wan80, 'inbound'));
 */
export function partitioned(
  profile: LinkProfile,
  side: 'both' | 'outbound' | 'inbound' = 'both',
): LinkProfile {
  return {
    outbound: { ...profile.outbound, partitioned: side !== 'inbound' },
    inbound: { ...profile.inbound, partitioned: side !== 'outbound' },
  };
}

/** True when nothing passes in this direction. */
export function isHeld(direction: DirectionProfile | undefined): boolean {
  return (direction?.stalled ?? false) || (direction?.partitioned ?? false);
}
