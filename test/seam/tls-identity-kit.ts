/**
 * Who may meet whom over TLS: the matrix of good, wrong, expired, foreign and nameless certificates, the same for
 * every transport that secures, and for two different ones that meet.
 */
import { connect as connectRaw, type Socket } from 'node:net';
import { once } from 'node:events';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import test from 'ava';
import {
  createAuthority,
  type Credentials,
  issueCertificate,
} from '../../lib/crypto/certificates.ts';
import { systemRandom as random } from '../../lib/random.ts';
import {
  Connection,
  type DwcpError,
  type FramePipe,
  systemClock,
  type SecureTransport,
  type TlsIdentity,
  type TlsTransportOptions,
} from '../../lib/transport/index.ts';

const day = 86_400_000;
const now = Date.now();
const valid = { notBeforeMs: now - day, notAfterMs: now + day };
const authority = createAuthority({ name: 'root', random, ...valid });
const stranger = createAuthority({ name: 'stranger', random, ...valid });
const address = { host: '127.0.0.1', port: 0 };

const named = (
  nodeId: string,
  cluster = 'c',
): { cluster: string; region: string; nodeId: string } => ({
  cluster,
  region: 'eu',
  nodeId,
});
const withRoot = (credentials: Credentials, ca = authority.cert): TlsIdentity => ({
  ...credentials,
  ca,
});
const good = (nodeId: string): TlsIdentity =>
  withRoot(issueCertificate(authority, { identity: named(nodeId), random, ...valid }));

interface Meeting {
  readonly dialer: FramePipe | DwcpError;
  readonly acceptor: FramePipe | undefined;
  readonly refused: DwcpError[];
}

