/**
 * One link's replication as a deterministic state machine: `step(input)` returns what to send, read
 * and apply; the driver (`session-driver.ts`) does it and reports back. After link up each side says
 * per namespace which dots it has; each sends exactly what the other lacks, then what changes.
 *
 * Invariants: a dot counts as known to the peer only when the peer said so; nothing in flight is
 * forgotten before it was answered; `covered` is said only of dots whose effect the peer acknowledged,
 * its own or that of what replaced it; bytes and updates in flight are bounded, what waits is a list of
 * keys. A lost message cannot happen on a live link; a lost link starts all over from the vectors.
 */
import { VersionVector } from '../conflict/index.ts';
import type { Dot, DotRun, ReplicaId } from '../conflict/index.ts';
import { dotName } from './key-record.ts';
import { SessionNamespace } from './session-namespace.ts';
import type { Job } from './session-namespace.ts';
import { NackReason, RefusedReason } from './wire.ts';
import type { SyncRecord, UpdateRecord, WireRecord } from './wire.ts';

/** Keys being read and encoded at once, per peer. */
const MAX_PREPARING = 128;
/** Updates in flight, per peer. */
const MAX_IN_FLIGHT = 4_096;
/** The next page of a scan is asked for when fewer keys wait. */
const SCAN_LOW_WATER = 256;
/** An update the peer could not take is tried again after this, doubled each time, at most 32-fold, ms. */
const RETRY_MS = 2_000;
const MAX_DOUBLINGS = 5;
/** An update unanswered for this long is sent again whole, ms. */
const ACK_TIMEOUT_MS = 60_000;
/** Vectors are told again after this, if they changed: what a third node could not deliver goes round. */
const EXCHANGE_MS = 5_000;

/** A namespace of this node. */
export interface LocalNamespace {
  readonly ns: number;
  readonly name: string;
  readonly fingerprint: string;
  /** What is durable here, live. */
  readonly vector: () => VersionVector;
}

/** An update ready to be sent. */
export interface Prepared {
  readonly update: UpdateRecord;
  readonly sizeBytes: number;
  /** The value is on a chain, so its successor should wait and be a delta. */
  readonly large: boolean;
}

/** What the session is told. */
export type SessionInput =
  /** A namespace was declared, before or after the link came up. */
  | { readonly type: 'declare'; readonly namespace: LocalNamespace }
  | { readonly type: 'record'; readonly record: WireRecord; readonly nowMs: number }
  /** A version became durable here; `local` when this node wrote it. */
  | { readonly type: 'changed'; readonly ns: number; readonly key: string; readonly local: boolean }
  /** Keys of a scan; `done` with the last. */
  | {
      readonly type: 'scanned';
      readonly ns: number;
      readonly keys: readonly string[];
      readonly done: boolean;
    }
  /** What was made of a `prepare`; undefined when the key cannot be read now. */
  | {
      readonly type: 'prepared';
      readonly ns: number;
      readonly job: Job;
      readonly updates: readonly Prepared[] | undefined;
      readonly nowMs: number;
    }
  /** What became of an `apply`; no reason when its effect is durable here. */
  | {
      readonly type: 'applied';
      readonly ns: number;
      readonly dot: Dot;
      readonly reason?: NackReason | undefined;
    }
  | { readonly type: 'tick'; readonly nowMs: number };

/** What the session asks for. */
export type SessionOutput =
  | { readonly type: 'send'; readonly record: WireRecord }
  /** List the keys of live versions in these runs, page by page. */
  | { readonly type: 'scan'; readonly ns: number; readonly runs: readonly DotRun[] }
  | { readonly type: 'scanMore'; readonly ns: number }
  /** Read the key and make updates of the versions the peer lacks. */
  | { readonly type: 'prepare'; readonly ns: number; readonly job: Job }
  | { readonly type: 'apply'; readonly ns: number; readonly update: UpdateRecord }
  /** Make these dots durable: what replaced them is. */
  | { readonly type: 'cover'; readonly ns: number; readonly vector: VersionVector }
  | {
      readonly type: 'event';
      /** `spent`: the peer has writes of this replica that this node does not. */
      readonly event: 'nacked' | 'refused' | 'acked' | 'timeout' | 'spent';
      readonly ns: number;
      readonly key?: string | undefined;
      readonly dot?: Dot | undefined;
      readonly reason?: NackReason | RefusedReason | undefined;
    };

/** Options of {@link Session}. */
export interface SessionOptions {
  /** This node's replica. */
  readonly replica: () => ReplicaId;
  readonly maxInFlightBytes: number;
  /** Whether the peer may `state.read` or `state.write` a namespace. */
  readonly authorize: (verb: 'state.read' | 'state.write', namespace: string) => boolean;
}

