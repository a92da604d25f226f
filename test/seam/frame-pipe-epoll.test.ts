/** The contract of FramePipe over the I/O engine, tier epoll; one engine per process, so a file per tier. */
import { ioTransport } from '../../lib/transport/index.ts';
import { pipeContract } from './frame-pipe-kit.ts';
import { forceTier } from './io-tier.ts';

if (forceTier('epoll')) {
  pipeContract('epoll', () => ioTransport());
}
