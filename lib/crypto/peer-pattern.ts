/**
 * Patterns over identities: `dwcp://<cluster>/<region>/<node>` where each part is a name, a name's beginning
 * and `*`, or `*` alone. Nothing else is special, so a pattern says what it means.
 */
import { invalidArg } from '../errors.ts';
import type { PeerIdentity } from './peer-identity.ts';

/** Answers whether an identity fits. */
export type PeerPattern = (identity: PeerIdentity) => boolean;

const uri = /^dwcp:\/\/([^/]+)\/([^/]+)\/([^/]+)$/;
const part = /^(?:[A-Za-z0-9][A-Za-z0-9._-]{0,62})?\*?$/;

/** A test for a name, a beginning and `*`, or `*`; the text must fit `part` or be checked by the caller. */
export function namePattern(text: string): (name: string) => boolean {
  if (!text.endsWith('*')) return (name) => name === text;
  const start = text.slice(0, -1);
  return (name) => name.startsWith(start);
}

/**
 * Reads a pattern.
 * @throws ERR_DWCP_INVALID_ARG naming `path`
 * @example peerPattern('peers', 'dwcp://prod/eu/*')({ cluster: 'prod', region: 'eu', nodeId: 'eu-1' }) // true
 */
export function peerPattern(path: string, text: unknown): PeerPattern {
  const parts = typeof text === 'string' ? uri.exec(text)?.slice(1) : undefined;
  if (!parts?.every((each) => part.test(each))) {
    return invalidArg(path, 'dwcp://<cluster>/<region>/<node>, each a name, name* or *', text);
  }
  const [cluster, region, nodeId] = parts.map(namePattern);
  return (peer) => cluster!(peer.cluster) && region!(peer.region) && nodeId!(peer.nodeId);
}
