/** Versions, clocks, policies: behaviour by example, and the traps of earlier systems. */
import test from 'ava';
import {
  audit,
  contextOf,
  decodeDots,
  decodeSiblings,
  decodeVersion,
  encodeSiblings,
  encodeVersion,
  HybridClock,
  merge,
  mergeSets,
  noSiblings,
  policyFingerprint,
  VersionVector,
  visible,
  write,
} from '../../lib/conflict/index.ts';
import type { SiblingSet, Version, Write } from '../../lib/conflict/index.ts';

const a = 'aaaaaaaaaaaaaaaa';
const b = 'bbbbbbbbbbbbbbbb';
const c = 'cccccccccccccccc';

const input = (replica: string, seq: number, wallMs: number, more: Partial<Write> = {}): Write => ({
  dot: { replica, seq },
  hlc: { wallMs, counter: 0 },
  region: 'eu',
  ...more,
});
const dotsOf = (set: readonly Version[]): string[] =>
  set.map(({ dot }) => `${dot.replica[0]}${dot.seq}`);

test('a write replaces what its writer had seen', (t) => {
  const one = write(noSiblings, input(a, 1, 10));
  const two = write(one.set, input(b, 1, 20));
  t.deepEqual(dotsOf(two.set), ['b1']);
  t.deepEqual(dotsOf(two.dropped), ['a1']);
  t.deepEqual(merge(one.set, two.version), {
    set: two.set,
    outcome: 'dominates',
    dropped: [one.version],
  });
  t.is(merge(two.set, one.version).outcome, 'known');
  t.is(merge(two.set, two.version).outcome, 'known');
});

test('concurrent writes stand side by side until a write that has seen both', (t) => {
  const left = write(noSiblings, input(a, 1, 10));
  const right = write(noSiblings, input(b, 1, 20));
  const both = merge(left.set, right.version);
  t.is(both.outcome, 'concurrent');
  t.deepEqual(dotsOf(both.set), ['b1', 'a1']);
  const resolved = write(both.set, input(c, 7, 30));
  t.deepEqual(dotsOf(resolved.set), ['c7']);
  t.deepEqual(dotsOf(resolved.dropped), ['b1', 'a1']);
});

test('a write with the context of an old read leaves what it had not seen', (t) => {
  const first = write(noSiblings, input(a, 1, 10));
  const old = contextOf(first.set);
  const second = write(first.set, input(a, 2, 20));
  const third = write(second.set, input(a, 3, 30, { context: old }));
  t.deepEqual(dotsOf(third.set), ['a3', 'a2']);
});

test('two concurrent writes of one replica arriving out of order: the late one is not lost', (t) => {
  const first = write(noSiblings, input(a, 1, 10));
  const old = contextOf(first.set);
  const second = write(first.set, input(a, 2, 20));
  const third = write(second.set, input(a, 3, 30, { context: old }));
  // c has received a3 and not yet a2, and writes over what it sees.
  const atC = write(merge(noSiblings, third.version).set, input(c, 1, 40));
  const late = merge(atC.set, second.version);
  t.is(late.outcome, 'concurrent');
  t.deepEqual(dotsOf(late.set), ['c1', 'a2']);
});

test('a write that would leave too many siblings is refused and changes nothing', (t) => {
  let set: SiblingSet = noSiblings;
  const context = contextOf(noSiblings);
  for (let seq = 1; seq <= 3; seq += 1) {
    set = write(set, input(a, seq, seq, { context, maxSiblings: 3 })).set;
  }
  const before = encodeSiblings(set);
  const error = t.throws(() => write(set, input(a, 4, 4, { context, maxSiblings: 3 })), {
    code: 'ERR_DWCP_LIMIT',
  });
  t.regex(error.message, /3 unseen/);
  t.deepEqual(encodeSiblings(set), before);
  t.is(write(set, input(a, 4, 4, { maxSiblings: 3 })).set.length, 1);
  // What another replica acknowledged is kept all the same.
  t.is(merge(set, write(noSiblings, input(b, 1, 9)).version).set.length, 4);
});

test('a write must be named and stamped after what it replaces', (t) => {
  const { set } = write(noSiblings, input(a, 5, 10));
  const wrong: Write[] = [
    input(a, 5, 20),
    input(a, 4, 20),
    input(a, 6, 10),
    input(a, 6, 9),
    input('node-1', 6, 20),
    input(a, 0, 20),
    input(a, 6, -1),
    input(a, 6, 20, { context: new Map([[a, [[1, 6]]]]) }),
  ];
  for (const one of wrong) t.throws(() => write(set, one), { code: 'ERR_DWCP_INVALID_ARG' });
});

test('a replica id used twice is caught, not merged', (t) => {
  const one = write(noSiblings, input(a, 1, 10));
  const other = write(noSiblings, input(a, 1, 11));
  t.throws(() => merge(one.set, other.version), { code: 'ERR_DWCP_PROTOCOL' });
});

