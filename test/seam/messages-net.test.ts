/** The contract of the batch API over node:net. */
import { messageFaults } from './messages-faults-kit.ts';
import { messagesContract } from './messages-kit.ts';
import { largeMessages } from './messages-large-kit.ts';

process.env['DWCP_IO'] = 'net';
messagesContract('net');
largeMessages('net');
messageFaults('net');
