/** Who may meet whom over TLS in the I/O engine, tier uring, and where it meets node:tls. */
import { ioTransport, tlsTransport } from '../../lib/transport/index.ts';
import { forceTlsTier } from './io-tier.ts';
import { tlsIdentities } from './tls-identity-kit.ts';

if (forceTlsTier('uring')) {
  tlsIdentities('uring', ioTransport, ioTransport);
  tlsIdentities('uring, dialled by tls', ioTransport, tlsTransport);
  tlsIdentities('tls, dialled by uring', tlsTransport, ioTransport);
}
