/** Strangers at the door of the I/O engine, tier epoll, in the clear and over TLS. */
import { ioTransport } from '../../lib/transport/index.ts';
import { identity } from './half-open-identity.ts';
import { halfOpenSockets } from './half-open-kit.ts';
import { forceTier } from './io-tier.ts';

if (forceTier('epoll')) {
  halfOpenSockets('epoll', (limits, onRefused) => ioTransport({ limits, onRefused }));
  halfOpenSockets('epoll tls', (limits, onRefused) => ioTransport({ identity, limits, onRefused }));
}
