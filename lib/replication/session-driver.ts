/**
 * Runs a {@link Session} over one link: reads, encodes, sends, applies, counts. Owns the session's
 * outgoing stream. A bulk stream that fails costs what it carried; when the session's own stream
 * fails on a live link, a new session begins after a while.
 */
import type { Timer } from '../clock.ts';
import type { DotRun } from '../conflict/index.ts';
import { DwcpError, isDwcpError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import type { Link } from '../links/link.ts';
import type { DigestKind } from '../compression/index.ts';
import type { Codec } from '../compression/index.ts';
import { contentBytesOf } from '../compression/frame.ts';
import type { Stream } from '../transport/stream.ts';
import type { FrameReader } from './frame-codec.ts';
import type { NamespaceStore } from './namespace-store.ts';
import { Outbox } from './outbox.ts';
import { PeerBases } from './peer-bases.ts';
import { countUpdate } from './replication-stats.ts';
import type { PeerCounters } from './replication-stats.ts';
import type { ReplicatorParts } from './replicator-parts.ts';
import { Session } from './session.ts';
import type { Prepared, SessionInput, SessionOutput } from './session.ts';
import type { Job } from './session-namespace.ts';
import { decodeMessage, NackReason } from './wire.ts';
import type { UpdateRecord, WireRecord } from './wire.ts';

/** Keys of one page of a scan. */
const SCAN_PAGE = 512;
/** Time before a broken session begins anew, ms. */
const RESTART_MS = 5_000;
/** What an update weighs besides its frame and key, about, bytes. */
const UPDATE_OVERHEAD_BYTES = 96;

/** Replication over one link. */
export class SessionDriver {
  readonly link: Link;
  readonly #parts: ReplicatorParts;
  readonly #counters: PeerCounters;
  /** What the peer can decode and verify. */
  readonly reader: FrameReader;
  readonly #bases = new PeerBases();
  readonly #scans = new Map<number, { keys: AsyncGenerator<{ key: string }>; busy: boolean }>();
  #session: Session;
  #outbox: Outbox | undefined;
  readonly #inbound = new Set<Stream>();
  #restart: Timer | undefined;
  #begun = false;
  #closed = false;

  constructor(parts: ReplicatorParts, link: Link, counters: PeerCounters) {
    this.#parts = parts;
    this.link = link;
    this.#counters = counters;
    const { codecs, digests } = link.peer;
    this.reader = { codecs: codecs as Codec[], digests: digests as DigestKind[] };
    this.#session = this.#newSession();
    this.#open();
  }

  get stats(): Session['stats'] {
    return this.#session.stats;
  }

  /** An inbound stream of the peer's session. */
  accept(stream: Stream): void {
    this.#inbound.add(stream);
    stream.onClose(() => this.#inbound.delete(stream));
    stream.onMessage(async (message) => {
      try {
        await this.#receive(message);
      } catch (error) {
        const { nodeId } = this.link.peer;
        this.#parts.logger.warn({ nodeId, error }, 'bad state message');
        const code = isDwcpError(error) ? error.code : 'ERR_DWCP_PROTOCOL';
        stream.reset(code, isDwcpError(error) ? error.message : 'the message cannot be handled');
      }
    });
    stream.onEnd(() => stream.end());
  }

  /** A namespace was declared. */
  declare(store: NamespaceStore): void {
    this.#step({ type: 'declare', namespace: localOf(store) });
  }

  /** A version became durable here. */
  changed(ns: number, key: string, local: boolean): void {
    this.#step({ type: 'changed', ns, key, local });
  }

  tick(nowMs: number): void {
    this.#step({ type: 'tick', nowMs });
  }

  /** Stops; what is under way is dropped, the peer asks again on the next link. */
  close(): void {
    this.#closed = true;
    this.#restart?.cancel();
    this.#outbox?.close();
    // The peer keeps its own open, and the link with it.
    for (const stream of this.#inbound) stream.reset('ERR_DWCP_CLOSED');
    for (const { keys } of this.#scans.values()) void keys.return(undefined);
    this.#scans.clear();
  }

  #newSession(): Session {
    const { store } = this.#parts;
    return new Session({
      replica: () => store.replicaId,
      maxInFlightBytes: store.parts.limits.maxInFlightBytes,
      authorize: (verb, namespace) => this.#authorize(verb, namespace),
    });
  }

  /** A hook that throws refuses. */
  #authorize(verb: string, namespace: string): boolean {
    const { links, logger } = this.#parts;
    try {
      return links.authorize(this.link, verb, namespace);
    } catch (error) {
      logger.error({ verb, namespace, error }, 'the authorize hook threw');
      return false;
    }
  }

  /** Begins a session on a new stream. */
  #open(): void {
    try {
      this.#outbox = new Outbox(this.link, {
        onBroken: (error) => this.#broken(error),
        onLost: (record, error) => this.#lost(record, error),
      });
    } catch (error) {
      this.#parts.logger.debug({ error }, 'no state stream: the link is down');
      return;
    }
    this.#outbox.push({ type: 'begin', ns: 0 });
    for (const store of this.#parts.store.namespaces) this.declare(store);
  }

  #broken(error: DwcpError | undefined): void {
    if (this.#closed || error?.code === 'ERR_DWCP_LINK_DOWN') return;
    const { nodeId } = this.link.peer;
    const leaves = isDwcpError(error?.cause, 'ERR_DWCP_CLOSED');
    this.#parts.logger[leaves ? 'debug' : 'warn'](
      { nodeId, error },
      'replication with this peer stopped',
    );
    this.#restart = this.#parts.clock.setTimer(() => {
      if (this.#closed) return;
      this.#forget();
      this.#open();
    }, RESTART_MS);
    this.#restart.unref();
  }

  /** As if the peer had said that the update is beyond its limits: it is tried again, ever later. */
  #lost(record: WireRecord, error: unknown): void {
    if (record.type !== 'update' || isDwcpError(error, 'ERR_DWCP_LINK_DOWN')) return;
    const { ns, key, version } = record;
    const { nodeId } = this.link.peer;
    this.#parts.logger.warn({ nodeId, key, error }, 'an update could not be sent');
    const nack: WireRecord = { type: 'nack', ns, dot: version.dot, reason: NackReason.limit };
    this.#step({ type: 'record', record: nack, nowMs: this.#parts.clock.monotonic() });
  }

  /** The peer begins: a second time, it has forgotten what it knew, and so do we. */
  #onBegin(): void {
    if (!this.#begun) {
      this.#begun = true;
      return;
    }
    this.#forget();
    for (const store of this.#parts.store.namespaces) this.declare(store);
  }

  #forget(): void {
    for (const { keys } of this.#scans.values()) void keys.return(undefined);
    this.#scans.clear();
    this.#session = this.#newSession();
  }

  async #receive(message: Buffer): Promise<void> {
    const applies: Promise<void>[] = [];
    for (const record of decodeMessage(message)) {
      if (record.type === 'begin') this.#onBegin();
      const nowMs = this.#parts.clock.monotonic();
      this.#step({ type: 'record', record, nowMs }, applies);
    }
    await Promise.all(applies);
  }

  /** Steps the session; `applies` gets what the caller may want to wait for. */
  #step(input: SessionInput, applies?: Promise<void>[]): void {
    if (this.#closed) return;
    for (const output of this.#session.step(input)) this.#do(output, applies);
  }

  #do(output: SessionOutput, applies: Promise<void>[] | undefined): void {
    switch (output.type) {
      case 'send':
        return this.#outbox?.push(output.record);
      case 'scan':
        return this.#scan(output.ns, output.runs);
      case 'scanMore':
        return void this.#scanPage(output.ns);
      case 'prepare':
        return void this.#prepare(this.#session, output.ns, output.job);
      case 'apply':
        return void applies?.push(this.#apply(this.#session, output.ns, output.update));
      case 'cover':
        return void this.#storeOf(output.ns)
          ?.cover(output.vector)
          .catch((error: unknown) => this.#parts.logger.error({ error }, 'vector not stored'));
      case 'event':
        return this.#event(output);
    }
  }

  #storeOf(ns: number): NamespaceStore | undefined {
    return this.#parts.store.byId(ns);
  }

  #scan(ns: number, runs: readonly DotRun[]): void {
    const store = this.#storeOf(ns);
    if (!store) return;
    void this.#scans.get(ns)?.keys.return(undefined);
    this.#scans.set(ns, { keys: store.reader.dots(runs), busy: false });
    void this.#scanPage(ns);
  }

  async #scanPage(ns: number): Promise<void> {
    const scan = this.#scans.get(ns);
    if (!scan || scan.busy) return;
    scan.busy = true;
    const session = this.#session;
    const keys: string[] = [];
    let done = false;
    try {
      while (keys.length < SCAN_PAGE && !done) {
        const next = await scan.keys.next();
        if (next.done) done = true;
        else keys.push(next.value.key);
      }
    } catch (error) {
      this.#parts.logger.error({ error }, 'the dot index cannot be read');
      return;
    }
    scan.busy = false;
    if (this.#scans.get(ns) !== scan || session !== this.#session) return;
    if (done) this.#scans.delete(ns);
    this.#step({ type: 'scanned', ns, keys, done });
  }

  async #prepare(session: Session, ns: number, job: Job): Promise<void> {
    const store = this.#storeOf(ns)!;
    let updates: Prepared[] | undefined;
    try {
      updates = await store.reader.steady(job.key, async (record) => {
        const lacking = record.siblings.filter(({ dot }) => session.lacks(ns, dot));
        return Promise.all(
          lacking.map(async (version): Promise<Prepared> => {
            const sourced = await this.#parts.frames.frame(store, job.key, record, version, {
              reader: this.reader,
              has: (dot) => session.has(ns, dot),
              acked: this.#bases.get(ns, job.key),
              whole: job.whole,
            });
            const putWallMs = this.#parts.timings.get(ns, version.dot)?.wallMs ?? 0;
            const { frame, base, contentBytes = 0 } = sourced ?? {};
            const update: UpdateRecord = {
              type: 'update',
              ns,
              key: job.key,
              putWallMs,
              version,
              frame,
              base,
            };
            const sizeBytes = UPDATE_OVERHEAD_BYTES + job.key.length + (frame?.length ?? 0);
            this.#countSent(store, update, sizeBytes, contentBytes);
            const large = contentBytes > this.#parts.store.parts.limits.inlineValueBytes;
            return { update, sizeBytes, large };
          }),
        );
      });
    } catch (error) {
      this.#parts.logger.error({ key: job.key, error }, 'a key cannot be sent');
    }
    if (session !== this.#session) return;
    this.#step({ type: 'prepared', ns, job, updates, nowMs: this.#parts.clock.monotonic() });
  }

  #countSent(store: NamespaceStore, update: UpdateRecord, wireBytes: number, raw: number): void {
    const form = update.frame ? (update.base ? 'delta' : 'full') : 'tombstone';
    countUpdate(this.#counters.sent, form, wireBytes, raw);
    countUpdate(this.#parts.countersOf(store).sent, form, wireBytes, raw);
  }

  async #apply(session: Session, ns: number, update: UpdateRecord): Promise<void> {
    const store = this.#storeOf(ns)!;
    const { key, version, frame, base, putWallMs } = update;
    let reason: NackReason | undefined;
    try {
      this.#checkKey(key);
      const how = await store.apply(key, version, frame && { frame, base });
      this.#bases.set(ns, key, version.dot);
      this.#countReceived(store, update);
      if (how === 'applied' && putWallMs > 0) {
        this.#counters.putToFreshMs.record(this.#parts.clock.now() - putWallMs);
      }
    } catch (error) {
      reason = reasonOf(error);
      this.#counters.nacksSent++;
      if (reason === NackReason.damaged) this.#counters.damaged++;
      const { nodeId } = this.link.peer;
      if (reason !== NackReason.base) {
        this.#parts.logger.warn({ nodeId, key, error }, 'an update was not taken');
      }
    }
    if (session === this.#session) {
      this.#step({ type: 'applied', ns, dot: version.dot, reason });
    }
  }

  #checkKey(key: string): void {
    const { maxKeyBytes } = this.#parts.store.parts.limits;
    if (Buffer.byteLength(key) <= maxKeyBytes) return;
    throw new DwcpError('ERR_DWCP_LIMIT', `a key above ${maxKeyBytes} bytes`, {
      detail: { limit: 'maxKeyBytes', max: maxKeyBytes },
    });
  }

  #countReceived(store: NamespaceStore, { frame, base, key }: UpdateRecord): void {
    const form = frame ? (base ? 'delta' : 'full') : 'tombstone';
    const wireBytes = UPDATE_OVERHEAD_BYTES + key.length + (frame?.length ?? 0);
    const raw = frame ? contentBytesOf(frame) : 0;
    countUpdate(this.#counters.received, form, wireBytes, raw);
    countUpdate(this.#parts.countersOf(store).received, form, wireBytes, raw);
  }

  #event({ event, ns, key, dot, reason }: Extract<SessionOutput, { type: 'event' }>): void {
    const { nodeId } = this.link.peer;
    if (event === 'acked' && key !== undefined && dot) {
      this.#counters.acked++;
      this.#bases.set(ns, key, dot);
      const timing = this.#parts.timings.get(ns, dot);
      if (!timing) return;
      this.#counters.putToAckMs.record(this.#parts.clock.monotonic() - timing.startedMs);
      return;
    }
    if (event === 'spent') {
      const replicaId = this.#parts.store.renew();
      this.#parts.logger.error({ nodeId, replicaId }, 'this store is an older copy of itself');
    }
    if (event === 'nacked') this.#counters.nacksReceived++;
    if (event === 'refused') {
      this.#counters.refused++;
      const namespace = this.#storeOf(ns)?.name;
      this.#parts.logger.error({ nodeId, namespace, reason }, 'a keyspace is not replicated');
    }
    if (event === 'nacked' && key !== undefined) this.#bases.delete(ns, key);
  }
}

