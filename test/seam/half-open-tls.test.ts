/** Strangers at the door of mutual TLS. */
import { tlsTransport } from '../../lib/transport/index.ts';
import { identity } from './half-open-identity.ts';
import { halfOpenSockets } from './half-open-kit.ts';

halfOpenSockets('tls', (limits, onRefused) => tlsTransport({ identity, limits, onRefused }));
