/**
 * Who may be at the other end of a secured pipe: nodes of the right cluster that were not revoked. Chains are
 * the TLS engine's business; the gate judges the certificate it verified, in every handshake, resumed ones
 * included. It knows the pipes that live, so that a revocation closes them.
 */
import { X509Certificate } from 'node:crypto';
import { identityOf, type PeerIdentity } from '../crypto/peer-identity.ts';
import { type PeerPattern, peerPattern } from '../crypto/peer-pattern.ts';
import { DwcpError, invalidArg } from '../errors.ts';

/** A peer that passed. */
export interface ProvenPeer {
  readonly identity: PeerIdentity;
  /** SHA-256 of the certificate, lower-case hex. */
  readonly fingerprint: string;
  /** `serial:` and the certificate's number, lower-case hex without leading zeros. */
  readonly serial: string;
}

/** What a gate counts. */
export interface GateStats {
  /** Entries of the list of the revoked. */
  readonly revoked: number;
  /** Handshakes refused because the peer was revoked. */
  readonly refusedRevoked: number;
  /** Handshakes refused because the certificate names nobody, or another cluster. */
  readonly refusedIdentity: number;
  /** Pipes closed because their peer was revoked while they lived. */
  readonly closedRevoked: number;
}

/** What the gate closes. */
interface Closable {
  destroy(error?: DwcpError): void;
}

const serialPattern = /^serial:[0-9a-f]{1,40}$/;
const fingerprintPattern = /^[0-9a-f]{64}$/;

/** See the file header. */
export class PeerGate {
  readonly #cluster: string;
  readonly #live = new Map<Closable, ProvenPeer>();
  #patterns: readonly PeerPattern[] = [];
  #fingerprints: ReadonlySet<string> = new Set();
  #serials: ReadonlySet<string> = new Set();
  #refusedRevoked = 0;
  #refusedIdentity = 0;
  #closedRevoked = 0;

  constructor(cluster: string) {
    this.#cluster = cluster;
  }

  /**
   * Judges the certificate of a peer whose chain was verified. In a resumed handshake it was verified once,
   * when the session began: with `nowMs`, ms since the epoch, its validity is judged anew.
   * @throws ERR_DWCP_IDENTITY
   */
  check(certificate: X509Certificate, nowMs?: number): ProvenPeer {
    if (nowMs !== undefined) this.#checkValidity(certificate, nowMs);
    const peer = this.#read(certificate);
    if (!this.#isRevoked(peer)) return peer;
    this.#refusedRevoked++;
    throw revokedError(peer);
  }

  /** Keeps a pipe in sight until {@link release}. */
  hold(pipe: Closable, peer: ProvenPeer): void {
    this.#live.set(pipe, peer);
  }

  /** The pipe is gone. */
  release(pipe: Closable): void {
    this.#live.delete(pipe);
  }

  /** Replaces the list; see `SecureTransport.setRevoked`. @throws ERR_DWCP_INVALID_ARG */
  setRevoked(revoked: readonly string[]): void {
    const patterns: PeerPattern[] = [];
    const fingerprints = new Set<string>();
    const serials = new Set<string>();
    if (!Array.isArray(revoked)) invalidArg('revoked', 'an array of strings', revoked);
    for (const [i, entry] of revoked.entries()) {
      const hex = typeof entry === 'string' ? entry.replaceAll(':', '').toLowerCase() : '';
      if (fingerprintPattern.test(hex)) fingerprints.add(hex);
      else if (typeof entry === 'string' && serialPattern.test(entry.toLowerCase())) {
        serials.add(serialOf(entry.slice('serial:'.length)));
      } else patterns.push(peerPattern(`revoked[${i}]`, entry));
    }
    [this.#patterns, this.#fingerprints, this.#serials] = [patterns, fingerprints, serials];
    for (const [pipe, peer] of this.#live) {
      if (!this.#isRevoked(peer)) continue;
      this.#closedRevoked++;
      this.#live.delete(pipe);
      pipe.destroy(revokedError(peer));
    }
  }

  stats(): GateStats {
    return {
      revoked: this.#patterns.length + this.#fingerprints.size + this.#serials.size,
      refusedRevoked: this.#refusedRevoked,
      refusedIdentity: this.#refusedIdentity,
      closedRevoked: this.#closedRevoked,
    };
  }

  #read(certificate: X509Certificate): ProvenPeer {
    try {
      const identity = identityOf(certificate);
      if (identity.cluster !== this.#cluster) {
        const message = `The peer belongs to cluster ${identity.cluster}, not ${this.#cluster}`;
        throw new DwcpError('ERR_DWCP_IDENTITY', message);
      }
      const serial = serialOf(certificate.serialNumber);
      return { identity, fingerprint: fingerprintOf(certificate), serial };
    } catch (error) {
      this.#refusedIdentity++;
      throw error;
    }
  }

  #checkValidity(certificate: X509Certificate, nowMs: number): void {
    if (nowMs >= Date.parse(certificate.validFrom) && nowMs <= Date.parse(certificate.validTo))
      return;
    this.#refusedIdentity++;
    throw new DwcpError(
      'ERR_DWCP_IDENTITY',
      'The certificate of a resumed session is not valid now',
      {
        detail: { reason: 'expired' },
      },
    );
  }

  #isRevoked({ identity, fingerprint, serial }: ProvenPeer): boolean {
    return (
      this.#fingerprints.has(fingerprint) ||
      this.#serials.has(serial) ||
      this.#patterns.some((matches) => matches(identity))
    );
  }
}

function serialOf(hex: string): string {
  return `serial:${hex.toLowerCase().replace(/^0+(?=.)/, '')}`;
}

/** SHA-256 of a certificate, lower-case hex without colons. */
export function fingerprintOf(certificate: X509Certificate): string {
  return certificate.fingerprint256.replaceAll(':', '').toLowerCase();
}

/**
 * The identity in an own certificate.
 * @throws ERR_DWCP_IDENTITY when it names nobody or another cluster than `cluster`
 */
export function ownIdentity(cert: string, cluster?: string): PeerIdentity {
  if (typeof cert !== 'string') invalidArg('identity.cert', 'a PEM text', cert);
  const own = identityOf(new X509Certificate(cert));
  if (cluster === undefined || own.cluster === cluster) return own;
  throw new DwcpError('ERR_DWCP_IDENTITY', `The certificate is for cluster ${own.cluster}`);
}

function revokedError({ identity, fingerprint }: ProvenPeer): DwcpError {
  const { cluster, region, nodeId } = identity;
  return new DwcpError('ERR_DWCP_IDENTITY', `dwcp://${cluster}/${region}/${nodeId} is revoked`, {
    detail: { reason: 'revoked', nodeId, region, fingerprint },
  });
}
