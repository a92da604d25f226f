/** Strangers at the door of the I/O engine, tier uring. */
import { ioTransport } from '../../lib/transport/index.ts';
import { halfOpenSockets } from './half-open-kit.ts';
import { forceTier } from './io-tier.ts';

if (forceTier('uring')) {
  halfOpenSockets('uring', (limits, onRefused) => ioTransport({ limits, onRefused }));
}
