/** Who is in the cluster: gossip over full-mesh links, discovery of the first addresses. */
export { compareClaims, newerClaim } from './member.ts';
export type { Member } from './member.ts';
export { decodeMembers, encodeMembers, membershipLimits } from './codec.ts';
export { initialMembership, stepMembership } from './core.ts';
export type { MembershipInput, MembershipOutput, MembershipState, MembershipStep } from './core.ts';
export { seeds } from './discovery.ts';
export type { Announcement, Discovery } from './discovery.ts';
export { Membership } from './membership.ts';
export type { MembershipEvents, MembershipOptions, MembershipSnapshot } from './membership.ts';
