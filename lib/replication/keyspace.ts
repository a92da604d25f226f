/**
 * What a user holds: one namespace of keys, read and written locally, kept fresh everywhere. Writes
 * resolve when they are durable on this node; peers follow. Values handed in are copied, values handed
 * out belong to the caller.
 */
import type { Baseline } from '../compression/index.ts';
import type {
  AuditRecord,
  CausalContext,
  Dot,
  Hlc,
  PolicyName,
  Version,
} from '../conflict/index.ts';
import { throwIfAborted, untilAborted } from '../abort.ts';
import { aSignal, aString, checkOptions } from '../check-options.ts';
import type { Check } from '../check-options.ts';
import type { Clock } from '../clock.ts';
import { DwcpError, invalidArg } from '../errors.ts';
import { ChangeFeed } from './change-feed.ts';
import type { WatchOptions } from './change-feed.ts';
import type { StoredEntry } from './namespace-reader.ts';
import type { Applied, NamespaceStore } from './namespace-store.ts';
import type { JsonValue, ValueCodecName } from './value-codec.ts';

/** What `put` takes. */
export type ValueIn<C extends ValueCodecName> = C extends 'json' ? JsonValue : Uint8Array;
/** What reads give. */
export type ValueOut<C extends ValueCodecName> = C extends 'json' ? JsonValue : Buffer;
/** What `get` gives: the value, or with policy `siblings` the whole entry, so none is overlooked. */
export type ReadOf<P extends PolicyName, V> = P extends 'siblings' ? Entry<V> : V | undefined;

/** One version and its value. */
export interface Sibling<V> {
  readonly value: V;
  readonly version: Version;
}

/** All that is known of a key. */
export interface Entry<V> {
  readonly key: string;
  /** The visible value: the greatest version under either policy; undefined when absent or deleted. */
  readonly value: V | undefined;
  /** Every value standing, greatest first; two or more mean concurrent writes. */
  readonly siblings: readonly Sibling<V>[];
  /** Hand it to `put`: the write then replaces exactly what was read here. */
  readonly context: CausalContext;
}

/** A change of what a reader sees. */
export interface Change<V> {
  readonly key: string;
  /** The value of `version`; undefined for a tombstone. */
  readonly value: V | undefined;
  readonly version: Version;
  readonly origin: 'local' | 'remote';
  readonly deleted: boolean;
}

/** A decision of the policy and the value it set aside. */
export interface Audited<V> extends AuditRecord {
  /** Number of the record, rising. */
  readonly number: number;
  /** The loser's value; undefined for a tombstone. */
  loserValue(): Promise<V | undefined>;
}

/** Options of writes. */
export interface WriteOptions {
  /** What the writer had seen, from {@link Entry.context}. Default: everything on this node. */
  readonly context?: CausalContext | undefined;
  /** Stops waiting; a write that has begun may still become durable. */
  readonly signal?: AbortSignal | undefined;
}

/** What a write is known by. */
export interface WriteResult {
  readonly dot: Dot;
  readonly hlc: Hlc;
}

/** The codec of a keyspace. */
export type CodecOf<C extends ValueCodecName> = {
  readonly name: ValueCodecName;
  encode(value: ValueIn<C>): Buffer;
  decode(bytes: Buffer): ValueOut<C>;
};

/** What a {@link Keyspace} works with. */
export interface KeyspaceParts<C extends ValueCodecName> {
  readonly store: NamespaceStore;
  readonly codec: CodecOf<C>;
  readonly clock: Clock;
  readonly maxKeyBytes: number;
  readonly onListenerError: (error: unknown) => void;
}

const aContext: Check = [
  'the context of an entry',
  (value) => value instanceof Map && [...value.values()].every((ranges) => Array.isArray(ranges)),
];
const writeChecks = { context: aContext, signal: aSignal };
const watchChecks = { signal: aSignal };
const subscribeChecks = { signal: aSignal, prefix: aString };
const auditChecks = { key: aString };

