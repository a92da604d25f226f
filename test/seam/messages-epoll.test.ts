/** The contract of the batch API over the I/O engine, tier epoll. */
import { forceTier } from './io-tier.ts';
import { messageFaults } from './messages-faults-kit.ts';
import { messagesContract } from './messages-kit.ts';
import { largeMessages } from './messages-large-kit.ts';

if (forceTier('epoll')) {
  messagesContract('epoll');
  largeMessages('epoll');
  messageFaults('epoll');
}
