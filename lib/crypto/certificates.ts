/**
 * A small certificate authority (X.509 v3, RFC 5280): P-256 keys, ECDSA with SHA-256. It makes one root and
 * node certificates that name their node by the SAN URI `dwcp://<cluster>/<region>/<node>`.
 * For clusters without a public key infrastructure of their own, and for tests.
 */
import {
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  sign,
  X509Certificate,
} from 'node:crypto';
import type { Random } from '../random.ts';
import { formatIdentity, type PeerIdentity } from './peer-identity.ts';
import * as der from './der.ts';

const ecdsaWithSha256 = der.sequence(der.oid('1.2.840.10045.4.3.2'));
const oids = {
  commonName: '2.5.4.3',
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyId: '2.5.29.35',
  extKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const;

/** A certificate and its private key, PEM. */
export interface Credentials {
  readonly cert: string;
  readonly key: string;
}

/** From when until when, ms since the epoch. */
export interface Validity {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** What {@link createAuthority} puts in the root. */
export interface AuthorityOptions extends Validity {
  readonly name: string;
  /** Source of the serial number. */
  readonly random: Random;
}

/** What {@link issueCertificate} puts in a node's certificate. */
export interface IssueOptions extends Validity {
  /** Who the node is; without it the certificate names nobody and no dwcp peer accepts it. */
  readonly identity?: PeerIdentity | undefined;
  /** Further alternative names, as they are; for tests of what refuses them. */
  readonly alternativeUris?: readonly string[] | undefined;
  readonly random: Random;
}

/**
 * Makes a root certificate and key.
 * @example
 * const day = 86_400_000;
 * const ca = createAuthority({
 *   name: 'my cluster', random: systemRandom, notBeforeMs: now - day, notAfterMs: now + 3650 * day,
 * });
 */
export function createAuthority(options: AuthorityOptions): Credentials {
  const keys = newKeys();
  const subject = nameOf(options.name);
  const cert = build({
    ...options,
    subject,
    issuer: subject,
    publicKey: keys.spki,
    signingKey: keys.pem,
    extensions: [
      extension(oids.basicConstraints, true, der.sequence(der.bool(true))),
      extension(oids.keyUsage, true, der.bits(Buffer.from([0x06]), 1)),
      extension(oids.subjectKeyId, false, der.octets(keyId(keys.spki))),
    ],
  });
  return { cert, key: keys.pem };
}

/**
 * Issues a certificate for one node, good for both ends of TLS.
 * @throws ERR_DWCP_INVALID_ARG when the identity has characters a SAN URI may not have
 * @example
 * const identity = { cluster: 'prod', region: 'eu', nodeId: 'eu-1' };
 * const node = issueCertificate(ca, { identity, random: systemRandom, notBeforeMs, notAfterMs });
 */
export function issueCertificate(authority: Credentials, options: IssueOptions): Credentials {
  const keys = newKeys();
  const root = new X509Certificate(authority.cert);
  const rootSpki = root.publicKey.export({ type: 'spki', format: 'der' });
  const { identity, alternativeUris = [] } = options;
  const extensions = [
    extension(oids.basicConstraints, true, der.sequence()),
    extension(oids.keyUsage, true, der.bits(Buffer.from([0x80]), 7)),
    extension(
      oids.extKeyUsage,
      false,
      der.sequence(der.oid(oids.serverAuth), der.oid(oids.clientAuth)),
    ),
    extension(oids.subjectKeyId, false, der.octets(keyId(keys.spki))),
    extension(oids.authorityKeyId, false, der.sequence(der.context(0, keyId(rootSpki), false))),
  ];
  const uris = [...(identity ? [formatIdentity(identity)] : []), ...alternativeUris];
  if (uris.length > 0) {
    const names = uris.map((uri) => der.context(6, Buffer.from(uri, 'ascii'), false));
    extensions.push(extension(oids.subjectAltName, false, der.sequence(...names)));
  }
  const cert = build({
    ...options,
    subject: nameOf(identity?.nodeId ?? 'nobody'),
    issuer: nameOf(root.subject.replace(/^CN=/, '')),
    publicKey: keys.spki,
    signingKey: authority.key,
    extensions,
  });
  return { cert, key: keys.pem };
}

interface Keys {
  readonly spki: Buffer;
  readonly pem: string;
}

function newKeys(): Keys {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    spki: publicKey.export({ type: 'spki', format: 'der' }),
    pem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

interface Contents extends Validity {
  readonly subject: Buffer;
  readonly issuer: Buffer;
  readonly publicKey: Buffer;
  readonly signingKey: string;
  readonly extensions: readonly Buffer[];
  readonly random: Random;
}

function build(contents: Contents): string {
  const serial = Buffer.from(contents.random.bytes(16));
  serial[0] = (serial[0]! & 0x7f) | 0x40;
  const body = der.sequence(
    der.context(0, der.integer(Buffer.from([2])), true),
    der.integer(serial),
    ecdsaWithSha256,
    contents.issuer,
    der.sequence(der.time(contents.notBeforeMs), der.time(contents.notAfterMs)),
    contents.subject,
    contents.publicKey,
    der.context(3, der.sequence(...contents.extensions), true),
  );
  const signature = sign('sha256', body, createPrivateKey(contents.signingKey));
  return der.pem('CERTIFICATE', der.sequence(body, ecdsaWithSha256, der.bits(signature)));
}

function nameOf(commonName: string): Buffer {
  return der.sequence(der.set(der.sequence(der.oid(oids.commonName), der.utf8(commonName))));
}

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  const parts = critical ? [der.oid(id), der.bool(true)] : [der.oid(id)];
  return der.sequence(...parts, der.octets(value));
}

/** RFC 5280 4.2.1.2 method 1, over the whole key info: any stable digest serves. */
function keyId(spki: Buffer): Buffer {
  return createHash('sha1').update(spki).digest();
}
