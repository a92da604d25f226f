/** Links over mutual TLS: who a node says it is must be who its certificate says it is. */
import test from 'ava';
import { createAuthority, issueCertificate } from '../../lib/crypto/certificates.ts';
import type { Hello, NodeLinks } from '../../lib/links/link.ts';
import { systemRandom } from '../../lib/random.ts';
import {
  type FramePipe,
  ioStatus,
  ioTransport,
  type SecureTransport,
  tlsTransport,
  type TlsTransportOptions,
} from '../../lib/transport/index.ts';
import { anyPort, helloOf, linked, linksOf, refused } from '../fakes/node-rig.ts';

const day = 86_400_000;
const valid = { notBeforeMs: Date.now() - day, notAfterMs: Date.now() + day };
const authority = createAuthority({ name: 'root', random: systemRandom, ...valid });

type Make = (options: TlsTransportOptions) => SecureTransport;

/** Links that say `hello` and hold a certificate for `proven`. */
function securedBy(make: Make, hello: Hello, proven: Partial<Hello>): NodeLinks {
  const { cluster, region, nodeId } = { ...hello, ...proven };
  const identity = { cluster, region, nodeId };
  const credentials = issueCertificate(authority, { identity, random: systemRandom, ...valid });
  return linksOf(hello, {
    transport: make({ identity: { ...credentials, ca: authority.cert } }),
    requireSecure: true,
  });
}

const engineTier = ioStatus().secured.tier;
const makes: readonly (readonly [string, Make, FramePipe['tier']])[] = [
  ['tls', tlsTransport, 'tls'],
  ['the best tier', ioTransport, engineTier],
];

const resumptions = (): number => ioStatus().engine?.tlsResumed ?? 0;

for (const [name, make, tier] of makes) {
  const secured = (hello: Hello, proven: Partial<Hello> = {}): NodeLinks =>
    securedBy(make, hello, proven);

  test(`${name}: two nodes with certificates link, encrypted and authenticated`, async (t) => {
    const a = secured(helloOf('a'));
    const b = secured(helloOf('b'));
    b.dial(await a.listen(anyPort));
    const [toA, toB] = await Promise.all([linked(b, 'a'), linked(a, 'b')]);
    t.true(toA.secure && toB.secure);
    t.is(toA.tier, tier);
    await Promise.all([a.close(100), b.close(100)]);
  });

  for (const [what, claim, proven] of [
    ['node id', { nodeId: 'b' }, { nodeId: 'c' }],
    ['region', { nodeId: 'b', region: 'us' }, { region: 'eu' }],
  ] as const) {
    test(`${name}: a ${what} the certificate does not prove is refused, and both learn why`, async (t) => {
      const a = secured(helloOf('a'));
      const b = secured(helloOf('b', claim), proven);
      const both = [refused(a), refused(b)];
      b.dial(await a.listen(anyPort));
      for (const error of await Promise.all(both)) {
        t.is(error.code, 'ERR_DWCP_IDENTITY');
        t.regex(error.message, /the certificate says/);
      }
      t.is(a.all().length + b.all().length, 0);
      await Promise.all([a.close(0), b.close(0)]);
    });
  }

  test(`${name}: an acceptor that is not who it says is refused by the dialer`, async (t) => {
    const a = secured(helloOf('a'), { nodeId: 'z' });
    const b = secured(helloOf('b'));
    const refusal = refused(b);
    b.dial(await a.listen(anyPort));
    t.is((await refusal).code, 'ERR_DWCP_IDENTITY');
    t.is(a.all().length + b.all().length, 0);
    await Promise.all([a.close(0), b.close(0)]);
  });

  test(`${name}: a peer that resumes its session and says another name is refused`, async (t) => {
    const a = secured(helloOf('a'));
    const address = await a.listen(anyPort);
    let hello = helloOf('b');
    const { cluster, region, nodeId } = hello;
    const identity = { cluster, region, nodeId };
    const credentials = issueCertificate(authority, { identity, random: systemRandom, ...valid });
    const transport = make({ identity: { ...credentials, ca: authority.cert } });
    const before = resumptions();
    const honest = linksOf(hello, { transport, requireSecure: true });
    honest.dial(address);
    await Promise.all([linked(honest, 'a'), linked(a, 'b')]);
    // Its ticket comes with the first bytes of the link.
    await honest.get('a')!.open(1).send(Buffer.alloc(1));
    await honest.close(0);

    hello = helloOf('c');
    const liar = linksOf(hello, { transport, requireSecure: true });
    const both = [refused(a), refused(liar)];
    liar.dial(address);
    for (const error of await Promise.all(both)) {
      t.is(error.code, 'ERR_DWCP_IDENTITY');
      t.regex(error.message, /the certificate says/);
    }
    if (tier !== 'tls') t.true(resumptions() > before, 'it resumed');
    t.is(a.get('c'), undefined);
    await Promise.all([a.close(0), liar.close(0)]);
  });
}
