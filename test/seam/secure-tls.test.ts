/** The contract of `SecureTransport` over node:tls. */
import { tlsTransport } from '../../lib/transport/index.ts';
import { secureContract } from './secure-kit.ts';

secureContract('tls', (identity, onRefused) => tlsTransport({ identity, onRefused }));
