/** The small certificate authority and the strict reading of identities. */
import { X509Certificate } from 'node:crypto';
import test from 'ava';
import { createAuthority, issueCertificate } from '../../lib/crypto/certificates.ts';
import { time } from '../../lib/crypto/der.ts';
import { formatIdentity, identityOf } from '../../lib/crypto/peer-identity.ts';
import { seededRandom } from '../../lib/random.ts';

const validity = { notBeforeMs: Date.UTC(2020, 0, 1), notAfterMs: Date.UTC(2060, 0, 1) };
const random = seededRandom(7);
const authority = createAuthority({ name: 'test root', random, ...validity });
const identity = { cluster: 'c1', region: 'eu-west', nodeId: 'n_1.a' };

test('a root signs itself and a node certificate chains to it', (t) => {
  const root = new X509Certificate(authority.cert);
  t.true(root.ca);
  t.true(root.verify(root.publicKey));
  const issued = issueCertificate(authority, { identity, random, ...validity });
  const node = new X509Certificate(issued.cert);
  t.false(node.ca);
  t.true(node.checkIssued(root));
  t.true(node.verify(root.publicKey));
  t.is(node.subjectAltName, 'URI:dwcp://c1/eu-west/n_1.a');
  t.is(Date.parse(node.validFrom), validity.notBeforeMs);
  t.is(Date.parse(node.validTo), validity.notAfterMs, 'years from 2050 on use GeneralizedTime');
  t.deepEqual(identityOf(node), identity);
});

test('times switch form at 2050 as RFC 5280 4.1.2.5 says', (t) => {
  t.is(
    time(Date.UTC(2049, 11, 31, 23, 59, 59))
      .subarray(2)
      .toString(),
    '491231235959Z',
  );
  t.is(
    time(Date.UTC(2050, 0, 1))
      .subarray(2)
      .toString(),
    '20500101000000Z',
  );
});

test('names that would need escaping are refused when issuing', (t) => {
  for (const nodeId of [
    '',
    'a/b',
    'a b',
    'ä',
    '%41',
    'x'.repeat(64),
    '.hidden',
    'a,URI:dwcp://x',
  ]) {
    t.throws(
      () => formatIdentity({ ...identity, nodeId }),
      { code: 'ERR_DWCP_INVALID_ARG' },
      nodeId,
    );
  }
});

test('an identity is read only when it is the one well-formed dwcp URI', (t) => {
  const read = (subjectAltName: string | undefined): unknown =>
    identityOf({ subjectAltName } as unknown as X509Certificate);
  t.deepEqual(read('DNS:host.example, URI:dwcp://c/r/n, IP Address:127.0.0.1'), {
    cluster: 'c',
    region: 'r',
    nodeId: 'n',
  });
  const bad = [
    undefined,
    '',
    'DNS:host.example',
    'URI:https://c/r/n',
    'URI:dwcp://c/r',
    'URI:dwcp://c/r/n/x',
    'URI:dwcp://c//n',
    'URI:dwcp://c/r/n?x=1',
    'URI:dwcp://c/r/n%2f',
    'URI:DWCP://c/r/n',
    'URI:dwcp://c/r/n, URI:dwcp://c/r/m',
    'DNS:"x, URI:dwcp://c/r/n, y"',
  ];
  for (const names of bad) t.throws(() => read(names), { code: 'ERR_DWCP_IDENTITY' }, names);
});
