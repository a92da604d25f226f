/**
 * What a policy decided, kept so that nothing is discarded in silence: every loser with its value,
 * numbered per namespace, the newest `maxAuditRecords`. A record and its value are written in the batch
 * that made the decision; the oldest leaves in the same batch.
 */
import type { Baseline } from '../compression/index.ts';
import { ByteReader } from '../compression/varint.ts';
import { decodeVersion, encodeVersion } from '../conflict/index.ts';
import type { AuditRecord } from '../conflict/index.ts';
import { DwcpError } from '../errors.ts';
import type { BlobStore, Storage, StorageOp } from '../storage/storage.ts';
import { ByteWriter, readSized, readText } from './byte-writer.ts';
import type { ChainStore } from './chain-store.ts';
import type { FrameCodec } from './frame-codec.ts';
import { layout } from './layout.ts';
import type { NamespaceState } from './namespace-state.ts';

const FORMAT = 1;
const MAX_KEY_BYTES = 65_536;
const MAX_NAME_BYTES = 256;

/** Where a loser's value is kept. */
type Kept =
  | { readonly kind: 'none' }
  | { readonly kind: 'inline'; readonly bytes: Buffer }
  | { readonly kind: 'blob'; readonly blob: string };

/** An audit record and the loser's value. */
export interface AuditEntry extends AuditRecord {
  /** Number of the record in its namespace, rising. */
  readonly number: number;
  /** Bytes of the loser; undefined for a tombstone. */
  readonly loserBytes: () => Promise<Buffer | undefined>;
}

/** Turns decisions into operations; one record per loser that was prepared, in that order. */
export type Recording = (records: readonly AuditRecord[]) => readonly StorageOp[];

/** What {@link AuditLog.prepare} gives. */
export interface PreparedAudit {
  readonly recording: Recording;
  /** Blobs to delete once the batch is durable. */
  readonly obsolete: readonly string[];
}

/** For a write that nobody lost to. */
export const nothingRecorded: PreparedAudit = { recording: () => [], obsolete: [] };

/** What an {@link AuditLog} works with. */
export interface AuditLogOptions {
  readonly ns: number;
  readonly namespace: string;
  readonly storage: Storage;
  readonly blobs: BlobStore;
  readonly chains: ChainStore;
  readonly codec: FrameCodec;
  readonly state: NamespaceState;
  readonly maxRecords: number;
  readonly inlineValueBytes: number;
}

/** The audit records of one namespace. */
export class AuditLog {
  readonly #options: AuditLogOptions;

  constructor(options: AuditLogOptions) {
    this.#options = options;
  }

  /**
   * Does what takes time for recording losers: large values are durable in a blob when it resolves
   * (undefined is a tombstone), and the oldest records are found. `obsolete` blobs may be deleted once
   * the batch is durable.
   */
  async prepare(losers: readonly (Baseline | undefined)[]): Promise<PreparedAudit> {
    const obsolete: string[] = [];
    const ops: StorageOp[] = [];
    const kept: Kept[] = [];
    for (const loser of losers) kept.push(await this.#keep(loser, ops));
    const { state, ns, maxRecords } = this.#options;
    while (state.auditNext + losers.length - state.auditFirst > maxRecords) {
      if (state.auditFirst === state.auditNext) break;
      await this.#dropOldest(ops, obsolete);
    }
    const recording: Recording = (records) => {
      for (const [at, record] of records.entries()) {
        const key = layout.audit(ns, state.auditNext++);
        ops.push({ type: 'put', key, value: encode(record, kept[at]!) });
      }
      return ops;
    };
    return { recording, obsolete };
  }

  /** Records from oldest to newest, of one key if named. */
  async *entries(key?: string): AsyncGenerator<AuditEntry> {
    const { ns, namespace, storage, state } = this.#options;
    const range = {
      gte: layout.audit(ns, state.auditFirst),
      lt: layout.audit(ns, state.auditNext),
    };
    for await (const [at, value] of storage.scan(range)) {
      const { record, kept } = decode(value, namespace);
      if (key !== undefined && record.key !== key) continue;
      const number = layout.auditNumber(at);
      yield { ...record, number, loserBytes: () => this.#load(record.key, kept) };
    }
  }

  async #keep(loser: Baseline | undefined, ops: StorageOp[]): Promise<Kept> {
    if (!loser) return { kind: 'none' };
    if (loser.sizeBytes <= this.#options.inlineValueBytes) {
      return { kind: 'inline', bytes: loser.bytes };
    }
    const { blob, mark } = await this.#options.chains.keep(loser);
    ops.push(mark);
    return { kind: 'blob', blob };
  }

  async #dropOldest(ops: StorageOp[], obsolete: string[]): Promise<void> {
    const { state, storage, ns, namespace } = this.#options;
    const key = layout.audit(ns, state.auditFirst++);
    const value = await storage.get(key);
    if (!value) return;
    const { kept } = decode(value, namespace);
    ops.push({ type: 'delete', key });
    if (kept.kind !== 'blob') return;
    ops.push({ type: 'delete', key: layout.blob(kept.blob) });
    obsolete.push(kept.blob);
  }

  async #load(key: string, kept: Kept): Promise<Buffer | undefined> {
    if (kept.kind === 'none') return undefined;
    if (kept.kind === 'inline') return Buffer.from(kept.bytes);
    const frame = await this.#options.blobs.get(kept.blob);
    if (frame) return (await this.#options.codec.decode(frame)).bytes;
    throw new DwcpError('ERR_DWCP_STORAGE', `the audit record of key ${key} has left the log`);
  }
}

function encode(record: AuditRecord, kept: Kept): Buffer {
  const writer = new ByteWriter().byte(FORMAT).text(record.key).text(record.policy);
  writer.sized(encodeVersion(record.winner)).sized(encodeVersion(record.loser));
  writer.varint(record.atMs).byte(kept.kind === 'none' ? 0 : kept.kind === 'inline' ? 1 : 2);
  if (kept.kind === 'inline') writer.sized(kept.bytes);
  if (kept.kind === 'blob') writer.text(kept.blob);
  return writer.finish();
}

function decode(value: Buffer, namespace: string): { record: AuditRecord; kept: Kept } {
  try {
    const reader = new ByteReader(value);
    if (reader.byte() !== FORMAT) throw new DwcpError('ERR_DWCP_FRAME_VERSION');
    const key = readText(reader, MAX_KEY_BYTES, 'key');
    const policy = readText(reader, 64, 'policy') as AuditRecord['policy'];
    const winner = decodeVersion(readSized(reader, value.length, 'winner'));
    const loser = decodeVersion(readSized(reader, value.length, 'loser'));
    const atMs = reader.varint();
    const record = { namespace, key, policy, winner, loser, atMs };
    const kind = reader.byte();
    if (kind === 0) return { record, kept: { kind: 'none' } };
    if (kind === 1) {
      return { record, kept: { kind: 'inline', bytes: readSized(reader, value.length, 'value') } };
    }
    return { record, kept: { kind: 'blob', blob: readText(reader, MAX_NAME_BYTES, 'blob') } };
  } catch (cause) {
    throw new DwcpError('ERR_DWCP_STORAGE_CORRUPT', 'an audit record cannot be read', { cause });
  }
}