/** Replication with one peer. */
export class Session {
  readonly #options: SessionOptions;
  readonly #local = new Map<number, LocalNamespace>();
  readonly #namespaces = new Map<number, SessionNamespace>();
  /** Ours by the peer's ids. */
  readonly #byPeer = new Map<number, SessionNamespace>();
  /** What the peer declared and this node has not yet. */
  readonly #foreign = new Map<string, SyncRecord>();
  #inFlightBytes = 0;
  #inFlight = 0;
  #preparing = 0;
  #exchangeDueMs: number | undefined;
  #out: SessionOutput[] = [];

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** What waits and what is under way. */
  get stats(): { waitingKeys: number; inFlight: number; inFlightBytes: number; synced: boolean } {
    const all = [...this.#namespaces.values()];
    return {
      waitingKeys: all.reduce((sum, each) => sum + each.waiting, 0),
      inFlight: this.#inFlight,
      inFlightBytes: this.#inFlightBytes,
      synced: all.every((each) => !each.open || (each.scan.state === 'done' && each.idle)),
    };
  }

  /** True when the peer must still be sent this version. */
  lacks(ns: number, dot: Dot): boolean {
    const namespace = this.#namespaces.get(ns);
    if (!namespace?.open) return false;
    return !namespace.known.contains(dot) && !namespace.inFlight.has(dotName(dot));
  }

  /**
   * True when the value of the write may serve as a base: the peer is known to have seen it, or it is
   * up to date and a third node, which sends to everyone, wrote it. A wrong guess costs a round trip.
   */
  has(ns: number, dot: Dot): boolean {
    const namespace = this.#namespaces.get(ns);
    if (!namespace) return false;
    const third = dot.replica !== this.#options.replica() && namespace.scan.state === 'done';
    return third || namespace.known.contains(dot);
  }

  /** Takes one input, returns what to do, in order. */
  step(input: SessionInput): SessionOutput[] {
    this.#take(input);
    this.#pump();
    const out = this.#out;
    this.#out = [];
    return out;
  }

  #take(input: SessionInput): void {
    switch (input.type) {
      case 'declare':
        return this.#declare(input.namespace);
      case 'record':
        return this.#receive(input.record, input.nowMs);
      case 'changed':
        return this.#changed(input.ns, input.key, input.local);
      case 'scanned':
        return this.#scanned(input.ns, input.keys, input.done);
      case 'prepared':
        return this.#prepared(input);
      case 'applied':
        return this.#applied(input.ns, input.dot, input.reason);
      case 'tick':
        return this.#tick(input.nowMs);
    }
  }

  #declare(local: LocalNamespace): void {
    const { ns, name, fingerprint } = local;
    if (this.#namespaces.has(ns)) return;
    this.#local.set(ns, local);
    const namespace = new SessionNamespace(ns, name, fingerprint);
    this.#namespaces.set(ns, namespace);
    this.#tell(namespace);
    const foreign = this.#foreign.get(name);
    if (!foreign) return;
    this.#foreign.delete(name);
    this.#synced(namespace, foreign);
  }

