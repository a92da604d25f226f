/** The contract of FramePipe over the I/O engine, tier uring; one engine per process, so a file per tier. */
import { ioTransport } from '../../lib/transport/index.ts';
import { pipeContract } from './frame-pipe-kit.ts';
import { forceTier } from './io-tier.ts';

if (forceTier('uring')) {
  pipeContract('uring', () => ioTransport());
}
