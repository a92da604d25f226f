/** What never becomes a pipe is turned away in time, with a code, once: silence, slowness, floods, nonsense. */
import { connect as connectRaw, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import test from 'ava';
import { createAuthority, issueCertificate } from '../../lib/crypto/certificates.ts';
import { systemRandom as random } from '../../lib/random.ts';
import {
  type DwcpError,
  encodePreface,
  type LinkLimits,
  netTransport,
  type PipeTransport,
  type TlsIdentity,
  tlsTransport,
} from '../../lib/transport/index.ts';

const now = Date.now();
const valid = { notBeforeMs: now - 86_400_000, notAfterMs: now + 86_400_000 };
const root = createAuthority({ name: 'root', random, ...valid });
const identityOf = (nodeId: string): TlsIdentity => ({
  ...issueCertificate(root, {
    identity: { cluster: 'c', region: 'r', nodeId },
    random,
    ...valid,
  }),
  ca: root.cert,
});
const server = identityOf('server');
const address = { host: '127.0.0.1', port: 0 };

type OnRefused = (error: DwcpError, remoteAddress: string) => void;
const makers: Readonly<
  Record<string, (limits: Partial<LinkLimits>, onRefused: OnRefused) => PipeTransport>
> = {
  net: (limits, onRefused) => netTransport({ limits, onRefused }),
  tls: (limits, onRefused) => tlsTransport({ identity: server, limits, onRefused }),
};

/** A listener, and the codes of what it turned away. */
async function listening(
  name: string,
  limits: Partial<LinkLimits>,
): Promise<{ port: number; codes: string[]; close: () => Promise<void>; pipes: () => number }> {
  const codes: string[] = [];
  let pipes = 0;
  const transport = makers[name]!(limits, (error) => codes.push(error.code));
  const listener = await transport.listen(address, (pipe) => {
    pipes += 1;
    pipe.start({ onFrames: () => {}, onWritable: () => {}, onClose: () => {} });
  });
  const { port } = listener.address;
  return { port, codes, close: () => listener.close(), pipes: () => pipes };
}

function closed(socket: Socket): Promise<unknown> {
  socket.resume().on('error', () => {});
  return socket.closed
    ? Promise.resolve()
    : new Promise((resolve) => socket.once('close', resolve));
}

/** Everything that was on its way has come when the loop turned twice. */
async function settled(): Promise<void> {
  for (let i = 0; i < 2; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

for (const name of Object.keys(makers)) {
  test(`${name}: one that says nothing is cut off at the deadline`, async (t) => {
    const { port, codes, close, pipes } = await listening(name, { handshakeTimeoutMs: 80 });
    await closed(connectRaw(port, '127.0.0.1'));
    await settled();
    t.deepEqual(codes, ['ERR_DWCP_DEADLINE']);
    t.is(pipes(), 0);
    await close();
  });

  test(`${name}: one that speaks a byte at a time is cut off at the same deadline`, async (t) => {
    const { port, codes, close, pipes } = await listening(name, { handshakeTimeoutMs: 120 });
    const socket = connectRaw(port, '127.0.0.1');
    // The beginning of a TLS record that announces 512 bytes, and of a preface.
    const start = name === 'tls' ? Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252]) : encodePreface();
    let at = 0;
    const drip = setInterval(() => {
      if (at < start.length - 1) socket.write(start.subarray(at, (at += 1)));
    }, 10);
    t.teardown(() => clearInterval(drip));
    await closed(socket);
    clearInterval(drip);
    await settled();
    t.deepEqual(codes, ['ERR_DWCP_DEADLINE']);
    t.is(pipes(), 0);
    await close();
  });

  test(`${name}: beyond maxHalfOpen the oldest goes, and an honest peer gets in`, async (t) => {
    const limits = { handshakeTimeoutMs: 60_000, maxHalfOpen: 3 };
    const { port, codes, close, pipes } = await listening(name, limits);
    const silent = Array.from({ length: 5 }, () => connectRaw(port, '127.0.0.1'));
    await Promise.all(silent.slice(0, 2).map(closed));
    await settled();
    t.deepEqual(codes, ['ERR_DWCP_LIMIT', 'ERR_DWCP_LIMIT']);
    const honest = name === 'tls' ? tlsTransport({ identity: identityOf('b') }) : netTransport();
    const pipe = await honest.connect({ host: '127.0.0.1', port }, {});
    while (pipes() === 0) await settled();
    pipe.destroy();
    for (const socket of silent) socket.destroy();
    await close();
  });

  test(`${name}: nonsense in place of the preface has a code`, async (t) => {
    const { port, codes, close } = await listening(name, {});
    const socket = connectRaw(port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: example.org\r\n\r\n');
    await closed(socket);
    await settled();
    t.deepEqual(codes, [name === 'tls' ? 'ERR_DWCP_CONNECT' : 'ERR_DWCP_FRAME_MAGIC']);
    await close();
  });
}

test('tls: a proven peer that then stays silent is cut off as well', async (t) => {
  const { port, codes, close, pipes } = await listening('tls', { handshakeTimeoutMs: 150 });
  const socket = connectTls({ ...identityOf('b'), port, checkServerIdentity: () => undefined });
  await closed(socket);
  await settled();
  t.deepEqual(codes, ['ERR_DWCP_DEADLINE']);
  t.is(pipes(), 0);
  await close();
});

test('tls: an older protocol and a handshake cut short end with a code', async (t) => {
  const { port, codes, close } = await listening('tls', {});
  const client = identityOf('b');
  const old = { ...client, port, checkServerIdentity: () => undefined };
  await closed(connectTls({ ...old, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }));
  const cut = connectRaw(port, '127.0.0.1');
  cut.end(Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252]));
  await closed(cut);
  await settled();
  t.deepEqual(codes, ['ERR_DWCP_CONNECT', 'ERR_DWCP_CONNECT']);
  await close();
});
