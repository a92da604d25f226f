/**
 * A table of rights: each row gives some peers some verbs on some namespaces. What no row gives is refused; rows
 * only add. A peer that any row names may link, since a right that cannot be reached is none.
 */
import { invalidArg } from '../errors.ts';
import { checkOptions, strings } from '../check-options.ts';
import type { Check } from '../check-options.ts';
import type { PeerIdentity } from '../crypto/peer-identity.ts';
import { namePattern, peerPattern, type PeerPattern } from '../crypto/peer-pattern.ts';

/** What a row can give. Linking comes with any row that names the peer. */
export const rightVerbs = ['call', 'serve', 'state.read', 'state.write'] as const;
/** A verb of {@link Right}. */
export type RightVerb = (typeof rightVerbs)[number];

/** One row of a table of rights. */
export interface Right {
  /** Who: `dwcp://<cluster>/<region>/<node>`, each part a name, a beginning and `*`, or `*`; one or several. */
  readonly peers: string | readonly string[];
  /** What. */
  readonly verbs: readonly RightVerb[];
  /** On which keyspaces or services: names, or beginnings and `*`. All when absent. */
  readonly namespaces?: readonly string[];
}

interface Row {
  readonly verbs: ReadonlySet<string>;
  readonly covers: (namespace: string) => boolean;
}

interface PatternRow extends Row {
  readonly peers: readonly PeerPattern[];
  /** The row's content, to tell whether what a peer may do changed. */
  readonly text: string;
}

const aText: Check = [
  'a pattern or an array of them',
  (value) => typeof value === 'string' || strings[1](value),
];
const checks = { peers: aText, verbs: strings, namespaces: strings };
/** Rows of this many peers are remembered; the table itself is asked for more. */
const maxRemembered = 4_096;

/**
 * A checked table.
 * @throws ERR_DWCP_INVALID_ARG naming the row and what is wrong with it
 * @example
 * const rights = new Rights([{ peers: 'dwcp://prod/eu/*', verbs: ['call'], namespaces: ['shop/*'] }]);
 * rights.permits({ cluster: 'prod', region: 'eu', nodeId: 'eu-1' }, 'call', 'shop/buy'); // true
 */
export class Rights {
  readonly #rows: readonly PatternRow[];
  readonly #ofPeer = new Map<string, readonly PatternRow[]>();

  constructor(table: readonly Right[]) {
    if (!Array.isArray(table)) invalidArg('rights', 'an array of rows', table);
    this.#rows = table.map((row: Right, i) => readRow(`rights[${i}]`, row));
  }

  /** Rows of the table. */
  get size(): number {
    return this.#rows.length;
  }

  /** True when a row gives this. */
  permits(peer: PeerIdentity, verb: string, namespace: string): boolean {
    const rows = this.#rowsOf(peer);
    if (verb === 'link') return rows.length > 0;
    return rows.some((row) => row.verbs.has(verb) && row.covers(namespace));
  }

  /** The rows that name a peer, as one text: the same text means the same rights. */
  digestOf(peer: PeerIdentity): string {
    return this.#rowsOf(peer)
      .map((row) => row.text)
      .join('\n');
  }

  #rowsOf(peer: PeerIdentity): readonly PatternRow[] {
    const key = `${peer.cluster}/${peer.region}/${peer.nodeId}`;
    const known = this.#ofPeer.get(key);
    if (known) return known;
    const rows = this.#rows.filter((row) => row.peers.some((matches) => matches(peer)));
    if (this.#ofPeer.size >= maxRemembered) this.#ofPeer.clear();
    this.#ofPeer.set(key, rows);
    return rows;
  }
}

function readRow(path: string, row: Right): PatternRow {
  checkOptions(path, row, checks);
  const { peers, verbs, namespaces } = row;
  const patterns = typeof peers === 'string' ? [peers] : peers;
  if (!(patterns?.length > 0)) invalidArg(`${path}.peers`, aText[0], peers);
  if (!(verbs?.length > 0)) invalidArg(`${path}.verbs`, `some of ${rightVerbs.join(', ')}`, verbs);
  for (const [i, verb] of verbs.entries()) {
    if (!rightVerbs.includes(verb)) {
      invalidArg(`${path}.verbs[${i}]`, `one of ${rightVerbs.join(', ')}`, verb);
    }
  }
  const covering = namespaces?.map((text, i) => readNamespace(`${path}.namespaces[${i}]`, text));
  return {
    peers: patterns.map((text, i) => peerPattern(`${path}.peers[${i}]`, text)),
    verbs: new Set(verbs),
    covers: (namespace) => covering?.some((covers) => covers(namespace)) ?? true,
    text: JSON.stringify([verbs.toSorted(), namespaces?.toSorted()]),
  };
}

function readNamespace(path: string, text: string): (namespace: string) => boolean {
  const star = text.indexOf('*');
  if (text === '' || (star >= 0 && star < text.length - 1)) {
    invalidArg(path, 'a name, or a beginning and *', text);
  }
  return namePattern(text);
}
