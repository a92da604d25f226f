/** Who may meet whom over node:tls. */
import { tlsTransport } from '../../lib/transport/index.ts';
import { tlsIdentities } from './tls-identity-kit.ts';

tlsIdentities('tls', tlsTransport, tlsTransport);
