/** The contract of `SecureTransport`: identities and refusals change while pipes live. */
import { X509Certificate } from 'node:crypto';
import test from 'ava';
import {
  createAuthority,
  type Credentials,
  issueCertificate,
} from '../../lib/crypto/certificates.ts';
import { systemRandom as random } from '../../lib/random.ts';
import type {
  DwcpError,
  FramePipe,
  PipeListener,
  SecureTransport,
  TlsIdentity,
} from '../../lib/transport/index.ts';
import { tamperProxy, tampers } from './tamper-proxy.ts';

const now = Date.now();
const valid = { notBeforeMs: now - 86_400_000, notAfterMs: now + 86_400_000 };
const root = createAuthority({ name: 'root', random, ...valid });
const nextRoot = createAuthority({ name: 'next root', random, ...valid });
const both = root.cert + nextRoot.cert;
const address = { host: '127.0.0.1', port: 0 };

/** A certificate of a node, and the roots it believes in. */
const issue = (nodeId: string, by: Credentials = root, ca = by.cert): TlsIdentity => {
  const identity = { cluster: 'c', region: 'eu', nodeId };
  return { ...issueCertificate(by, { identity, random, ...valid }), ca };
};

/** Makes a transport of the implementation under test. */
export type MakeSecure = (
  identity: TlsIdentity,
  onRefused?: (error: DwcpError) => void,
) => SecureTransport;

/** A pipe that tells how it ended. */
function watched(pipe: FramePipe): { pipe: FramePipe; closed: Promise<DwcpError | undefined> } {
  const closed = new Promise<DwcpError | undefined>((resolve) =>
    pipe.start({ onFrames: () => {}, onWritable: () => {}, onClose: resolve }),
  );
  return { pipe, closed };
}

/** Whether a pipe lives, once everything that was on its way has come. */
async function stateOf(closed: Promise<unknown>): Promise<'open' | 'closed'> {
  await new Promise((resolve) => setImmediate(resolve));
  return Promise.race([closed.then(() => 'closed' as const), Promise.resolve('open' as const)]);
}

interface Server {
  readonly transport: SecureTransport;
  readonly listener: PipeListener;
  readonly refused: DwcpError[];
  /** The next pipe handed out. */
  next(): Promise<FramePipe>;
}

async function serve(make: MakeSecure, identity: TlsIdentity): Promise<Server> {
  const refused: DwcpError[] = [];
  const pipes: FramePipe[] = [];
  const all: FramePipe[] = [];
  const waiting: ((pipe: FramePipe) => void)[] = [];
  const transport = make(identity, (error) => refused.push(error));
  const inner = await transport.listen(address, (pipe) => {
    all.push(pipe);
    const waiter = waiting.shift();
    if (waiter) waiter(pipe);
    else pipes.push(pipe);
  });
  // A pipe that nobody reads does not see that its peer left.
  const close = async (): Promise<void> => {
    await inner.close();
    for (const pipe of all) pipe.destroy();
  };
  const listener = { address: inner.address, close };
  const next = (): Promise<FramePipe> => {
    const pipe = pipes.shift();
    return pipe ? Promise.resolve(pipe) : new Promise((resolve) => waiting.push(resolve));
  };
  return { transport, listener, refused, next };
}

