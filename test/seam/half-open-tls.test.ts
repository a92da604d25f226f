/** Strangers at the door of mutual TLS. */
import { createAuthority, issueCertificate } from '../../lib/crypto/certificates.ts';
import { systemRandom as random } from '../../lib/random.ts';
import { tlsTransport } from '../../lib/transport/index.ts';
import { halfOpenSockets } from './half-open-kit.ts';

const day = 86_400_000;
const valid = { notBeforeMs: Date.now() - day, notAfterMs: Date.now() + day };
const authority = createAuthority({ name: 'root', random, ...valid });
const named = { cluster: 'c', region: 'eu', nodeId: 'door' };
const credentials = issueCertificate(authority, { identity: named, random, ...valid });
const identity = { ...credentials, ca: authority.cert };

halfOpenSockets('tls', (limits, onRefused) => tlsTransport({ identity, limits, onRefused }));
