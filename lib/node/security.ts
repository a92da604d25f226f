/** What protects the links of a node, and how it changes while the node runs. */
import { X509Certificate } from 'node:crypto';
import { formatIdentity, identityOf } from '../crypto/peer-identity.ts';
import { DwcpError, type ErrorCode, invalidArg } from '../errors.ts';
import type { NodeLinks } from '../links/link.ts';
import type { Right } from '../links/rights.ts';
import { fingerprintOf, type GateStats } from '../transport/peer-gate.ts';
import type { SecureTransport } from '../transport/secure-transport.ts';
import { checkIdentity, type NodeIdentity, type ResolvedNodeOptions } from './options.ts';

/** The security part of `status()`. */
export interface SecurityStatus {
  /** The certificate used for new links; undefined on plaintext or under a transport of the user's own. */
  readonly certificate:
    | { readonly uri: string; readonly fingerprint: string; readonly expiresAtMs: number }
    | undefined;
  /** What revocations refused and closed; undefined on plaintext. */
  readonly gate: GateStats | undefined;
  /** Inbound connections refused below the handshake of links (TLS, deadlines, floods), by code. */
  readonly refusedInbound: Readonly<Partial<Record<ErrorCode, number>>>;
  /** Rows of the table of rights; undefined without one. */
  readonly rights: number | undefined;
  /** Questions about rights answered with no. */
  readonly unauthorized: number;
}

/** What it is made of. */
export interface NodeSecurityOptions {
  readonly options: ResolvedNodeOptions;
  readonly links: NodeLinks;
  /** Absent on plaintext. */
  readonly secure: SecureTransport | undefined;
  readonly refusedInbound: Readonly<Partial<Record<ErrorCode, number>>>;
}

/** See the file header. */
export class NodeSecurity {
  readonly #parts: NodeSecurityOptions;
  #identity: NodeIdentity | undefined;

  constructor(parts: NodeSecurityOptions) {
    this.#parts = parts;
    this.#identity = parts.options.identity;
  }

  setIdentity(identity: NodeIdentity): void {
    const { cluster, region, nodeId } = this.#parts.options;
    const [own, proven] = [{ cluster, region, nodeId }, checkIdentity(identity)];
    const text = formatIdentity(proven);
    if (text !== formatIdentity(own)) {
      const message = `This node is ${formatIdentity(own)}, but the certificate says ${text}`;
      throw new DwcpError('ERR_DWCP_IDENTITY', message);
    }
    this.#secure('setIdentity').setIdentity(identity);
    this.#identity = identity;
  }

  setRevoked(revoked: readonly string[]): void {
    this.#secure('setRevoked').setRevoked(revoked);
  }

  setRights(rights: readonly Right[] | undefined): void {
    this.#parts.links.setRights(rights);
  }

  status(): SecurityStatus {
    const { links, secure, refusedInbound } = this.#parts;
    const { rights, unauthorized } = links.stats();
    return {
      certificate: this.#identity && certificateOf(this.#identity),
      gate: secure?.gateStats(),
      refusedInbound: { ...refusedInbound },
      rights,
      unauthorized,
    };
  }

  #secure(method: string): SecureTransport {
    return (
      this.#parts.secure ?? invalidArg(method, 'called on a node with `identity`', 'plaintext')
    );
  }
}

function certificateOf({ cert }: NodeIdentity): SecurityStatus['certificate'] {
  const certificate = new X509Certificate(cert);
  return {
    uri: formatIdentity(identityOf(certificate)),
    fingerprint: fingerprintOf(certificate),
    expiresAtMs: Date.parse(certificate.validTo),
  };
}