  #tell(namespace: SessionNamespace): void {
    const { ns, name, fingerprint } = namespace;
    const vector = this.#local.get(ns)!.vector().clone();
    namespace.told = vector;
    this.#send({ type: 'sync', ns, name, fingerprint, vector });
  }

  #receive(record: WireRecord, nowMs: number): void {
    if (record.type === 'begin') return;
    if (record.type === 'sync') return this.#sync(record);
    if (record.type === 'update') return this.#update(record);
    if (record.type === 'covered') {
      const namespace = this.#byPeer.get(record.ns);
      if (!namespace) return;
      namespace.known.merge(record.vector);
      if (!namespace.writable) return;
      this.#out.push({ type: 'cover', ns: namespace.ns, vector: record.vector });
      return;
    }
    const namespace = this.#namespaces.get(record.ns);
    if (!namespace) return;
    if (record.type === 'ack') for (const dot of record.dots) this.#acked(namespace, dot);
    else if (record.type === 'nack') this.#nacked(namespace, record.dot, record.reason, nowMs);
    else this.#refused(namespace, record.reason);
  }

  #sync(record: SyncRecord): void {
    const namespace = [...this.#namespaces.values()].find(({ name }) => name === record.name);
    if (namespace) return this.#synced(namespace, record);
    if (this.#foreign.size < MAX_IN_FLIGHT) this.#foreign.set(record.name, record);
  }

  /** Both have the namespace. */
  #synced(namespace: SessionNamespace, record: SyncRecord): void {
    const { ns, name, fingerprint } = namespace;
    if (namespace.peerNs !== undefined) return void namespace.known.merge(record.vector);
    namespace.peerNs = record.ns;
    this.#byPeer.set(record.ns, namespace);
    if (record.fingerprint !== fingerprint) {
      this.#send({ type: 'refused', ns: record.ns, reason: RefusedReason.policy });
      this.#event('refused', ns, { reason: RefusedReason.policy });
      return;
    }
    const { authorize } = this.#options;
    namespace.writable = authorize('state.write', name);
    namespace.open = authorize('state.read', name);
    for (const [allowed, reason] of [
      [namespace.writable, RefusedReason.write],
      [namespace.open, RefusedReason.read],
    ] as const) {
      if (allowed) continue;
      this.#send({ type: 'refused', ns: record.ns, reason });
      this.#event('refused', ns, { reason });
    }
    namespace.known.merge(record.vector);
    const replica = this.#options.replica();
    if (record.vector.max(replica) > this.#local.get(ns)!.vector().max(replica)) {
      this.#event('spent', ns, {});
    }
    if (namespace.open) this.#startScan(namespace);
  }

  /** Tells what is new here, and sends round what the peer has lacked for two exchanges. */
  #exchange(namespace: SessionNamespace): void {
    if (namespace.peerNs === undefined) return;
    const here = this.#local.get(namespace.ns)!.vector();
    if (!namespace.told.equals(here)) this.#tell(namespace);
    const overdue = namespace.before;
    namespace.before = namespace.recently;
    namespace.recently = here.clone();
    if (!namespace.open || namespace.scan.state !== 'done' || !namespace.idle) return;
    if (!namespace.known.covers(overdue)) this.#startScan(namespace);
  }

  /** Lists what the peer lacks of what is here now. Changes from here on are marked as they happen. */
  #startScan(namespace: SessionNamespace): void {
    namespace.overflowed = false;
    const snapshot = this.#local.get(namespace.ns)!.vector().clone();
    const runs = namespace.known.missing(snapshot);
    namespace.scan = { state: runs.length > 0 ? 'running' : 'listed', snapshot };
    namespace.awaited.clear();
    if (runs.length > 0) this.#out.push({ type: 'scan', ns: namespace.ns, runs });
    else this.#listed(namespace);
  }

  #scanned(ns: number, keys: readonly string[], done: boolean): void {
    const namespace = this.#namespaces.get(ns);
    if (!namespace || namespace.scan.state !== 'running') return;
    for (const key of keys) namespace.add(key);
    if (namespace.scan.state !== 'running') return;
    if (done) this.#listed(namespace);
  }

  #listed(namespace: SessionNamespace): void {
    const { scan } = namespace;
    if (scan.state !== 'running' && scan.state !== 'listed') return;
    namespace.scan = { state: 'listed', snapshot: scan.snapshot };
    for (const job of namespace.jobs()) namespace.awaited.add(job);
  }

  #changed(ns: number, key: string, local: boolean): void {
    const namespace = this.#namespaces.get(ns);
    if (!namespace?.open) return;
    // While the peer is being brought up to a snapshot, what replaces part of it goes along.
    if (local || namespace.scan.state !== 'done') namespace.add(key);
  }

  #prepared({ ns, job, updates, nowMs }: Extract<SessionInput, { type: 'prepared' }>): void {
    const namespace = this.#namespaces.get(ns)!;
    this.#preparing--;
    if (!namespace.open) return namespace.finish(job);
    if (!updates) return namespace.retry(job, nowMs + retryDelayMs(job));
    for (const { update, sizeBytes, large } of updates) {
      job.large ||= large;
      namespace.sent(job, update.version.dot, sizeBytes, nowMs);
      this.#inFlight++;
      this.#inFlightBytes += sizeBytes;
      this.#send(update);
    }
    if (job.pending === 0) namespace.finish(job);
  }

  #acked(namespace: SessionNamespace, dot: Dot): void {
    namespace.known.add(dot);
    const sent = this.#settle(namespace, dot);
    if (!sent) return;
    this.#event('acked', namespace.ns, { key: sent.key, dot });
    sent.pending--;
    if (sent.pending === 0) namespace.finish(sent);
  }

  #nacked(namespace: SessionNamespace, dot: Dot, reason: NackReason, nowMs: number): void {
    const job = this.#settle(namespace, dot);
    this.#event('nacked', namespace.ns, { key: job?.key, dot, reason });
    if (!job) return;
    if (reason === NackReason.unauthorized || reason === NackReason.policy) {
      return this.#refused(namespace, RefusedReason.write);
    }
    job.whole ||= reason === NackReason.base || reason === NackReason.damaged;
    this.#forget(namespace, job);
    namespace.retry(job, reason === NackReason.base ? 0 : nowMs + retryDelayMs(job));
  }

  #refused(namespace: SessionNamespace, reason: RefusedReason): void {
    this.#event('refused', namespace.ns, { reason });
    if (reason === RefusedReason.read) return;
    namespace.open = false;
    for (const { dot } of namespace.inFlight.values()) this.#settle(namespace, dot);
    namespace.clear();
  }

  #settle(namespace: SessionNamespace, dot: Dot): Job | undefined {
    const name = dotName(dot);
    const sent = namespace.inFlight.get(name);
    if (!sent) return undefined;
    namespace.inFlight.delete(name);
    this.#inFlight--;
    this.#inFlightBytes -= sent.sizeBytes;
    return sent.job;
  }

  /** Drops what else of the job is in flight; answers to it will still be welcome. */
  #forget(namespace: SessionNamespace, job: Job): void {
    for (const sent of namespace.inFlight.values()) {
      if (sent.job === job) this.#settle(namespace, sent.dot);
    }
  }

  #update(update: UpdateRecord): void {
    const namespace = this.#byPeer.get(update.ns);
    const { dot } = update.version;
    if (namespace?.writable) {
      this.#out.push({ type: 'apply', ns: namespace.ns, update });
      return;
    }
    const reason = namespace ? NackReason.unauthorized : NackReason.policy;
    this.#send({ type: 'nack', ns: update.ns, dot, reason });
  }

  #applied(ns: number, dot: Dot, reason: NackReason | undefined): void {
    const namespace = this.#namespaces.get(ns);
    if (namespace?.peerNs === undefined) return;
    // Whoever sent it has it.
    namespace.known.add(dot);
    const to = namespace.peerNs;
    if (reason === undefined) this.#send({ type: 'ack', ns: to, dots: [dot] });
    else this.#send({ type: 'nack', ns: to, dot, reason });
  }

  #tick(nowMs: number): void {
    this.#exchangeDueMs ??= nowMs + EXCHANGE_MS;
    const exchange = nowMs >= this.#exchangeDueMs;
    if (exchange) this.#exchangeDueMs = nowMs + EXCHANGE_MS;
    for (const namespace of this.#namespaces.values()) {
      namespace.wake(nowMs);
      if (exchange) this.#exchange(namespace);
      for (const { job, dot, sentMs } of namespace.inFlight.values()) {
        if (nowMs - sentMs < ACK_TIMEOUT_MS || job.state !== 'inFlight') continue;
        this.#event('timeout', namespace.ns, { key: job.key, dot });
        job.whole = true;
        this.#forget(namespace, job);
        namespace.retry(job, 0);
      }
    }
  }

  /** Starts what there is room for. */
  #pump(): void {
    for (const namespace of this.#namespaces.values()) {
      if (!namespace.open) continue;
      this.#drain(namespace);
      if (namespace.scan.state === 'running' && namespace.waiting < SCAN_LOW_WATER) {
        this.#out.push({ type: 'scanMore', ns: namespace.ns });
      }
      if (namespace.overflowed && namespace.waiting < SCAN_LOW_WATER) this.#startScan(namespace);
      this.#cover(namespace);
    }
  }

  #drain(namespace: SessionNamespace): void {
    const { maxInFlightBytes } = this.#options;
    while (this.#preparing < MAX_PREPARING && this.#inFlight < MAX_IN_FLIGHT) {
      if (this.#inFlightBytes >= maxInFlightBytes) return;
      const job = namespace.take();
      if (!job) return;
      this.#preparing++;
      this.#out.push({ type: 'prepare', ns: namespace.ns, job });
    }
  }

  /** Says which dots the peer has the effect of, though some were never sent. */
  #cover(namespace: SessionNamespace): void {
    const { scan, known, ns } = namespace;
    if (scan.state === 'listed' && namespace.awaited.size === 0) {
      namespace.scan = { state: 'done' };
      if (known.covers(scan.snapshot)) return;
      known.merge(scan.snapshot);
      this.#send({ type: 'covered', ns, vector: scan.snapshot });
    }
    if (scan.state !== 'done' || !namespace.idle || namespace.overflowed) return;
    const replica = this.#options.replica();
    const last = this.#local.get(ns)!.vector().max(replica);
    if (last === 0 || known.base(replica) >= last) return;
    const vector = new VersionVector(new Map([[replica, [[1, last]]]]));
    known.merge(vector);
    this.#send({ type: 'covered', ns, vector });
  }

  #send(record: WireRecord): void {
    this.#out.push({ type: 'send', record });
  }

  #event(
    event: Extract<SessionOutput, { type: 'event' }>['event'],
    ns: number,
    rest: { key?: string | undefined; dot?: Dot | undefined; reason?: NackReason | RefusedReason },
  ): void {
    this.#out.push({ type: 'event', event, ns, ...rest });
  }
}

function retryDelayMs(job: Job): number {
  return RETRY_MS * 2 ** Math.min(job.retries++, MAX_DOUBLINGS);
}
