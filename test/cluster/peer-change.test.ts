/** A peer that comes back as somebody else, or says more than a name may hold. */
import { connect } from 'node:tls';
import test from 'ava';
import {
  createAuthority,
  type Credentials,
  issueCertificate,
} from '../../lib/crypto/certificates.ts';
import { DwcpError } from '../../lib/errors.ts';
import type { Hello, NodeLinks } from '../../lib/links/link.ts';
import { systemRandom as random } from '../../lib/random.ts';
import { netTransport, type PipeTransport, tlsTransport } from '../../lib/transport/index.ts';
import { anyPort, helloOf, linked, linksOf, refused, settled } from '../fakes/node-rig.ts';

const now = Date.now();
const valid = { random, notBeforeMs: now - 86_400_000, notAfterMs: now + 86_400_000 };
const root = createAuthority({ name: 'root', ...valid });

function secured({ cluster, region, nodeId }: Hello): PipeTransport {
  const credentials = issueCertificate(root, { identity: { cluster, region, nodeId }, ...valid });
  return tlsTransport({ identity: { ...credentials, ca: root.cert } });
}

/** Dials over one transport after another. */
function switching(first: PipeTransport): PipeTransport & { next: PipeTransport } {
  const transport = {
    tier: first.tier,
    next: first,
    listen: (...args: Parameters<PipeTransport['listen']>) => transport.next.listen(...args),
    connect: (...args: Parameters<PipeTransport['connect']>) => transport.next.connect(...args),
  };
  return transport;
}

async function cut(of: NodeLinks, nodeId: string): Promise<void> {
  of.get(nodeId)!.close(new DwcpError('ERR_DWCP_LINK_DOWN', 'cut by the test'));
  await settled([of], 'the link to go', () => of.get(nodeId) === undefined);
}

test('a process that changes its region on reconnect is refused and counted; a restarted one is not', async (t) => {
  let hello = helloOf('b', { region: 'eu' });
  const a = linksOf(helloOf('a'));
  const b = linksOf(hello, { self: () => hello });
  b.dial(await a.listen(anyPort));
  await linked(a, 'b');
  hello = { ...hello, region: 'us' };
  const both = [refused(a), refused(b)];
  await cut(a, 'b');
  for (const error of await Promise.all(both)) {
    t.is(error.code, 'ERR_DWCP_IDENTITY');
    t.regex(error.message, /b was in region eu and is not any more/);
  }
  t.true(a.stats().identityChanged > 0);
  t.true(a.stats().refusedByCode['ERR_DWCP_IDENTITY']! > 0);
  hello = { ...hello, incarnation: 2 };
  t.is((await linked(a, 'b')).peer.region, 'us');
  await Promise.all([a.close(100), b.close(100)]);
});

test('a process that proved who it is has to prove it again', async (t) => {
  const [helloA, helloB] = [helloOf('a'), helloOf('b')];
  const plain = netTransport();
  const acceptor = switching(secured(helloA));
  const dialer = switching(secured(helloB));
  const a = linksOf(helloA, { transport: acceptor });
  const b = linksOf(helloB, { transport: dialer });
  b.dial(await a.listen(anyPort));
  t.true((await linked(a, 'b')).secure);
  acceptor.next = plain;
  dialer.next = plain;
  const unsafe = await a.listen(anyPort);
  await Promise.all([refusedBy(a), cut(a, 'b'), Promise.resolve(b.dial(unsafe))]);
  t.true(a.stats().identityChanged > 0);
  t.is(a.all().length, 0);
  await Promise.all([a.close(100), b.close(100)]);
});

async function refusedBy(links: NodeLinks): Promise<void> {
  for (;;) {
    const error = await refused(links);
    if (error.code === 'ERR_DWCP_IDENTITY') return;
  }
}

for (const [what, names] of [
  ['a name of 64 characters', [`dwcp://test/eu/${'n'.repeat(64)}`]],
  ['a name of 60 KB', [`dwcp://test/eu/${'n'.repeat(60_000)}`]],
  ['two names', ['dwcp://test/eu/b', 'dwcp://test/eu/c']],
  ['two thousand other names and no own', Array.from({ length: 2_000 }, (_, i) => `urn:x:${i}`)],
  ['a name with a port', ['dwcp://test:1/eu/b']],
  ['a name with a query', ['dwcp://test/eu/b?x']],
  ['a name that ends early', ['dwcp://test/eu/b\0evil']],
] as const) {
  test(`a certificate with ${what} names nobody: refused with a code`, async (t) => {
    const credentials: Credentials = issueCertificate(root, { alternativeUris: names, ...valid });
    const refusals: DwcpError[] = [];
    const server = tlsTransport({
      identity: { ...issueNamed('a'), ca: root.cert },
      onRefused: (error) => refusals.push(error),
    });
    const listener = await server.listen(anyPort, () => t.fail('it was handed out'));
    t.throws(() => tlsTransport({ identity: { ...credentials, ca: root.cert } }), {
      code: 'ERR_DWCP_IDENTITY',
    });
    const { port } = listener.address;
    const socket = connect({
      ...credentials,
      ca: root.cert,
      port,
      checkServerIdentity: () => undefined,
    });
    socket.resume().on('error', () => {});
    await new Promise((resolve) => socket.once('close', resolve));
    const endMs = performance.now() + 5_000;
    while (refusals.length === 0 && performance.now() < endMs) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    t.deepEqual(
      refusals.map(({ code }) => code),
      ['ERR_DWCP_IDENTITY'],
    );
    t.is(server.gateStats().refusedIdentity, 1);
    await listener.close();
  });
}

function issueNamed(nodeId: string): Credentials {
  const identity = { cluster: 'test', region: 'eu', nodeId };
  return issueCertificate(root, { identity, ...valid });
}