/**
 * One namespace of keys.
 * @example
 * const prices = replicator.keyspace('prices', { policy: 'lww', codec: 'json' });
 * await prices.put('eur', { usd: 1.08 });
 * for await (const { key, value } of prices.watch('e')) console.log(key, value);
 */
export class Keyspace<
  P extends PolicyName = PolicyName,
  C extends ValueCodecName = ValueCodecName,
> {
  readonly #store: NamespaceStore;
  readonly #codec: CodecOf<C>;
  readonly #parts: KeyspaceParts<C>;
  readonly #feed: ChangeFeed<Applied>;
  #closed = false;

  constructor(parts: KeyspaceParts<C>) {
    this.#parts = parts;
    this.#store = parts.store;
    this.#codec = parts.codec;
    this.#feed = new ChangeFeed(parts.onListenerError);
  }

  get name(): string {
    return this.#store.name;
  }

  get policy(): P {
    return this.#store.config.policy as P;
  }

  get codec(): C {
    return this.#codec.name as C;
  }

  /** Writes that left more than one version standing, since the keyspace was created. */
  get conflicts(): number {
    return this.#store.state.conflicts;
  }

  /**
   * Writes a value; resolves when it is durable on this node. The value is copied.
   * @throws ERR_DWCP_INVALID_ARG, ERR_DWCP_VALUE_TOO_LARGE, ERR_DWCP_LIMIT (siblings, waiting writes),
   * ERR_DWCP_ABORTED, ERR_DWCP_STORAGE, ERR_DWCP_STORAGE_CORRUPT, ERR_DWCP_CLOSED
   */
  put(key: string, value: ValueIn<C>, options: WriteOptions = {}): Promise<WriteResult> {
    return this.#write(key, (codec) => codec.encode(value), options);
  }

  /** Deletes the key, leaving a tombstone; resolves and throws as {@link put}. */
  delete(key: string, options: WriteOptions = {}): Promise<WriteResult> {
    return this.#write(key, () => undefined, options);
  }

  /**
   * The value (policy `lww`: of the greatest version), or with policy `siblings` the {@link Entry}.
   * @throws ERR_DWCP_INVALID_ARG, ERR_DWCP_STORAGE, ERR_DWCP_STORAGE_CORRUPT naming the key
   */
  async get(key: string): Promise<ReadOf<P, ValueOut<C>>> {
    if (this.policy === 'siblings') return (await this.getEntry(key)) as ReadOf<P, ValueOut<C>>;
    this.#check(key);
    const { values } = await this.#store.reader.entry(key);
    return this.#decode(values[0]?.value) as ReadOf<P, ValueOut<C>>;
  }

  /** Every standing value of the key, losers of `lww` included; throws as {@link get}. */
  async getEntry(key: string): Promise<Entry<ValueOut<C>>> {
    this.#check(key);
    return this.#entry(await this.#store.reader.entry(key, 'siblings'));
  }

  /** Entries whose key starts with `prefix`, in byte order of UTF-8; throws as {@link get}. */
  async *scan(prefix = ''): AsyncGenerator<Entry<ValueOut<C>>> {
    this.#checkPrefix(prefix);
    for await (const entry of this.#store.reader.scan(prefix)) yield this.#entry(entry);
  }

  /**
   * Changes from now on, local and remote. A slow consumer gets the latest change per key; more than
   * 65,536 keys behind, it gets ERR_DWCP_LIMIT. Ends when the signal fires or the keyspace closes.
   */
  watch(prefix = '', options: WatchOptions = {}): AsyncIterableIterator<Change<ValueOut<C>>> {
    this.#checkPrefix(prefix);
    checkOptions('options', options, watchChecks);
    return this.#feed.iterate(prefix, (applied) => this.#current(applied), options);
  }

  /**
   * Calls `listener` in the turn a change became durable here; returns how to stop. `value` decodes
   * when it is read. What the listener throws is logged.
   */
  subscribe(
    listener: (change: Change<ValueOut<C>>) => void,
    options: WatchOptions & { readonly prefix?: string } = {},
  ): () => void {
    checkOptions('options', options, subscribeChecks);
    if (typeof listener !== 'function') invalidArg('listener', 'a function', listener);
    const { prefix = '' } = options;
    this.#checkPrefix(prefix);
    return this.#feed.subscribe(prefix, (applied) => listener(this.#live(applied)), options);
  }

  /** Decisions of the policy, oldest first; of one key if named. Bounded by `maxAuditRecords`. */
  async *audit(options: { readonly key?: string } = {}): AsyncGenerator<Audited<ValueOut<C>>> {
    this.#open();
    checkOptions('options', options, auditChecks);
    for await (const { loserBytes, ...record } of this.#store.auditLog.entries(options.key)) {
      const loserValue = async (): Promise<ValueOut<C> | undefined> => {
        const bytes = await loserBytes();
        return bytes && this.#codec.decode(bytes);
      };
      yield { ...record, loserValue };
    }
  }

  /** Tells watchers. Called by the replicator. */
  announce(applied: Applied): void {
    if (applied.visibleChanged) this.#feed.emit(applied);
  }

  /** Ends watches; called by the replicator. */
  close(): void {
    this.#closed = true;
    this.#feed.close();
  }

  async #write(
    key: string,
    encode: (codec: CodecOf<C>) => Buffer | undefined,
    options: WriteOptions,
  ): Promise<WriteResult> {
    this.#check(key);
    checkOptions('options', options, writeChecks);
    const { context, signal } = options;
    throwIfAborted(signal);
    const { clock } = this.#parts;
    const timing = { wallMs: clock.now(), startedMs: clock.monotonic() };
    const writing = this.#store.put(key, encode(this.#codec), { context, timing });
    const { dot, hlc } = await untilAborted(writing, signal);
    return { dot, hlc };
  }

  #open(): void {
    if (this.#closed) throw new DwcpError('ERR_DWCP_CLOSED', `keyspace ${this.name} is closed`);
  }

  #check(key: string): void {
    this.#open();
    const { maxKeyBytes } = this.#parts;
    const expected = `well-formed text of 1 to ${maxKeyBytes} bytes`;
    if (typeof key !== 'string' || key === '' || /\p{Surrogate}/u.test(key)) {
      invalidArg('key', expected, key);
    }
    if (Buffer.byteLength(key) > maxKeyBytes) invalidArg('key', expected, `${key.length} letters`);
  }

  #checkPrefix(prefix: string): void {
    this.#open();
    if (typeof prefix !== 'string') invalidArg('prefix', 'a string', prefix);
  }

  #decode(value: Baseline | undefined): ValueOut<C> | undefined {
    return value && this.#codec.decode(value.bytes);
  }

  #entry({ key, values, context }: StoredEntry): Entry<ValueOut<C>> {
    const siblings = values.map(({ version, value }) => ({ version, value: this.#decode(value)! }));
    return { key, value: siblings[0]?.value, siblings, context };
  }

  #live({ key, version, local, siblings, value }: Applied): Change<ValueOut<C>> {
    const decode = (): ValueOut<C> | undefined => this.#decode(value);
    const shown = this.policy === 'lww' ? siblings.slice(0, 1) : siblings;
    const deleted = shown.every((each) => each.deleted);
    const origin = local ? 'local' : 'remote';
    return {
      key,
      version,
      origin,
      deleted,
      get value() {
        return decode();
      },
    };
  }

  /** The change as it stands when a slow consumer takes it. */
  async #current({ key, version, local }: Applied): Promise<Change<ValueOut<C>>> {
    const { values } = await this.#store.reader.entry(key);
    const [top] = values;
    const origin = local ? 'local' : 'remote';
    const value = this.#decode(top?.value);
    return { key, value, version: top?.version ?? version, origin, deleted: top === undefined };
  }
}