/** Lets two transports meet once; tells what each side was handed. */
async function meet(
  server: SecureTransport,
  client: SecureTransport,
  refused: DwcpError[],
): Promise<Meeting> {
  let acceptor: FramePipe | undefined;
  let handedOut = (): void => {};
  const bothUp = new Promise<void>((resolve) => {
    handedOut = resolve;
  });
  const listener = await server.listen(address, (pipe) => {
    acceptor = pipe;
    handedOut();
  });
  const dialer = await client.connect(listener.address, {}).catch((error: DwcpError) => error);
  if ('send' in dialer) {
    await bothUp;
    dialer.destroy();
    acceptor?.destroy();
  }
  await listener.close();
  return { dialer, acceptor, refused };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

function closed(socket: Socket): Promise<unknown> {
  socket.on('error', () => {}).resume();
  return new Promise((resolve) => socket.once('close', resolve));
}

/** Makes a transport of the implementation under test. */
export type MakeSecure = (options: TlsTransportOptions) => SecureTransport;

/** Declares the tests for acceptors and dialers of these makes. */
export function tlsIdentities(name: string, acceptors: MakeSecure, dialers: MakeSecure): void {
  function transports(
    acceptor: TlsIdentity,
    dialer: TlsIdentity,
  ): [SecureTransport, SecureTransport, DwcpError[]] {
    const refused: DwcpError[] = [];
    const server = acceptors({ identity: acceptor, onRefused: (error) => refused.push(error) });
    return [server, dialers({ identity: dialer }), refused];
  }

  /** Why a good acceptor turns away a dialer with this certificate that checks nothing itself. */
  async function refusalOf(identity: TlsIdentity): Promise<DwcpError> {
    let refused: DwcpError | undefined;
    const strict = acceptors({
      identity: good('a'),
      onRefused: (error) => {
        refused = error;
      },
    });
    const listener = await strict.listen(address, () => {
      throw new Error('a refused peer was handed out');
    });
    const { port } = listener.address;
    await closed(connectTls({ ...identity, port, checkServerIdentity: () => undefined }));
    await listener.close();
    return refused!;
  }

  test(`${name}: two nodes of one root meet, each knowing the other`, async (t) => {
    const { dialer, acceptor } = await meet(...transports(good('a'), good('b')));
    t.like(dialer, { secure: true, identity: named('a') });
    t.like(acceptor, { secure: true, identity: named('b') });
  });

  test(`${name}: bad certificates are refused in both directions, with a typed error`, async (t) => {
    const identity = named('bad');
    const past = { notBeforeMs: now - 2 * day, notAfterMs: now - day };
    const future = { notBeforeMs: now + day, notAfterMs: now + 2 * day };
    const bad: Record<string, TlsIdentity> = {
      foreign: withRoot(issueCertificate(stranger, { identity, random, ...valid })),
      expired: withRoot(issueCertificate(authority, { identity, random, ...past })),
      early: withRoot(issueCertificate(authority, { identity, random, ...future })),
      'not an issuer': withRoot(
        issueCertificate(issueCertificate(authority, { identity, random, ...valid }), {
          identity,
          random,
          ...valid,
        }),
      ),
    };
    for (const [what, badIdentity] of Object.entries(bad)) {
      const inbound = await meet(...transports(good('a'), badIdentity));
      t.like(inbound.dialer, { code: 'ERR_DWCP_CONNECT' }, `${what} dialer`);
      t.is(inbound.acceptor, undefined);
      t.is(
        inbound.refused[0]?.code,
        'ERR_DWCP_IDENTITY',
        `${what} dialer, as the acceptor tells it`,
      );
      const outbound = await meet(...transports(badIdentity, good('a')));
      t.like(outbound.dialer, { code: 'ERR_DWCP_IDENTITY' }, `${what} acceptor`);
      t.is(outbound.acceptor, undefined);
    }
  });

  test(`${name}: a self-signed certificate is refused although it names a node`, async (t) => {
    const server = createTlsServer({ ...stranger, minVersion: 'TLSv1.3' }, (socket) =>
      socket.resume(),
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = dialers({ identity: good('b') });
    const { port } = server.address() as { port: number };
    await t.throwsAsync(client.connect({ host: '127.0.0.1', port }, {}), {
      code: 'ERR_DWCP_IDENTITY',
    });
    server.close();
  });

  test(`${name}: clusters do not mix, even under one root`, async (t) => {
    const other = withRoot(
      issueCertificate(authority, { identity: named('x', 'other'), random, ...valid }),
    );
    const { dialer, acceptor } = await meet(...transports(good('a'), other));
    t.like(dialer, { code: 'ERR_DWCP_IDENTITY' });
    t.is(acceptor, undefined);
    t.is((await refusalOf(other)).code, 'ERR_DWCP_IDENTITY');
  });

  test(`${name}: a certificate without a name is refused on both sides`, async (t) => {
    const nameless = withRoot(issueCertificate(authority, { random, ...valid }));
    t.throws(() => acceptors({ identity: nameless }), { code: 'ERR_DWCP_IDENTITY' });

    const server = createTlsServer(
      { ...nameless, minVersion: 'TLSv1.3', requestCert: true },
      (socket) => socket.on('error', () => {}).resume(),
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const client = dialers({ identity: good('b') });
    await t.throwsAsync(client.connect({ host: '127.0.0.1', port }, {}), {
      code: 'ERR_DWCP_IDENTITY',
    });
    server.close();

    t.is((await refusalOf(nameless)).code, 'ERR_DWCP_IDENTITY');
  });

  test(`${name}: names that are too long, too many, or of another make are refused`, async (t) => {
    const long = 'n'.repeat(64);
    const wrong: Record<string, readonly string[]> = {
      'a node id above 63 characters': [`dwcp://c/eu/${long}`],
      'a name of 12 KB': [`dwcp://c/eu/${'n'.repeat(12_000)}`],
      'two names': ['dwcp://c/eu/x', 'dwcp://c/eu/y'],
      'a fourth part': ['dwcp://c/eu/x/y'],
      'an escaped part': ['dwcp://c/eu/%78'],
    };
    for (const [what, alternativeUris] of Object.entries(wrong)) {
      const credentials = issueCertificate(authority, { alternativeUris, random, ...valid });
      t.is((await refusalOf(withRoot(credentials)))?.code, 'ERR_DWCP_IDENTITY', what);
    }
    // OpenSSL does not take what it cannot be bothered to read; whose fault that is nobody knows.
    const alternativeUris = Array.from(
      { length: 600 },
      (_, i) => `dwcp://c/eu/${'n'.repeat(300)}${i}`,
    );
    const huge = issueCertificate(authority, { alternativeUris, random, ...valid });
    t.regex((await refusalOf(withRoot(huge))).code, /^ERR_DWCP_(IDENTITY|CONNECT)$/);
  });

  test(`${name}: no certificate, TLS 1.2 and plaintext get nowhere`, async (t) => {
    const server = acceptors({ identity: good('a'), limits: { handshakeTimeoutMs: 200 } });
    const listener = await server.listen(address, () => t.fail('handed out'));
    const { port } = listener.address;
    const none = connectTls({ port, ca: authority.cert, checkServerIdentity: () => undefined });
    await closed(none);
    const old = connectTls({ ...good('b'), port, maxVersion: 'TLSv1.2' });
    await closed(old);
    const plain = connectRaw(port, '127.0.0.1');
    plain.write('DWCP\x01\x01\0\0');
    await closed(plain);
    const silent = connectRaw(port, '127.0.0.1');
    await closed(silent);
    await t.notThrowsAsync(listener.close());
  });

  test(`${name}: messages cross and frames carry no CRC of their own`, async (t) => {
    const server = acceptors({ identity: good('a') });
    const listener = await server.listen(address, (pipe) => {
      new Connection({
        pipe,
        role: 'acceptor',
        clock: systemClock,
        onStream: (stream) => stream.onMessage((message) => stream.send(message, { end: true })),
      });
    });
    const pipe = await dialers({ identity: good('b') }).connect(listener.address, {});
    const dialer = new Connection({ pipe, role: 'dialer', clock: systemClock, onStream: () => {} });
    const stream = dialer.open(1);
    const answer = new Promise<Buffer>((resolve) => stream.onMessage(resolve));
    const payload = Buffer.alloc(2_000_000, 'tls');
    await stream.send(payload, { end: true });
    t.true((await answer).equals(payload));
    await dialer.close();
    await listener.close();
  });

  test(`${name}: an identity rotates without dropping links: new handshakes use the new root`, async (t) => {
    const next = createAuthority({ name: 'next root', random, ...valid });
    const bothRoots = authority.cert + next.cert;
    const issue = (by: Credentials, nodeId: string, ca: string): TlsIdentity =>
      withRoot(issueCertificate(by, { identity: named(nodeId), random, ...valid }), ca);
    const server = acceptors({ identity: issue(authority, 'a', bothRoots) });
    const client = dialers({ identity: issue(authority, 'b', bothRoots) });
    const pipes: FramePipe[] = [];
    const listener = await server.listen(address, (pipe) => pipes.push(pipe));
    const first = await client.connect(listener.address, {});
    server.setIdentity(issue(next, 'a2', next.cert));
    await t.throwsAsync(client.connect(listener.address, {}), { code: 'ERR_DWCP_CONNECT' });
    client.setIdentity(issue(next, 'b2', bothRoots));
    const second = await client.connect(listener.address, {});
    await until(() => pipes.length === 2);
    t.deepEqual(first.identity, named('a'));
    t.deepEqual(second.identity, named('a2'));
    t.deepEqual(
      pipes.map((pipe) => pipe.identity?.nodeId),
      ['b', 'b2'],
    );
    const foreign = issueCertificate(next, { identity: named('b', 'other'), random, ...valid });
    t.throws(() => client.setIdentity(withRoot(foreign)), { code: 'ERR_DWCP_IDENTITY' });
    for (const pipe of [first, second, ...pipes]) pipe.destroy();
    await listener.close();
  });
}
