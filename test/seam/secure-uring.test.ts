/** The contract of `SecureTransport` over TLS in the I/O engine, tier uring. */
import { ioTransport } from '../../lib/transport/index.ts';
import { forceTlsTier } from './io-tier.ts';
import { secureContract } from './secure-kit.ts';

if (forceTlsTier('uring')) {
  secureContract('uring', (identity, onRefused) => ioTransport({ identity, onRefused }));
}
