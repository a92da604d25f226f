/** Strangers at the door of the I/O engine, tier uring, in the clear and over TLS. */
import { ioTransport } from '../../lib/transport/index.ts';
import { identity } from './half-open-identity.ts';
import { halfOpenSockets } from './half-open-kit.ts';
import { forceTier } from './io-tier.ts';

if (forceTier('uring')) {
  halfOpenSockets('uring', (limits, onRefused) => ioTransport({ limits, onRefused }));
  halfOpenSockets('uring tls', (limits, onRefused) => ioTransport({ identity, limits, onRefused }));
}
