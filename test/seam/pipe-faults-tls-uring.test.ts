/** Faults over the TLS of the I/O engine, tier uring. */
import { ioTransport } from '../../lib/transport/index.ts';
import { identity } from './half-open-identity.ts';
import { forceTlsTier } from './io-tier.ts';
import { pipeFaults } from './pipe-faults-kit.ts';

if (forceTlsTier('uring')) {
  pipeFaults('uring, TLS', (limits) => ioTransport({ identity, limits }), identity);
}
