/**
 * What a namespace remembers besides its keys: version vector, clock, audit window, conflict count.
 * One small record, written in every batch that changes the namespace, so vector and effect cannot
 * part. The vector in memory advances only when the batch is durable.
 */
import { ByteReader } from '../compression/varint.ts';
import { conflictCodecLimits, HybridClock, VersionVector } from '../conflict/index.ts';
import type { Dot, Hlc, ReplicaId } from '../conflict/index.ts';
import { DwcpError } from '../errors.ts';
import type { StorageOp } from '../storage/storage.ts';
import { ByteWriter, readSized } from './byte-writer.ts';
import type { StateSource } from './group-commit.ts';
import { layout } from './layout.ts';

const FORMAT = 1;
/** Replicas in a vector; some less than decoders take, for what is in one batch. */
const MAX_REPLICAS = conflictCodecLimits.maxReplicas - 128;

/** What one write adds to the vector. */
export interface StateChange {
  readonly dots: readonly Dot[];
  /** Dots whose effect is here through other versions. */
  readonly covered?: VersionVector | undefined;
}

/** Where the state starts. */
export interface StateOptions {
  readonly ns: number;
  readonly replica: ReplicaId;
  readonly maxDriftMs: number;
  /** The stored record, if there is one. */
  readonly stored: Buffer | undefined;
}

/** Vector, clock and counters of one namespace. */
export class NamespaceState implements StateSource<StateChange> {
  readonly #ns: number;
  #replica: ReplicaId;
  readonly #clock: HybridClock;
  #vector: VersionVector;
  #lastSeq: number;
  #hlc: Hlc;
  /** Oldest audit record kept and number of the next. */
  auditFirst = 0;
  auditNext = 0;
  conflicts = 0;

  constructor({ ns, replica, maxDriftMs, stored }: StateOptions) {
    this.#ns = ns;
    this.#replica = replica;
    this.#vector = new VersionVector();
    this.#hlc = { wallMs: 0, counter: 0 };
    if (stored) this.#read(stored);
    this.#lastSeq = this.#vector.max(replica);
    this.#clock = new HybridClock({ maxDriftMs, last: this.#hlc });
  }

  /** Dots whose effect is durable here. Read only. */
  get vector(): VersionVector {
    return this.#vector;
  }

  /** Goes on under another replica id, counting from 1. */
  renew(replica: ReplicaId): void {
    this.#replica = replica;
    this.#lastSeq = this.#vector.max(replica);
  }

  /**
   * Hands the next dot and stamp to `use`; they count as used unless it throws. Call
   * `GroupCommit.commit` in the same turn, so dots become durable in order.
   */
  stamp<T>(wallMs: number, use: (dot: Dot, hlc: Hlc) => T): T {
    this.admit([this.#replica]);
    const hlc = this.#clock.tick(wallMs);
    const result = use({ replica: this.#replica, seq: this.#lastSeq + 1 }, hlc);
    this.#hlc = hlc;
    this.#lastSeq++;
    return result;
  }

  /**
   * Called before dots of these replicas become part of the vector: one of more replicas than decoders
   * take could never be read again.
   * @throws ERR_DWCP_LIMIT
   */
  admit(replicas: Iterable<ReplicaId>): void {
    const known = this.#vector.dots;
    let count = known.size;
    for (const replica of replicas) if (!known.has(replica)) count++;
    if (count <= MAX_REPLICAS || count === known.size) return;
    throw new DwcpError('ERR_DWCP_LIMIT', `more than ${MAX_REPLICAS} replicas wrote here`, {
      detail: { limit: 'maxReplicas', max: MAX_REPLICAS },
    });
  }

  /** Takes note of a remote stamp. @throws ERR_DWCP_CLOCK_DRIFT */
  receive(remote: Hlc, wallMs: number): void {
    this.#clock.receive(remote, wallMs);
    const { wallMs: here, counter } = this.#hlc;
    if (remote.wallMs > here || (remote.wallMs === here && remote.counter > counter)) {
      this.#hlc = remote;
    }
  }

  sealState(changes: readonly StateChange[]): StorageOp {
    const writer = new ByteWriter().byte(FORMAT).sized(this.#after(changes).encode());
    writer.varint(this.#hlc.wallMs).varint(this.#hlc.counter);
    writer.varint(this.auditFirst).varint(this.auditNext).varint(this.conflicts);
    return { type: 'put', key: layout.state(this.#ns), value: writer.finish() };
  }

  durable(change: StateChange): void {
    advance(this.#vector, change);
  }

  #after(changes: readonly StateChange[]): VersionVector {
    const next = this.#vector.clone();
    for (const change of changes) advance(next, change);
    return next;
  }

  #read(stored: Buffer): void {
    const reader = new ByteReader(stored);
    if (reader.byte() !== FORMAT) {
      throw new DwcpError('ERR_DWCP_STORAGE_CORRUPT', 'the namespace state has an unknown format');
    }
    this.#vector = VersionVector.decode(readSized(reader, stored.length, 'vector'));
    this.#hlc = { wallMs: reader.varint(), counter: reader.varint() };
    this.auditFirst = reader.varint();
    this.auditNext = reader.varint();
    this.conflicts = reader.varint();
  }
}

function advance(vector: VersionVector, { dots, covered }: StateChange): void {
  for (const dot of dots) vector.add(dot);
  if (covered) vector.merge(covered);
}
