/** Faults on the tier that runs everywhere. */
import { netTransport } from '../../lib/transport/index.ts';
import { pipeFaults } from './pipe-faults-kit.ts';
import { unreadPipes } from './pipe-unread-kit.ts';

pipeFaults('net', (limits) => netTransport({ limits }));
unreadPipes('net', (limits) => netTransport({ limits }));
