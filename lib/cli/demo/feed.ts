/**
 * What the page knows of the demo: the acts write into it, how the children see each other is polled into it,
 * and the page's buttons come out of it. All lists are bounded.
 */
import { nativeStatus } from '../../native/load.ts';
import type {
  PageAct,
  PageAction,
  PageBytes,
  PageCallBucket,
  PageConflict,
  PageEvent,
  PageFreshness,
  PageLink,
  PageMark,
  PageSource,
  PageState,
} from '../../dashboard/state.ts';
import { invalidArg } from '../../errors.ts';
import type { PeerStatus } from '../../node/index.ts';
import { quantile, quantiles } from '../format.ts';
import type { Cluster } from './cluster.ts';
import { machineMs, type CallRecord, type MemberMessage } from './protocol.ts';
import { members, regionOf, regions, roundTripMs, writer } from './wan.ts';
import { pause } from './waiting.ts';

const bucketMs = 250;
const maxBuckets = 400;
const maxEvents = 100;
const maxMarks = 24;
const maxConflicts = 16;
const pollMs = 400;
const pollDeadlineMs = 1_000;

function keep<T>(list: readonly T[], item: T, most: number): T[] {
  return [...list, item].slice(-most);
}

const pairs = members.flatMap(({ nodeId: a }, i) =>
  members.slice(i + 1).map(({ nodeId: b }) => [a, b] as const),
);

/** The page's source while the demo runs. */
export class Feed implements PageSource {
  readonly #cluster: Cluster;
  readonly #startedMs = machineMs();
  readonly #peers = new Map<string, readonly PeerStatus[]>();
  readonly #acts = new Map<string, PageAct>();
  readonly #conflicts = new Map<string, PageConflict>();
  #events: PageEvent[] = [];
  #marks: PageMark[] = [];
  #buckets: PageCallBucket[] = [];
  #open: CallRecord[] = [];
  #openUntilMs = 0;
  #calls = 0;
  #failed = 0;
  #fresh: PageFreshness[] = [];
  #stopped = false;
  bytes: PageBytes | undefined;
  /** Set when a visitor pressed a button while an act ran. */
  disturbed = false;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    cluster.on('message', (_nodeId, message) => this.#hear(message));
    cluster.on('crashed', (nodeId, reason) => this.event('bad', `${nodeId} ended: ${reason}`));
  }

  /** Begins to ask the nodes; without a page nobody needs to know. */
  watch(): void {
    void this.#keepPolling();
  }

  stop(): void {
    this.#stopped = true;
  }

  event(kind: PageEvent['kind'], text: string): void {
    this.#events = keep(this.#events, { tMs: this.#now(), kind, text }, maxEvents);
  }

  /** A moment for both the log and the call chart. */
  mark(kind: PageMark['kind'], text: string): void {
    this.#marks = keep(this.#marks, { tMs: this.#now(), kind, text }, maxMarks);
    this.event(kind === 'fault' ? 'bad' : 'good', text);
  }

  act(action: PageAction, target: string): Promise<string> {
    return this.#press(action, target);
  }

  setAct(act: PageAct): void {
    this.#acts.set(act.id, act);
  }

