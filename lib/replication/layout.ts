/**
 * Where everything lies in one ordered `Storage`. A key starts with a one-byte table tag, then (except
 * for the two store-wide tables) the namespace id as u32 big-endian, so that a range is one namespace.
 *
 *   m                         -> format version, replica id
 *   n name                    -> namespace id, policy, codec
 *   s ns                      -> counter, clock, version vector, audit window (in every batch)
 *   k ns key                  -> key record: sibling set with the place of each value
 *   d ns replica seq          -> key, for every live version
 *   f ns replica seq          -> delta frame of that version's value
 *   a ns number               -> audit record
 *   b blob name               -> empty; a blob without this mark is an orphan
 */
import type { Dot, ReplicaId } from '../conflict/types.ts';

/** On-disk format this build writes and reads. */
export const FORMAT_VERSION = 1;

const tag = (letter: string): number => letter.charCodeAt(0);
const table = {
  meta: tag('m'),
  namespace: tag('n'),
  state: tag('s'),
  record: tag('k'),
  dot: tag('d'),
  frame: tag('f'),
  audit: tag('a'),
  blob: tag('b'),
} as const;

const HEAD = 5;

function inNamespace(letter: number, ns: number, tailBytes: number): Buffer {
  const out = Buffer.allocUnsafe(HEAD + tailBytes);
  out[0] = letter;
  out.writeUInt32BE(ns, 1);
  return out;
}

function named(letter: number, name: string): Buffer {
  return Buffer.concat([Buffer.of(letter), Buffer.from(name, 'utf8')]);
}

function dotted(letter: number, ns: number, dot: Dot): Buffer {
  const out = inNamespace(letter, ns, 14);
  out.write(dot.replica, HEAD, 'hex');
  out.writeUIntBE(dot.seq, HEAD + 8, 6);
  return out;
}

/** A half-open range of storage keys. */
export interface KeyRange {
  readonly gte: Buffer;
  readonly lt: Buffer;
}

/** Builds and reads storage keys. */
export const layout = {
  meta: (): Buffer => Buffer.of(table.meta),
  namespace: (name: string): Buffer => named(table.namespace, name),
  namespaces: (): KeyRange => ({
    gte: Buffer.of(table.namespace),
    lt: Buffer.of(table.namespace + 1),
  }),
  namespaceName: (key: Buffer): string => key.toString('utf8', 1),
  state: (ns: number): Buffer => inNamespace(table.state, ns, 0),

  record(ns: number, key: string): Buffer {
    const sizeBytes = Buffer.byteLength(key);
    const out = inNamespace(table.record, ns, sizeBytes);
    out.write(key, HEAD, 'utf8');
    return out;
  },
  recordKey: (key: Buffer): string => key.toString('utf8', HEAD),
  /** Records whose key starts with `prefix`, in UTF-8 order; 0xff never occurs in UTF-8. */
  records(ns: number, prefix: string): KeyRange {
    const gte = layout.record(ns, prefix);
    return { gte, lt: Buffer.concat([gte, Buffer.of(0xff)]) };
  },

  dot: (ns: number, dot: Dot): Buffer => dotted(table.dot, ns, dot),
  dotOf: (key: Buffer): Dot => ({
    replica: key.toString('hex', HEAD, HEAD + 8),
    seq: key.readUIntBE(HEAD + 8, 6),
  }),
  /** Index entries of `replica` with `first <= seq <= last`. */
  dots: (ns: number, replica: ReplicaId, first: number, last: number): KeyRange => ({
    gte: dotted(table.dot, ns, { replica, seq: first }),
    lt: dotted(table.dot, ns, { replica, seq: last + 1 }),
  }),
  frame: (ns: number, dot: Dot): Buffer => dotted(table.frame, ns, dot),

  audit(ns: number, number: number): Buffer {
    const out = inNamespace(table.audit, ns, 6);
    out.writeUIntBE(number, HEAD, 6);
    return out;
  },
  auditNumber: (key: Buffer): number => key.readUIntBE(HEAD, 6),
  blob: (name: string): Buffer => named(table.blob, name),
};