test('contexts of a key stay one range per replica however often it is written', (t) => {
  let set: SiblingSet = noSiblings;
  for (let n = 1; n <= 300; n += 1) {
    const replica = [a, b, c][n % 3]!;
    // The sequence numbers in between went to other keys.
    set = write(set, input(replica, n * 10, n)).set;
  }
  const [version] = set;
  t.deepEqual(
    [...version!.context].map(([id, ranges]) => [id, ranges.length]),
    [
      [b, 1],
      [c, 1],
      [a, 1],
    ],
  );
  t.true(encodeVersion(version!).length < 60);
});

test('lww shows the greatest stamp, with the replica id as tie-break', (t) => {
  const left = write(noSiblings, input(a, 1, 10)).version;
  const right = write(noSiblings, input(b, 1, 10)).version;
  const set = mergeSets([left], [right]);
  t.deepEqual(dotsOf(visible(set, 'lww').versions), ['b1']);
  t.true(visible(set, 'lww').conflicted);
  t.deepEqual(dotsOf(visible(set, 'siblings').versions), ['b1', 'a1']);
});

test('a tombstone wins under lww when it is the latest, and is no value under siblings', (t) => {
  const value = write(noSiblings, input(a, 1, 10)).version;
  const tombstone = write(noSiblings, input(b, 1, 20, { deleted: true })).version;
  const set = mergeSets([value], [tombstone]);
  t.deepEqual(visible(set, 'lww').versions, []);
  t.deepEqual(dotsOf(visible(set, 'siblings').versions), ['a1']);
  const later = mergeSets([tombstone], [write(noSiblings, input(c, 1, 30)).version]);
  t.deepEqual(dotsOf(visible(later, 'lww').versions), ['c1']);
  t.deepEqual(visible(noSiblings, 'lww'), {
    versions: [],
    context: new Map(),
    conflicted: false,
  });
  t.throws(() => visible(set, 'newest' as 'lww'), { code: 'ERR_DWCP_INVALID_ARG' });
});

test('audit names each decided pair once, and nothing where nothing was decided', (t) => {
  const left = write(noSiblings, input(a, 1, 10));
  const right = write(noSiblings, input(b, 1, 20));
  const common = { namespace: 'cart', key: 'k', atMs: 99 };
  const { set } = merge(left.set, right.version);
  const expected = [
    { ...common, policy: 'lww' as const, winner: right.version, loser: left.version },
  ];
  t.deepEqual(audit({ ...common, policy: 'lww', set, version: right.version }), expected);
  t.deepEqual(audit({ ...common, policy: 'lww', set, version: left.version }), expected);
  t.deepEqual(audit({ ...common, policy: 'siblings', set, version: left.version }), []);
  t.deepEqual(audit({ ...common, policy: 'lww', set: left.set, version: left.version }), []);
  const resolved = write(set, input(c, 1, 30));
  t.deepEqual(audit({ ...common, policy: 'lww', set: resolved.set, version: left.version }), []);
});

test('the policy fingerprint does not depend on the order of its terms', (t) => {
  const text = policyFingerprint({ policy: 'lww', codec: 'json', partitions: 1 });
  t.is(text, 'dwcp-policy/1 codec=json partitions=1 policy=lww');
  t.is(policyFingerprint({ partitions: 1, codec: 'json', policy: 'lww' }), text);
  t.throws(() => policyFingerprint({ policy: 'a b' }), { code: 'ERR_DWCP_INVALID_ARG' });
  t.throws(() => policyFingerprint({ 'a=b': 'c' }), { code: 'ERR_DWCP_INVALID_ARG' });
});

test('a full counter carries into wall time; a restored clock goes on from where it was', (t) => {
  const clock = new HybridClock({ maxDriftMs: 0, last: { wallMs: 50, counter: 0xffff } });
  t.deepEqual(clock.tick(10), { wallMs: 51, counter: 0 });
  t.is(clock.driftMs(10), 41);
  t.is(clock.driftMs(100), 0);
  t.deepEqual(clock.tick(51.9), { wallMs: 51, counter: 1 });
  t.throws(() => clock.tick(Number.NaN), { code: 'ERR_DWCP_INVALID_ARG' });
  t.throws(() => clock.receive({ wallMs: 1, counter: 0.5 }, 10), { code: 'ERR_DWCP_INVALID_ARG' });
  const bad = { maxDriftMs: 0, last: { wallMs: -1, counter: 0 } };
  t.throws(() => new HybridClock(bad), { code: 'ERR_DWCP_INVALID_ARG' });
});

test('a version vector refuses what is no dot', (t) => {
  const vector = new VersionVector();
  for (const [replica, first, last] of [
    ['x', 1, 1],
    [a, 0, 1],
    [a, 1.5, 2],
    [a, 3, 2],
    [a, 1, 2 ** 53],
  ] as const) {
    t.throws(() => vector.addRun({ replica, first, last }), { code: 'ERR_DWCP_INVALID_ARG' });
  }
  t.true(vector.add({ replica: a, seq: 3 }));
  t.false(vector.add({ replica: a, seq: 3 }));
  t.is(vector.base(a), 0);
  t.is(vector.max(a), 3);
  t.is(vector.max(b), 0);
});