/** How the session sees a namespace. */
function localOf({ ns, name, fingerprint, state }: NamespaceStore): {
  ns: number;
  name: string;
  fingerprint: string;
  vector: () => NamespaceStore['vector'];
} {
  return { ns, name, fingerprint, vector: () => state.vector };
}

const reasons: Partial<Record<ErrorCode, NackReason>> = {
  ERR_DWCP_BASE_MISSING: NackReason.base,
  ERR_DWCP_BASE_MISMATCH: NackReason.base,
  ERR_DWCP_LIMIT: NackReason.limit,
  ERR_DWCP_VALUE_TOO_LARGE: NackReason.limit,
  ERR_DWCP_OUTPUT_LIMIT: NackReason.limit,
  ERR_DWCP_WINDOW_LIMIT: NackReason.limit,
  ERR_DWCP_CLOCK_DRIFT: NackReason.drift,
  ERR_DWCP_STORAGE: NackReason.storage,
  ERR_DWCP_STORAGE_CORRUPT: NackReason.storage,
  ERR_DWCP_CLOSED: NackReason.storage,
};

/** What to tell the peer; whatever is wrong with a frame counts as damage. */
function reasonOf(error: unknown): NackReason {
  if (!isDwcpError(error)) return NackReason.storage;
  return reasons[error.code] ?? NackReason.damaged;
}
