/** The world of the demo: three regions, two nodes each, and round trips like those between real ones. */

/** Regions in the order they are shown. */
export const regions = ['us', 'eu', 'ap'] as const;
type Region = (typeof regions)[number];

/** One of the six nodes. */
export interface MemberName {
  readonly nodeId: string;
  readonly region: Region;
}

/** All nodes, by region. */
export const members: readonly MemberName[] = regions.flatMap((region) =>
  [1, 2].map((n) => ({ nodeId: `${region}-${n}`, region })),
);

/** Writes and calls; never serves its own calls. */
export const writer = 'us-1';
/** The writer's same-region peer, which the faults hit. */
export const victim = 'us-2';

const roundTripsMs: Readonly<Record<string, number>> = { 'eu-us': 80, 'ap-us': 140, 'ap-eu': 220 };
const localRoundTripMs = 1;

/** Round trip the links between two regions are shaped to, ms. */
export function roundTripMs(a: string, b: string): number {
  return a === b ? localRoundTripMs : (roundTripsMs[[a, b].toSorted().join('-')] ?? 100);
}

/** Region of one of the demo's nodes. */
export function regionOf(nodeId: string): string {
  return nodeId.split('-')[0]!;
}
