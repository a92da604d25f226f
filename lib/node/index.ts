/** The node: everything dwcp does, in one object. */
export { createNode, DwcpNode } from './create-node.ts';
export type { NodeEvents, PeerEvent } from './create-node.ts';
export { local } from './local.ts';
export type { LocalCluster, LocalNode, LocalOptions } from './local.ts';
export { resolveNodeOptions } from './options.ts';
export type { NodeIdentity, NodeOptions, ResolvedNodeOptions } from './options.ts';
export type { SecurityStatus } from './security.ts';
export type { BudgetStatus, NodeStatus, PeerStatus } from './status.ts';
export type { Right, RightVerb } from '../links/rights.ts';
export type { LinksStats } from '../links/link.ts';
export type { GateStats } from '../transport/peer-gate.ts';
