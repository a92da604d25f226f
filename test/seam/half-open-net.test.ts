/** Strangers at the door of the tier that runs everywhere. */
import { netTransport } from '../../lib/transport/index.ts';
import { halfOpenSockets } from './half-open-kit.ts';

halfOpenSockets('net', (limits, onRefused) => netTransport({ limits, onRefused }));
