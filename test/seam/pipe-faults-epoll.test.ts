/** Faults on the I/O engine, tier epoll; one engine per process, so a file per tier. */
import { ioTransport } from '../../lib/transport/index.ts';
import { forceTier } from './io-tier.ts';
import { pipeFaults } from './pipe-faults-kit.ts';
import { unreadPipes } from './pipe-unread-kit.ts';

if (forceTier('epoll')) {
  pipeFaults('epoll', (limits) => ioTransport({ limits }));
  unreadPipes('epoll', (limits) => ioTransport({ limits }));
}
