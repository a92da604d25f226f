/** Hello: what is encoded is decoded; what is garbage is a typed refusal; the unknown is ignored. */
import test from 'ava';
import * as fc from 'fast-check';
import { isDwcpError } from '../../lib/errors.ts';
import { decodeHello, encodeHello } from '../../lib/links/hello.ts';
import type { Hello } from '../../lib/links/link.ts';

const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/);
const count = fc.nat(0xffff);
const hello: fc.Arbitrary<Hello> = fc
  .record({
    wire: fc.tuple(count, count),
    cluster: name,
    nodeId: name,
    incarnation: fc.integer({ min: 0, max: 2 ** 52 }),
    region: name,
    advertise: fc.option(
      fc.record({
        host: fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain()),
        port: fc.integer({ min: 1, max: 65535 }),
      }),
      { nil: undefined },
    ),
    codecs: fc.array(count, { maxLength: 64 }),
    digests: fc.array(count, { maxLength: 16 }),
    maxMessageBytes: fc.integer({ min: 0, max: 2 ** 40 }),
    policies: fc.dictionary(
      fc.string({ minLength: 1, maxLength: 60 }),
      fc.string({ maxLength: 60 }),
      { maxKeys: 20 },
    ),
  })
  .map(({ wire: [a, b], policies, ...rest }) => ({
    ...rest,
    policies: Object.fromEntries(Object.entries(policies)),
    wireMin: Math.min(a, b),
    wireMax: Math.max(a, b),
  }));

const example: Hello = {
  wireMin: 1,
  wireMax: 1,
  cluster: 'shop',
  nodeId: 'eu-1',
  incarnation: 7,
  region: 'eu',
  advertise: { host: '10.0.0.1', port: 7000 },
  codecs: [1, 2],
  digests: [1],
  maxMessageBytes: 1024,
  policies: { prices: 'abc' },
};

/** Runs a decode that may only fail with ERR_DWCP_HANDSHAKE. */
function refusedOrRead(payload: Uint8Array): boolean {
  try {
    decodeHello(payload);
    return true;
  } catch (error) {
    return isDwcpError(error, 'ERR_DWCP_HANDSHAKE');
  }
}

test('a Hello survives the wire', (t) => {
  fc.assert(
    fc.property(hello, (said) => {
      t.deepEqual(decodeHello(encodeHello(said)), said);
    }),
    { numRuns: 200 },
  );
});

test('equal Hellos give equal bytes, whatever the order of their policies', (t) => {
  const a = encodeHello({ ...example, policies: { a: '1', b: '2' } });
  const b = encodeHello({ ...example, policies: { b: '2', a: '1' } });
  t.deepEqual(a, b);
});

test('unknown fields are ignored', (t) => {
  const raw = JSON.parse(encodeHello(example).toString()) as Record<string, unknown>;
  const newer = Buffer.from(JSON.stringify({ ...raw, compression: { level: 9 }, motto: 'hi' }));
  t.deepEqual(decodeHello(newer), example);
});

test('random bytes are refused with a typed error', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => refusedOrRead(bytes)),
      {
        numRuns: 500,
      },
    ),
  );
});

test('any JSON is read or refused with a typed error', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.json(), (json) => refusedOrRead(Buffer.from(json))),
      { numRuns: 500 },
    ),
  );
});

test('a Hello with one field replaced by anything is read or refused with a typed error', (t) => {
  const raw = JSON.parse(encodeHello(example).toString()) as Record<string, unknown>;
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(raw)), fc.jsonValue(), (field, value) =>
        refusedOrRead(Buffer.from(JSON.stringify({ ...raw, [field]: value }))),
      ),
      { numRuns: 1000 },
    ),
  );
});

for (const [what, change] of Object.entries<Record<string, unknown>>({
  'an empty node id': { nodeId: '' },
  'a node id with a slash': { nodeId: 'a/b' },
  'a negative incarnation': { incarnation: -1 },
  'an incarnation past 2^52': { incarnation: 2 ** 53 },
  'a fractional version': { wireMin: 0.5 },
  'wireMin above wireMax': { wireMin: 3, wireMax: 2 },
  'port 0': { advertise: { host: 'a', port: 0 } },
  'a host with a space': { advertise: { host: 'a b', port: 1 } },
  'too many codecs': { codecs: Array(65).fill(1) },
  'policies as an array': { policies: [] },
  'a policy that is no text': { policies: { prices: 1 } },
  'a policy with no name': { policies: { '': 'x' } },
})) {
  test(`${what} is refused and named`, (t) => {
    const raw = JSON.parse(encodeHello(example).toString()) as Record<string, unknown>;
    const payload = Buffer.from(JSON.stringify({ ...raw, ...change }));
    t.throws(() => decodeHello(payload), { code: 'ERR_DWCP_HANDSHAKE', message: /must be/ });
  });
}

test('a deeply nested or oversized payload is refused without a crash', (t) => {
  t.throws(() => decodeHello(Buffer.from('['.repeat(60_000))), { code: 'ERR_DWCP_HANDSHAKE' });
  t.throws(() => decodeHello(Buffer.alloc(70_000, 32)), { code: 'ERR_DWCP_HANDSHAKE' });
});

test('a Hello that would not fit one frame is refused before it is sent', (t) => {
  const policies = Object.fromEntries(
    Array.from({ length: 1000 }, (_, i) => [`keyspace-${i}`, 'x'.repeat(100)]),
  );
  t.throws(() => encodeHello({ ...example, policies }), { code: 'ERR_DWCP_LIMIT' });
});
