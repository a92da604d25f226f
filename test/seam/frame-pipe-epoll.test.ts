/** The contract of FramePipe over the I/O engine, tier epoll; one engine per process, so a file per tier. */
import { ioTransport, tlsTransport } from '../../lib/transport/index.ts';
import { mixed, pipeContract } from './frame-pipe-kit.ts';
import { forceTier, forceTlsTier } from './io-tier.ts';
import { issuedIdentity } from './tls-certificates.ts';

if (forceTier('epoll')) {
  pipeContract('epoll', () => ioTransport());
}
if (forceTlsTier('epoll')) {
  const identity = issuedIdentity('n');
  pipeContract('epoll with TLS', () => ioTransport({ identity }));
  pipeContract('epoll dialling tls', () =>
    mixed(tlsTransport({ identity }), ioTransport({ identity })),
  );
  pipeContract('tls dialling epoll', () =>
    mixed(ioTransport({ identity }), tlsTransport({ identity })),
  );
}
