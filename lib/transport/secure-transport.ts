/** What every transport with mutual TLS offers, whichever engine does the TLS. */
import type { PipeTransport } from './frame-pipe.ts';
import type { GateStats } from './peer-gate.ts';

/** Own certificate and key, and the roots that peers must chain to; all PEM. */
export interface TlsIdentity {
  readonly cert: string;
  readonly key: string;
  /** One or more roots in one text; during a rotation, the old and the new one. */
  readonly ca: string;
}

/** A transport whose identity and refusals change while it runs, without a pipe lost. */
export interface SecureTransport extends PipeTransport {
  /**
   * Uses another certificate, key and roots for handshakes from now on; pipes that live keep theirs. When
   * this throws, nothing changed.
   * @throws ERR_DWCP_IDENTITY when the certificate names nobody or another cluster, or the key is not its own
   */
  setIdentity(identity: TlsIdentity): void;
  /**
   * Replaces the list of who is refused although their certificates are good: identities as
   * `dwcp://<cluster>/<region>/<node>` (parts may end in `*`), SHA-256 fingerprints of certificates in hex,
   * colons allowed, and serial numbers as `serial:<hex>`. Live pipes to them close before this returns, new ones
   * end in the handshake; both sides get ERR_DWCP_IDENTITY or a closed pipe.
   * @throws ERR_DWCP_INVALID_ARG for an entry that is neither
   */
  setRevoked(revoked: readonly string[]): void;
  /** What the gate refused and closed. */
  gateStats(): GateStats;
}

/** True for a transport with {@link SecureTransport.setIdentity} and {@link SecureTransport.setRevoked}. */
export function isSecureTransport(transport: PipeTransport): transport is SecureTransport {
  const { setIdentity, setRevoked, gateStats } = transport as Partial<SecureTransport>;
  return [setIdentity, setRevoked, gateStats].every((each) => typeof each === 'function');
}
