/** A running node as a source of the page: what it knows itself, and no buttons. */
import type {
  PageBytes,
  PageEvent,
  PageFreshness,
  PageLink,
  PageNode,
  PageSource,
  PageState,
} from '../dashboard/state.ts';
import { systemClock } from '../clock.ts';
import type { DwcpNode, NodeStatus } from '../node/index.ts';

const maxEvents = 100;

/** Feeds the page from `node.status()`. */
export class NodeFeed implements PageSource {
  readonly #node: DwcpNode;
  readonly #startedMs = systemClock.monotonic();
  #events: PageEvent[] = [];

  constructor(node: DwcpNode) {
    this.#node = node;
  }

  event(kind: PageEvent['kind'], text: string): void {
    const tMs = systemClock.monotonic() - this.#startedMs;
    this.#events = [...this.#events, { tMs, kind, text }].slice(-maxEvents);
  }

  status(): NodeStatus {
    return this.#node.status();
  }

  state(): PageState {
    const status = this.#node.status();
    const self: PageNode = {
      id: status.nodeId,
      region: status.region,
      state: 'alive',
      role: 'this node',
    };
    const peers = status.peers.map(({ nodeId, region, state }) => ({ id: nodeId, region, state }));
    const links = status.peers.map(({ nodeId, rttMs, bytesIn, bytesOut, state }): PageLink => ({
      a: status.nodeId,
      b: nodeId,
      rttMs,
      bytes: bytesIn + bytesOut,
      up: state !== 'dead',
      cut: false,
    }));
    const native = status.native.tier === 'addon' ? 'native tier' : 'portable tier';
    return {
      title: `Node ${status.nodeId} in ${status.region}`,
      tier: { name: `${native}, ${status.transport.tier} links`, reason: status.native.reason },
      nowMs: systemClock.monotonic() - this.#startedMs,
      nodes: [self, ...peers],
      links,
      ...replicationOf(status),
      calls: undefined,
      conflicts: [],
      events: this.#events,
      acts: [],
      controls: {
        enabled: false,
        reason: 'This is a running node: faults are for `dwcp demo --keep`.',
      },
    };
  }
}

/** Bytes and freshness of a node: updates it sent and received, whole values against records on the wire. */
function replicationOf({ replication, peers }: NodeStatus): Pick<PageState, 'bytes' | 'freshness'> {
  let rawBytes = 0;
  let wireBytes = 0;
  let updates = 0;
  for (const { sent, received } of replication.peers) {
    for (const one of [sent, received]) {
      rawBytes += one.fullRawBytes + one.deltaRawBytes;
      wireBytes += one.fullWireBytes + one.deltaWireBytes;
      updates += one.fullCount + one.deltaCount;
    }
  }
  const bytes: PageBytes = {
    title: `${updates.toLocaleString('en')} updates, both ways`,
    note: 'Update records over all links since the start, link headers not included.',
    rows: [
      { label: 'Raw values', bytes: rawBytes },
      { label: 'dwcp on the wire', bytes: wireBytes, ours: true },
    ],
  };
  const freshness = replication.peers.map(({ nodeId, putToFreshMs }): PageFreshness => {
    const { count, p50, p99 } = putToFreshMs;
    const rttMs = peers.find((peer) => peer.nodeId === nodeId)?.rttMs;
    const quantified = count > 0 ? { p50Ms: p50, p99Ms: p99 } : {};
    return { region: nodeId, rttMs, samplesMs: [], count, ...quantified };
  });
  return { bytes: updates > 0 ? bytes : undefined, freshness };
}
