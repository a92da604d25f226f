/**
 * Who a certificate says its holder is: exactly one SAN URI `dwcp://<cluster>/<region>/<node>`, read
 * strictly. Names are 1 to 63 characters of A-Z a-z 0-9 . _ - and start with a letter or digit, so there
 * is nothing to decode, escape or normalise.
 */
import { X509Certificate } from 'node:crypto';
import { DwcpError, invalidArg } from '../errors.ts';

/** Identity proven by a certificate: the SAN URI `dwcp://<cluster>/<region>/<node>`. */
export interface PeerIdentity {
  readonly cluster: string;
  readonly region: string;
  readonly nodeId: string;
}

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const uriPattern = /^URI:dwcp:\/\/([^/]+)\/([^/]+)\/([^/]+)$/;

/** True for a name that may stand in an identity. */
export function isIdentityName(name: string): boolean {
  return namePattern.test(name);
}

/**
 * The URI of an identity.
 * @throws ERR_DWCP_INVALID_ARG
 * @example formatIdentity({ cluster: 'c', region: 'eu', nodeId: 'n1' }) // dwcp://c/eu/n1
 */
export function formatIdentity({ cluster, region, nodeId }: PeerIdentity): string {
  for (const [path, name] of Object.entries({ cluster, region, nodeId })) {
    if (!isIdentityName(name)) {
      invalidArg(`identity.${path}`, '1 to 63 characters of A-Z a-z 0-9 . _ -', name);
    }
  }
  return `dwcp://${cluster}/${region}/${nodeId}`;
}

/**
 * The identity in a certificate.
 * @throws ERR_DWCP_IDENTITY when there is none, more than one, or a malformed one
 */
export function identityOf(certificate: X509Certificate): PeerIdentity {
  const names = certificate.subjectAltName ?? '';
  // Node quotes entries with unusual characters; a name that needs quotes could fake a second entry.
  if (names.includes('"')) throw refused('has an alternative name that cannot be read safely');
  const uris = names.split(', ').filter((name) => /^URI:dwcp:/i.test(name));
  if (uris.length !== 1) throw refused(`has ${uris.length} dwcp:// alternative names, not one`);
  const [, cluster = '', region = '', nodeId = ''] = uriPattern.exec(uris[0]!) ?? [];
  if (![cluster, region, nodeId].every(isIdentityName)) {
    throw refused(`has the malformed alternative name ${uris[0]!.slice(0, 200)}`);
  }
  return { cluster, region, nodeId };
}

function refused(what: string): DwcpError {
  return new DwcpError('ERR_DWCP_IDENTITY', `The certificate ${what}`);
}