  conflict(conflict: PageConflict): void {
    this.#conflicts.delete(conflict.key);
    this.#conflicts.set(conflict.key, conflict);
    const [oldest] = this.#conflicts.keys();
    if (this.#conflicts.size > maxConflicts) this.#conflicts.delete(oldest!);
  }

  /** Time-to-fresh of updates, by node, ms. */
  fresh(updates: readonly ReadonlyMap<string, number>[]): void {
    this.#fresh = regions.map((region) => {
      const sample = updates.flatMap((update) =>
        [...update].filter(([nodeId]) => regionOf(nodeId) === region).map(([, ms]) => ms),
      );
      const { p50, p99 } = quantiles(sample);
      const rttMs = roundTripMs(regionOf(writer), region);
      const quantified = sample.length > 0 ? { p50Ms: p50, p99Ms: p99 } : {};
      return {
        region,
        rttMs,
        samplesMs: sample.slice(-128),
        count: sample.length,
        ...quantified,
      };
    });
  }

  state(): PageState {
    return {
      title: 'State kept fresh in three regions',
      tier: tierChip(),
      nowMs: this.#now(),
      nodes: members.map(({ nodeId, region }) => ({
        id: nodeId,
        region,
        state: this.#cluster.stateOf(nodeId),
        role: nodeId === writer ? 'writer' : 'serves',
      })),
      links: pairs.map(([a, b]) => this.#link(a, b)),
      bytes: this.bytes,
      freshness: this.#fresh,
      calls: {
        buckets: this.#buckets,
        marks: this.#marks,
        barMs: 250,
        total: this.#calls,
        failed: this.#failed,
      },
      conflicts: [...this.#conflicts.values()],
      events: this.#events,
      acts: [...this.#acts.values()],
      controls: { enabled: true, reason: 'Acts on real processes of this machine' },
    };
  }

  status(): unknown {
    return { peersSeenBy: Object.fromEntries(this.#peers) };
  }

  #now(): number {
    return machineMs() - this.#startedMs;
  }

  #hear(message: MemberMessage): void {
    if (message.type !== 'calls') return;
    for (const record of message.records) {
      const endMs = record.dueMs + record.tookMs - this.#startedMs;
      if (endMs >= this.#openUntilMs) this.#closeBucket(endMs);
      this.#open.push(record);
    }
  }

  #closeBucket(nextMs: number): void {
    const records = this.#open;
    if (records.length > 0) {
      const failed = records.filter(({ error }) => error !== undefined).length;
      const took = records.map(({ tookMs }) => tookMs).toSorted((a, b) => a - b);
      const bucket = [this.#openUntilMs, took.length, failed, quantile(took, 0.5), took.at(-1)!];
      this.#buckets = keep(this.#buckets, bucket as unknown as PageCallBucket, maxBuckets);
      this.#calls += took.length;
      this.#failed += failed;
    }
    this.#open = [];
    this.#openUntilMs = (Math.floor(nextMs / bucketMs) + 1) * bucketMs;
  }

  #link(a: string, b: string): PageLink {
    const ends = [this.#peer(a, b), this.#peer(b, a)].filter((peer) => peer !== undefined);
    const running = [a, b].every((nodeId) => this.#cluster.stateOf(nodeId) === 'alive');
    return {
      a,
      b,
      rttMs: ends[0]?.rttMs,
      bytes: Math.max(0, ...ends.map((peer) => peer.bytesIn + peer.bytesOut)),
      up: running && ends.some((peer) => peer.state === 'alive'),
      cut: this.#cluster.isCut(a, b),
    };
  }

  #peer(nodeId: string, of: string): PeerStatus | undefined {
    return this.#peers.get(nodeId)?.find((peer) => peer.nodeId === of);
  }

  /** Asks every running node how it sees its peers, again and again, until the feed stops. */
  async #keepPolling(): Promise<void> {
    while (!this.#stopped) {
      const asked = this.#cluster.running().map(async (nodeId) => {
        const peers = await this.#cluster.ask(nodeId, 'peers', undefined, pollDeadlineMs);
        this.#peers.set(nodeId, peers);
      });
      // A node that is killed while it is asked does not answer; the map shows it as dead already.
      await Promise.allSettled(asked);
      await pause(pollMs);
    }
  }

  async #press(action: PageAction, target: string): Promise<string> {
    if ([...this.#acts.values()].some(({ state }) => state === 'running')) this.disturbed = true;
    const known = members.some(({ nodeId }) => nodeId === target);
    if (action === 'heal') return this.#healAll();
    if (action === 'partition') {
      const group = members.filter(({ region }) => region === target).map(({ nodeId }) => nodeId);
      if (group.length === 0) invalidArg('target', `one of ${regions.join(', ')}`, target);
      await this.#cluster.cut(group);
      this.mark('fault', `${target} cut off by hand`);
      return `${target} is cut off from the other regions. Heal all joins it again.`;
    }
    if (!known) invalidArg('target', 'a node of the demo', target);
    if (action === 'kill') {
      await this.#cluster.kill(target);
      this.mark('fault', `SIGKILL ${target} by hand`);
      return `${target} was killed with SIGKILL. Heal all starts it again from its storage.`;
    }
    this.#cluster.freeze(target);
    this.mark('fault', `SIGSTOP ${target} by hand`);
    return `${target} is stopped with SIGSTOP: its sockets are open and it says nothing.`;
  }

  async #healAll(): Promise<string> {
    for (const { nodeId } of members) this.#cluster.wake(nodeId);
    await this.#cluster.heal();
    const dead = members.filter(({ nodeId }) => this.#cluster.stateOf(nodeId) === 'dead');
    await Promise.all(dead.map(({ nodeId }) => this.#cluster.spawn(nodeId)));
    this.mark('heal', 'healed by hand');
    return 'Everything runs and hears everything again.';
  }
}

function tierChip(): PageState['tier'] {
  const { tier, reason } = nativeStatus();
  return { name: tier === 'addon' ? 'native tier' : 'portable tier', reason };
}
