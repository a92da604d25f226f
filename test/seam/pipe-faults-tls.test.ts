/** Faults over node:tls. */
import { tlsTransport } from '../../lib/transport/index.ts';
import { identity } from './half-open-identity.ts';
import { pipeFaults } from './pipe-faults-kit.ts';

pipeFaults('tls', (limits) => tlsTransport({ identity, limits }), identity);
