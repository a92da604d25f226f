/** The contract of `SecureTransport` over TLS in the I/O engine, tier epoll. */
import { ioTransport } from '../../lib/transport/index.ts';
import { forceTlsTier } from './io-tier.ts';
import { secureContract } from './secure-kit.ts';

if (forceTlsTier('epoll')) {
  secureContract('epoll', (identity, onRefused) => ioTransport({ identity, onRefused }));
}
