/** The contract of the batch API over the I/O engine, tier uring. */
import { forceTier } from './io-tier.ts';
import { messageFaults } from './messages-faults-kit.ts';
import { messagesContract } from './messages-kit.ts';
import { largeMessages } from './messages-large-kit.ts';

if (forceTier('uring')) {
  messagesContract('uring');
  largeMessages('uring');
  messageFaults('uring');
}
