/** The contract of FramePipe over the I/O engine, tier uring; one engine per process, so a file per tier. */
import { ioTransport, tlsTransport } from '../../lib/transport/index.ts';
import { mixed, pipeContract } from './frame-pipe-kit.ts';
import { forceTier, forceTlsTier } from './io-tier.ts';
import { issuedIdentity } from './tls-certificates.ts';

if (forceTier('uring')) {
  pipeContract('uring', () => ioTransport());
}
if (forceTlsTier('uring')) {
  const identity = issuedIdentity('n');
  pipeContract('uring with TLS', () => ioTransport({ identity }));
  pipeContract('uring dialling tls', () =>
    mixed(tlsTransport({ identity }), ioTransport({ identity })),
  );
  pipeContract('tls dialling uring', () =>
    mixed(ioTransport({ identity }), tlsTransport({ identity })),
  );
}
