/** Strangers at the door of the I/O engine, tier epoll. */
import { ioTransport } from '../../lib/transport/index.ts';
import { halfOpenSockets } from './half-open-kit.ts';
import { forceTier } from './io-tier.ts';

if (forceTier('epoll')) {
  halfOpenSockets('epoll', (limits, onRefused) => ioTransport({ limits, onRefused }));
}
