/** Who may meet whom over TLS in the I/O engine, tier epoll, and where it meets node:tls. */
import { ioTransport, tlsTransport } from '../../lib/transport/index.ts';
import { forceTlsTier } from './io-tier.ts';
import { tlsIdentities } from './tls-identity-kit.ts';

if (forceTlsTier('epoll')) {
  tlsIdentities('epoll', ioTransport, ioTransport);
  tlsIdentities('epoll, dialled by tls', ioTransport, tlsTransport);
  tlsIdentities('tls, dialled by epoll', tlsTransport, ioTransport);
}
