/** Properties of what replication writes to wire and disk. */
import test from 'ava';
import * as fc from 'fast-check';
import { VersionVector } from '../../lib/conflict/index.ts';
import type { Version } from '../../lib/conflict/index.ts';
import { isDwcpError } from '../../lib/errors.ts';
import { native } from '../../lib/native/load.ts';
import { decodeRecord, encodeRecord } from '../../lib/replication/key-record.ts';
import type { KeyRecord } from '../../lib/replication/key-record.ts';
import { canonicalJson } from '../../lib/replication/value-codec.ts';
import { decodeMessage, encodeRecordParts, messageHead } from '../../lib/replication/wire.ts';
import type { WireRecord } from '../../lib/replication/wire.ts';

const crc32c = (bytes: Uint8Array): number => native.codec.crc32c(bytes);

const replica = fc.bigInt(0n, 2n ** 64n - 1n).map((id) => id.toString(16).padStart(16, '0'));
const dot = fc.record({ replica, seq: fc.integer({ min: 1, max: 2 ** 40 }) });
const ns = fc.integer({ min: 1, max: 1e6 });
const vector = fc.array(dot, { maxLength: 8 }).map((dots) => {
  const all = new VersionVector();
  for (const each of dots) all.add(each);
  return all;
});
const key = fc
  .string({ minLength: 1, maxLength: 40, unit: 'binary' })
  .filter((text) => !/\p{Surrogate}/u.test(text));
const versionOf = (deleted: boolean): fc.Arbitrary<Version> =>
  fc.record({
    dot,
    hlc: fc.record({ wallMs: fc.nat(), counter: fc.integer({ min: 0, max: 0xffff }) }),
    context: fc.constant(new Map()),
    deleted: fc.constant(deleted),
    region: fc.constantFrom('eu', 'us-east-1', ''),
  });
const bytes = fc.uint8Array({ maxLength: 200 }).map((each) => Buffer.from(each));
const putWallMs = fc.nat();

const record: fc.Arbitrary<WireRecord> = fc.oneof(
  fc.record({
    type: fc.constant('sync' as const),
    ns,
    name: fc.constantFrom('files', 'a'),
    fingerprint: fc.constant('dwcp-policy/1 codec=bytes policy=lww'),
    vector,
  }),
  fc.record({
    type: fc.constant('update' as const),
    ns,
    key,
    putWallMs,
    version: versionOf(false),
    frame: bytes,
    base: fc.option(dot, { nil: undefined }),
  }),
  fc.record({
    type: fc.constant('update' as const),
    ns,
    key,
    putWallMs,
    version: versionOf(true),
    frame: fc.constant(undefined),
    base: fc.constant(undefined),
  }),
  fc.record({ type: fc.constant('ack' as const), ns, dots: fc.array(dot, { maxLength: 5 }) }),
  fc.record({ type: fc.constant('nack' as const), ns, dot, reason: fc.constantFrom(1, 2, 3) }),
  fc.record({ type: fc.constant('covered' as const), ns, vector }),
  fc.record({ type: fc.constant('refused' as const), ns, reason: fc.constantFrom(1, 2, 3) }),
);

const message = fc
  .array(record, { maxLength: 5 })
  .map(
    (records) =>
      [records, Buffer.concat([messageHead, ...records.flatMap(encodeRecordParts)])] as const,
  );

test('a message is read back as it was written', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(message, ([records, encoded]) => {
        t.deepEqual(decodeMessage(encoded), records);
      }),
      { numRuns: 300 },
    ),
  );
});

test('a damaged message is a typed error or other records, never anything else', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(
        message,
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        ([, whole], at, flip, cut) => {
          const damaged = Buffer.from(whole);
          damaged[at % damaged.length]! ^= flip;
          try {
            decodeMessage(cut ? damaged.subarray(0, at % damaged.length) : damaged);
          } catch (error) {
            if (!isDwcpError(error, 'ERR_DWCP_PROTOCOL')) throw error;
          }
        },
      ),
      { numRuns: 3_000 },
    ),
  );
});

const keyRecord: fc.Arbitrary<KeyRecord> = fc
  .record({
    version: versionOf(false),
    inline: fc.option(bytes),
    links: fc.array(dot, { minLength: 1, maxLength: 4 }),
  })
  .map(({ version, inline, links }) =>
    inline
      ? { siblings: [version], places: [{ kind: 'inline', bytes: inline }], chain: undefined }
      : {
          siblings: [version],
          places: [{ kind: 'chain', depth: links.length - 1 }],
          chain: {
            blob: '00112233.x3',
            links: links.map((each) => ({ dot: each, contentBytes: 9, storedBytes: 5 })),
          },
        },
  );

test('a key record is read back as it was written; any damage is named with the key', (t) => {
  fc.assert(
    fc.property(keyRecord, fc.nat(), fc.integer({ min: 1, max: 255 }), (original, at, flip) => {
      const encoded = encodeRecord(original, crc32c);
      t.deepEqual(decodeRecord(Buffer.from(encoded), 'k', crc32c), original);
      const damaged = Buffer.from(encoded);
      damaged[at % damaged.length]! ^= flip;
      t.throws(() => decodeRecord(damaged, 'k', crc32c), {
        code: 'ERR_DWCP_STORAGE_CORRUPT',
        message: /"k"/,
      });
    }),
    { numRuns: 300 },
  );
});

function shuffled(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shuffled);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([name, each]) => [name, shuffled(each)])
      .toReversed(),
  );
}

test('canonical JSON: equal state, equal bytes, and back to an equal value', (t) => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const written = canonicalJson(JSON.parse(JSON.stringify(value)));
      t.is(canonicalJson(shuffled(JSON.parse(JSON.stringify(value)))), written);
      t.deepEqual(JSON.parse(written), JSON.parse(JSON.stringify(value)));
    }),
    { numRuns: 300 },
  );
  for (const bad of [
    undefined,
    Number.NaN,
    () => 0,
    1n,
    new Date(0),
    [undefined],
    { a: Symbol('x') },
  ]) {
    t.throws(() => canonicalJson(bad), { code: 'ERR_DWCP_INVALID_ARG' });
  }
  let deep: unknown = 1;
  for (let i = 0; i < 100; i++) deep = [deep];
  t.throws(() => canonicalJson(deep), { code: 'ERR_DWCP_INVALID_ARG' });
});
