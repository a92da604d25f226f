/** One authority for the tests of a process, and identities of its making. */
import {
  createAuthority,
  type Credentials,
  issueCertificate,
  type Validity,
} from '../../lib/crypto/certificates.ts';
import { systemRandom as random } from '../../lib/random.ts';
import type { TlsIdentity } from '../../lib/transport/index.ts';

const now = Date.now();
/** From yesterday to tomorrow. */
export const valid: Validity = { notBeforeMs: now - 86_400_000, notAfterMs: now + 86_400_000 };
/** The root everyone believes in. */
export const authority: Credentials = createAuthority({ name: 'root', random, ...valid });

/** A certificate of a node of cluster `c`, region `r`, and the root it believes in. */
export function issuedIdentity(
  nodeId: string,
  by: Credentials = authority,
  ca: string = by.cert,
): TlsIdentity {
  const identity = { cluster: 'c', region: 'r', nodeId };
  return { ...issueCertificate(by, { identity, random, ...valid }), ca };
}
