/** An identity for a door that asks for one. */
import { createAuthority, issueCertificate } from '../../lib/crypto/certificates.ts';
import { systemRandom as random } from '../../lib/random.ts';
import type { TlsIdentity } from '../../lib/transport/index.ts';

const day = 86_400_000;
const valid = { notBeforeMs: Date.now() - day, notAfterMs: Date.now() + day };
const authority = createAuthority({ name: 'root', random, ...valid });
const named = { cluster: 'c', region: 'eu', nodeId: 'door' };
const credentials = issueCertificate(authority, { identity: named, random, ...valid });
/** Of the listener and of the honest peer. */
export const identity: TlsIdentity = { ...credentials, ca: authority.cert };
