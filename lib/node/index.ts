/** The node: everything dwcp does, in one object. */
export { createNode, DwcpNode } from './create-node.ts';
export type { NodeEvents, PeerEvent } from './create-node.ts';
export { local } from './local.ts';
export type { LocalCluster, LocalNode, LocalOptions } from './local.ts';
export { resolveNodeOptions } from './options.ts';
export type { NodeIdentity, NodeOptions, ResolvedNodeOptions } from './options.ts';
export type { BudgetStatus, NodeStatus, PeerStatus } from './status.ts';