/** Runs the contract against one implementation. */
export function secureContract(name: string, make: MakeSecure): void {
  test(`${name}: a revoked node loses its pipe at once and gets no other, others keep theirs`, async (t) => {
    const server = await serve(make, issue('a'));
    const [bad, good] = [make(issue('b')), make(issue('c'))];
    const lost = watched(await bad.connect(server.listener.address, {}));
    const lostHere = watched(await server.next());
    const kept = watched(await good.connect(server.listener.address, {}));
    await server.next();
    server.transport.setRevoked(['dwcp://c/eu/b']);
    const error = await lostHere.closed;
    t.is(error?.code, 'ERR_DWCP_IDENTITY');
    t.like(error?.detail, { reason: 'revoked', nodeId: 'b' });
    await lost.closed;
    const again = await t.throwsAsync(bad.connect(server.listener.address, {}));
    t.like(again, { code: 'ERR_DWCP_CONNECT' });
    t.is(server.refused.at(-1)?.code, 'ERR_DWCP_IDENTITY');
    t.like(server.transport.gateStats(), { revoked: 1, refusedRevoked: 1, closedRevoked: 1 });
    t.is(await stateOf(kept.closed), 'open');
    server.transport.setRevoked([]);
    const back = await bad.connect(server.listener.address, {});
    t.is((await server.next()).identity?.nodeId, 'b');
    back.destroy();
    kept.pipe.destroy();
    await server.listener.close();
  });

  test(`${name}: a fingerprint revokes one certificate, not its node`, async (t) => {
    const server = await serve(make, issue('a'));
    const stolen = issue('b');
    const { fingerprint256 } = new X509Certificate(stolen.cert);
    server.transport.setRevoked([fingerprint256]);
    await t.throwsAsync(make(stolen).connect(server.listener.address, {}), {
      code: 'ERR_DWCP_CONNECT',
    });
    const pipe = await make(issue('b')).connect(server.listener.address, {});
    t.is((await server.next()).identity?.nodeId, 'b');
    pipe.destroy();
    await server.listener.close();
  });

  test(`${name}: a dialer refuses an acceptor that it knows to be revoked`, async (t) => {
    const server = await serve(make, issue('a'));
    const client = make(issue('b'));
    client.setRevoked(['dwcp://c/*/a*']);
    await t.throwsAsync(client.connect(server.listener.address, {}), {
      code: 'ERR_DWCP_IDENTITY',
    });
    t.like(client.gateStats(), { refusedRevoked: 1 });
    await server.listener.close();
  });

  test(`${name}: what is no entry of the list is refused, and the list stays`, (t) => {
    const transport = make(issue('a'));
    transport.setRevoked(['dwcp://c/eu/b']);
    for (const entry of ['b', 'dwcp://c/eu', 'dwcp://c/eu/b/x', 'dwcp://c/e*u/b', 'AB:CD', 7]) {
      t.throws(() => transport.setRevoked([entry as string]), { code: 'ERR_DWCP_INVALID_ARG' });
    }
    t.like(transport.gateStats(), { revoked: 1 });
  });

  test(`${name}: certificate and root change under live pipes, which stay`, async (t) => {
    const server = await serve(make, issue('a', root, both));
    const client = make(issue('b', root, both));
    const first = watched(await client.connect(server.listener.address, {}));
    await server.next();
    server.transport.setIdentity(issue('a', nextRoot, both));
    client.setIdentity(issue('b', nextRoot, both));
    server.transport.setIdentity(issue('a', nextRoot, nextRoot.cert));
    client.setIdentity(issue('b', nextRoot, nextRoot.cert));
    const second = await client.connect(server.listener.address, {});
    t.is(second.identity?.nodeId, 'a');
    t.is((await server.next()).identity?.nodeId, 'b');
    const old = make(issue('c', root, both));
    await t.throwsAsync(old.connect(server.listener.address, {}), { code: 'ERR_DWCP_CONNECT' });
    t.is(await stateOf(first.closed), 'open');
    for (const pipe of [first.pipe, second]) pipe.destroy();
    await server.listener.close();
  });

  test(`${name}: an identity that cannot be used is refused, and the one before stays`, async (t) => {
    const server = await serve(make, issue('a'));
    const { key } = issue('b');
    const mixed = { ...issue('a'), key };
    t.throws(() => server.transport.setIdentity(mixed), { code: 'ERR_DWCP_IDENTITY' });
    const pipe = await make(issue('b')).connect(server.listener.address, {});
    t.is(pipe.identity?.nodeId, 'a');
    await server.next();
    pipe.destroy();
    await server.listener.close();
  });

  for (const [how, tamper] of Object.entries(tampers)) {
    test(`${name}: a ${how} record ends the pipe with an error, and nothing of it is delivered`, async (t) => {
      const server = await serve(make, issue('a'));
      const proxy = await tamperProxy(server.listener.address);
      t.teardown(() => proxy.close());
      const dialer = watched(await make(issue('b')).connect(proxy.address, {}));
      const acceptor = await server.next();
      const got: number[] = [];
      const ended = new Promise<DwcpError | undefined>((resolve) =>
        acceptor.start({
          onFrames: (frames) => got.push(...frames.map((frame) => frame.stream)),
          onWritable: () => {},
          onClose: resolve,
        }),
      );
      const send = (stream: number): void => {
        const payload = [Buffer.alloc(100, stream)];
        dialer.pipe.send([{ kind: 1, flags: 1, channel: 1, stream, payload }]);
      };
      send(1);
      while (got.length === 0) await new Promise((resolve) => setImmediate(resolve));
      const held = proxy.tamper(tamper);
      send(3);
      await held;
      send(5);
      const error = await ended;
      t.is(error?.code, 'ERR_DWCP_LINK_DOWN');
      const expected: Readonly<Record<string, readonly number[]>> = { repeated: [1, 3] };
      t.deepEqual(got, expected[how] ?? [1]);
      await dialer.closed;
      await server.listener.close();
    });
  }
}
