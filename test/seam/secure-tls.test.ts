/** The contract of `SecureTransport` over node:tls, and its session tickets. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';
import test from 'ava';
import {
  createAuthority,
  type Credentials,
  issueCertificate,
} from '../../lib/crypto/certificates.ts';
import { systemRandom as random } from '../../lib/random.ts';
import {
  encodePreface,
  type FramePipe,
  type TlsIdentity,
  tlsTransport,
} from '../../lib/transport/index.ts';
import { secureContract } from './secure-kit.ts';

secureContract('tls', (identity, onRefused) => tlsTransport({ identity, onRefused }));

const anyPort = { host: '127.0.0.1', port: 0 };
/** Reads, so that the other end's close is noticed. */
const listening = (pipe: FramePipe): void =>
  pipe.start({ onFrames: () => {}, onWritable: () => {}, onClose: () => {} });
const day = 86_400_000;
const valid = { random, notBeforeMs: Date.now() - day, notAfterMs: Date.now() + day };
const root = createAuthority({ name: 'root', ...valid });
const nextRoot = createAuthority({ name: 'next root', ...valid });
const identityOf = (nodeId: string, by: Credentials = root, ca = by.cert): TlsIdentity => ({
  ...issueCertificate(by, { identity: { cluster: 'c', region: 'r', nodeId }, ...valid }),
  ca,
});

/** One handshake of a plain TLS client; its ticket, or why it got none. */
function shake(port: number, identity: TlsIdentity, session?: Buffer): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { ...identity, port, checkServerIdentity: () => undefined };
    const socket = connect(session ? { ...options, session } : options);
    let ticket: Buffer | undefined;
    let resumed = false;
    socket.on('session', (each) => (ticket = each));
    socket.on('secureConnect', () => (resumed = socket.isSessionReused()));
    // The acceptor's preface says that it took the certificate.
    socket.on('data', () => setTimeout(() => socket.destroy(), 20));
    socket.on('error', () => {});
    let greeted = false;
    socket.once('data', () => (greeted = true));
    socket.on('close', () => resolve({ ticket, resumed, greeted }));
  });
}

interface Ended {
  readonly ticket: Buffer | undefined;
  readonly resumed: boolean;
  readonly greeted: boolean;
}

test('a ticket does not outlive a revocation', async (t) => {
  const codes: string[] = [];
  const transport = tlsTransport({
    identity: identityOf('a'),
    onRefused: (error) => codes.push(error.code),
  });
  const listener = await transport.listen(anyPort, listening);
  const { port } = listener.address;
  const client = identityOf('b');
  const { ticket, greeted } = await shake(port, client);
  t.true(greeted);
  t.truthy(ticket);
  codes.length = 0;
  transport.setRevoked(['dwcp://c/r/b']);
  const again = await shake(port, client, ticket);
  t.false(again.greeted);
  t.deepEqual(codes, ['ERR_DWCP_IDENTITY']);
  await listener.close();
});

test('a ticket does not outlive the root it was given under', async (t) => {
  const transport = tlsTransport({ identity: identityOf('a', root, root.cert + nextRoot.cert) });
  const listener = await transport.listen(anyPort, listening);
  const { port } = listener.address;
  const client = identityOf('b', root, root.cert + nextRoot.cert);
  const { ticket, greeted } = await shake(port, client);
  t.true(greeted);
  transport.setIdentity(identityOf('a', nextRoot));
  const again = await shake(port, client, ticket);
  t.false(again.resumed);
  t.false(again.greeted);
  await listener.close();
});

test('dialers resume, each ticket once, and not after their identity changed', async (t) => {
  const resumed: boolean[] = [];
  const options = { ...identityOf('a'), requestCert: true, minVersion: 'TLSv1.3' } as const;
  const sockets: TLSSocket[] = [];
  const server = createServer(options, (socket: TLSSocket) => {
    sockets.push(socket);
    resumed.push(socket.isSessionReused());
    socket.on('error', () => {}).resume();
    socket.write(encodePreface());
  });
  t.teardown(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const dialer = tlsTransport({ identity: identityOf('b') });
  const dial = async (): Promise<FramePipe> => {
    const pipe = await dialer.connect({ host: '127.0.0.1', port }, {});
    t.is(pipe.identity?.nodeId, 'a');
    return pipe;
  };
  // Its ticket may come after the preface that ends the dial.
  const used = async (): Promise<void> => {
    const pipe = await dial();
    await new Promise((resolve) => setTimeout(resolve, 50));
    pipe.destroy();
  };
  await used();
  // Two at once have one ticket between them.
  for (const pipe of await Promise.all([dial(), dial()])) pipe.destroy();
  t.is(resumed.length, 3);
  t.is(resumed.filter(Boolean).length, 1);
  dialer.setIdentity(identityOf('b'));
  await used();
  t.is(resumed.at(-1), false);
  dialer.setRevoked(['dwcp://c/r/a']);
  await t.throwsAsync(dial(), { code: 'ERR_DWCP_IDENTITY' });
});