test('a normal version costs its id, numbers and region, and its bytes are pinned', (t) => {
  const { version } = write(noSiblings, input(a, 300, 1_700_000_000_000));
  const hex = Buffer.from(encodeVersion(version)).toString('hex');
  t.is(hex, '0102aaaaaaaaaaaaaaaaac0280d095ffbc310002657500');
});

test('counts and lengths are checked before anything is allocated for them', (t) => {
  const huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f];
  t.throws(() => decodeSiblings(Uint8Array.of(1, ...huge)), { code: 'ERR_DWCP_LIMIT' });
  t.throws(() => decodeDots(Uint8Array.of(1, ...huge)), { code: 'ERR_DWCP_LIMIT' });
  t.throws(() => decodeDots(Uint8Array.of(1, 100)), { code: 'ERR_DWCP_FRAME_CORRUPT' });
  t.throws(() => decodeVersion(Uint8Array.of(2)), { code: 'ERR_DWCP_FRAME_VERSION' });
  t.throws(() => decodeVersion(Uint8Array.of()), { code: 'ERR_DWCP_FRAME_CORRUPT' });
  t.throws(() => decodeDots(Uint8Array.of(1, 0x80, 0)), { code: 'ERR_DWCP_FRAME_CORRUPT' });
  const narrow = { maxVersions: 1, maxReplicas: 1, maxRanges: 1, maxRegionBytes: 1 };
  const { set, version } = write(noSiblings, input(a, 1, 10));
  t.throws(() => decodeSiblings(encodeSiblings(set), narrow), { code: 'ERR_DWCP_LIMIT' });
  const other = write(noSiblings, input(b, 1, 10)).version;
  t.throws(() => encodeSiblings([other, version], narrow), { code: 'ERR_DWCP_LIMIT' });
  const twice = [other, { ...other, hlc: { wallMs: 1, counter: 0 } }];
  t.throws(() => decodeSiblings(encodeSiblings(twice)), { code: 'ERR_DWCP_FRAME_CORRUPT' });
  const unordered = [version, other];
  t.throws(() => decodeSiblings(encodeSiblings(unordered)), { code: 'ERR_DWCP_FRAME_CORRUPT' });
  for (const region of ['x'.repeat(65), '\ud800']) {
    t.throws(() => encodeVersion({ ...version, region }), { code: 'ERR_DWCP_INVALID_ARG' });
  }
  t.deepEqual(decodeVersion(encodeVersion({ ...version, region: '\ufeffé' })).region, '\ufeffé');
});

test('trap: merging two identical sets of two siblings keeps both', (t) => {
  const set = mergeSets(
    write(noSiblings, input(a, 1, 10)).set,
    write(noSiblings, input(b, 1, 10)).set,
  );
  const copy = decodeSiblings(encodeSiblings(set));
  t.deepEqual(dotsOf(mergeSets(set, copy)), ['b1', 'a1']);
  t.deepEqual(dotsOf(mergeSets(mergeSets(set, copy), copy)), ['b1', 'a1']);
});

test('trap: an empty replica that starts later does not win over older data', (t) => {
  const old = write(noSiblings, input(a, 1, 10));
  t.deepEqual(dotsOf(mergeSets(noSiblings, old.set)), ['a1']);
  t.deepEqual(dotsOf(mergeSets(old.set, noSiblings)), ['a1']);
});

test('trap: a slow wall clock does not lose a write that has seen the other', (t) => {
  const fast = new HybridClock({ maxDriftMs: 60_000 });
  const slow = new HybridClock({ maxDriftMs: 60_000 });
  const one = write(noSiblings, { ...input(a, 1, 0), hlc: fast.tick(50_000) });
  slow.receive(one.version.hlc, 1000);
  const two = write(one.set, { ...input(b, 1, 0), hlc: slow.tick(1000) });
  t.deepEqual(dotsOf(visible(merge(one.set, two.version).set, 'lww').versions), ['b1']);
});

test('trap: the writer of a version is its own, whoever decodes it', (t) => {
  const { version } = write(noSiblings, input(a, 1, 10));
  const adopted = merge(noSiblings, decodeVersion(encodeVersion(version)));
  const next = write(adopted.set, input(b, 1, 20));
  t.is(next.version.dot.replica, b);
  t.is(adopted.set[0]!.dot.replica, a);
});

test('trap: every write has a name of its own, so a second one is never taken for the first', (t) => {
  const one = write(noSiblings, input(a, 1, 10));
  const two = write(one.set, input(a, 2, 20));
  const atB = merge(merge(noSiblings, one.version).set, two.version);
  t.is(atB.outcome, 'dominates');
  t.deepEqual(dotsOf(atB.set), ['a2']);
});

test('trap: a delete leaves a tombstone, so the key does not come back from a replica behind', (t) => {
  const value = write(noSiblings, input(a, 1, 10));
  const removed = write(value.set, input(b, 1, 20, { deleted: true }));
  const after = merge(removed.set, value.version);
  t.is(after.outcome, 'known');
  t.deepEqual(visible(after.set, 'siblings').versions, []);
});
