/** The contract of FramePipe, run against net, tls, simulated, shaped and faulty pipes. */
import { systemClock } from '../../lib/clock.ts';
import { createAuthority, issueCertificate } from '../../lib/crypto/certificates.ts';
import { systemRandom as random } from '../../lib/random.ts';
import { fault, shape, SimulatedNetwork, wanProfile } from '../../lib/testing/index.ts';
import {
  type FramePipe,
  netTransport,
  type PipeTransport,
  tlsTransport,
  type TlsIdentity,
} from '../../lib/transport/index.ts';
import { pipeContract } from './frame-pipe-kit.ts';

const now = Date.now();
const valid = { notBeforeMs: now - 86_400_000, notAfterMs: now + 86_400_000 };
const authority = createAuthority({ name: 'root', random, ...valid });
const identity = (nodeId: string): TlsIdentity => ({
  ...issueCertificate(authority, {
    identity: { cluster: 'c', region: 'r', nodeId },
    random,
    ...valid,
  }),
  ca: authority.cert,
});

/** Wraps what a transport hands out. */
function wrapping(transport: PipeTransport, wrap: (pipe: FramePipe) => FramePipe): PipeTransport {
  return {
    tier: transport.tier,
    listen: (address, onPipe) => transport.listen(address, (pipe) => onPipe(wrap(pipe))),
    connect: async (address, options) => wrap(await transport.connect(address, options)),
  };
}

const implementations: Record<string, () => PipeTransport> = {
  net: () => netTransport(),
  tls: () => tlsTransport({ identity: identity('n') }),
  simulated: () => new SimulatedNetwork().transport(),
  'shaped, idle': () => wrapping(netTransport(), (pipe) => shape(pipe, {}, systemClock)),
  'shaped, 4 ms': () =>
    wrapping(netTransport(), (pipe) => shape(pipe, wanProfile(4, { jitterMs: 1 }), systemClock)),
  'faults off': () => wrapping(new SimulatedNetwork().transport(), (pipe) => fault(pipe, {})),
};

for (const [name, make] of Object.entries(implementations)) pipeContract(name, make);
