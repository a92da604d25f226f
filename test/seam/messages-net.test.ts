/** The contract of the batch API over node:net. */
import { messagesContract } from './messages-kit.ts';

process.env['DWCP_IO'] = 'net';
messagesContract('net');
