/** What `node.status()` tells: tiers and why, peers, bytes, freshness, calls, and every budget with its use. */
import type { HealthSnapshot } from '../health/index.ts';
import type { Limits } from '../limits.ts';
import type { Link, LinksStats } from '../links/link.ts';
import type { NativeStatus } from '../native/contract.ts';
import type { ReplicationStats } from '../replication/index.ts';
import type { RpcStats } from '../rpc/index.ts';
import type { Address, FramePipe } from '../transport/frame-pipe.ts';
import type { IoStatus } from '../transport/index.ts';
import type { SecurityStatus } from './security.ts';

/** A peer as this node sees it now. */
export interface PeerStatus {
  readonly nodeId: string;
  readonly region: string;
  /** `dead` when no link stands; `suspect` when one does but is silent. */
  readonly state: 'alive' | 'suspect' | 'dead';
  readonly address: Address | undefined;
  readonly tier: FramePipe['tier'] | undefined;
  /** Why that tier; undefined without a link. */
  readonly tierReason: string | undefined;
  /** Encrypted and authenticated. */
  readonly secure: boolean;
  readonly rttMs: number | undefined;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly streams: number;
}

/** One limit and how much of it is used. */
export interface BudgetStatus {
  /** Name of the limit in `limits.ts`, with its area. */
  readonly name: string;
  readonly limit: number;
  readonly used: number;
}

/** Everything `status()` tells. A copy; nothing in it changes later. */
export interface NodeStatus {
  readonly nodeId: string;
  readonly region: string;
  readonly cluster: string;
  readonly address: Address | undefined;
  readonly uptimeMs: number;
  readonly replicaId: string;
  /** Which native tier runs and why. */
  readonly native: NativeStatus;
  /** Which transport runs and why, and the steps of the ladder that were tried and did not work. */
  readonly transport: {
    readonly tier: FramePipe['tier'];
    readonly reason: string;
    readonly attempts: IoStatus['attempts'];
  };
  readonly storage: {
    readonly kind: string;
    readonly persistent: boolean;
    readonly reason: string;
  };
  readonly peers: readonly PeerStatus[];
  /** Dials, handshakes and refusals, counted. */
  readonly links: LinksStats;
  /** Certificate, revocations, rights. */
  readonly security: SecurityStatus;
  /** Regions known, with the number of live nodes in each, this one included. */
  readonly regions: readonly { readonly region: string; readonly alive: number }[];
  readonly replication: ReplicationStats;
  readonly calls: RpcStats;
  readonly health: Omit<HealthSnapshot, 'peers'>;
  readonly budgets: readonly BudgetStatus[];
}

/** Members that ought to be linked, with or without a link. */
export interface KnownMember {
  readonly nodeId: string;
  readonly region: string;
  readonly address: Address | undefined;
}

/** Joins members, links and verdicts into one row per peer. */
export function peerRows(
  members: readonly KnownMember[],
  links: readonly Link[],
  verdict: (nodeId: string) => 'alive' | 'suspect' | 'dead',
  tierReason: string,
): PeerStatus[] {
  const linked = new Map(links.map((link) => [link.peer.nodeId, link]));
  const rows = links.map((link): PeerStatus => {
    const { bytesIn, bytesOut, streams, rttMs } = link.stats();
    const { nodeId, region, advertise } = link.peer;
    const state = verdict(nodeId);
    const { tier, secure } = link;
    const path = { address: advertise, tier, tierReason, secure, rttMs };
    return { nodeId, region, state, ...path, bytesIn, bytesOut, streams };
  });
  const unlinked = members
    .filter(({ nodeId }) => !linked.has(nodeId))
    .map(({ nodeId, region, address }): PeerStatus => {
      const nowhere = { tier: undefined, tierReason: undefined, secure: false, rttMs: undefined };
      const nothing = { bytesIn: 0, bytesOut: 0, streams: 0 };
      return { nodeId, region, state: 'dead', address, ...nowhere, ...nothing };
    });
  return [...rows, ...unlinked].toSorted((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
}

/** Counts live nodes by region. */
export function regionRows(
  ownRegion: string,
  peers: readonly PeerStatus[],
): { region: string; alive: number }[] {
  const alive = new Map([[ownRegion, 1]]);
  for (const { region, state } of peers) {
    alive.set(region, (alive.get(region) ?? 0) + (state === 'alive' ? 1 : 0));
  }
  return [...alive].map(([region, count]) => ({ region, alive: count }));
}

/** The budgets a node can run into, each with its use now. */
export function budgetRows(
  limits: Limits,
  links: readonly Link[],
  replication: ReplicationStats,
  calls: RpcStats,
): BudgetStatus[] {
  const most = (of: (link: Link) => number): number => Math.max(0, ...links.map(of));
  return [
    {
      name: 'link.maxSendQueueBytes',
      limit: limits.link.maxSendQueueBytes,
      used: most((link) => link.stats().sendQueueBytes),
    },
    {
      name: 'link.maxStreams',
      limit: limits.link.maxStreams,
      used: most((link) => link.stats().streams),
    },
    { name: 'call.maxCallsInFlight', limit: limits.call.maxCallsInFlight, used: calls.inFlight },
    {
      name: 'call.maxHandlersInFlight',
      limit: limits.call.maxHandlersInFlight,
      used: calls.handling,
    },
    {
      name: 'state.baseCacheBytes',
      limit: limits.state.baseCacheBytes,
      used: replication.baseCache.sizeBytes,
    },
    {
      name: 'state.frameCacheBytes',
      limit: limits.state.frameCacheBytes,
      used: replication.frameCache.sizeBytes,
    },
    {
      name: 'state.maxInFlightBytes',
      limit: limits.state.maxInFlightBytes,
      used: Math.max(0, ...replication.peers.map(({ session }) => session?.inFlightBytes ?? 0)),
    },
    {
      name: 'state.maxAuditRecords',
      limit: limits.state.maxAuditRecords,
      used: Math.max(
        0,
        ...Object.values(replication.namespaces).map(({ auditRecords }) => auditRecords),
      ),
    },
  ];
}
