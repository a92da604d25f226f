/** diff, patch, encodeFull, encodeDelta: choice of codec, base identity, counters. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import test from 'ava';
import {
  Baseline,
  Codec,
  DigestKind,
  codecsOf,
  decodeFrame,
  diff,
  digest,
  digestEquals,
  encodeDelta,
  encodeFull,
  isDelta,
  patch,
  readFrameInfo,
  stats,
} from '../../lib/compression/index.ts';
import { digestKindsOf } from '../../lib/compression/index.ts';
import { codeOf, forged, noise, records, tiers } from '../fakes/codec.ts';

const digestKind = DigestKind.sha256;
const v1 = records(8000, 1);
const v2 = Buffer.concat([v1.subarray(0, 300_000), Buffer.from('"edited"'), v1.subarray(300_003)]);
const small1 = records(20, 2);
const small2 = Buffer.concat([small1.subarray(0, 700), Buffer.from('!'), small1.subarray(703)]);

for (const native of tiers) {
  test(`${native.tier}: deltas are small, verified and name their base`, async (t) => {
    for (const [a, b] of [[v1, v2] as const, [small1, small2] as const]) {
      const baseline = Baseline.of(a);
      const { frame, codec, digest: sum } = await encodeDelta(baseline, b, { native });
      const info = readFrameInfo(frame, native);
      t.is(info.codec, codec);
      t.true(isDelta(codec));
      t.true(frame.length < 300, `${frame.length} bytes`);
      t.true(digestEquals(info.base!, baseline.digest(digestKindsOf(native)[0]!, native.codec)));
      const decoded = await decodeFrame(frame, { native }, Baseline.of(a));
      t.true(decoded.bytes.equals(b));
      t.true(digestEquals(decoded.digest!, sum));
    }
  });

  test(`${native.tier}: every delta codec works when asked for`, async (t) => {
    const wanted = [Codec.prefix, Codec.chunk, Codec.delta] as const;
    for (const codec of wanted.filter((id) => codecsOf(native).encode.includes(id))) {
      for (const effort of ['fast', 'balanced', 'max'] as const) {
        const frame = await diff(Baseline.of(v1), v2, { native, codec, effort });
        t.is(readFrameInfo(frame, native).codec, codec);
        t.true((await patch(Baseline.of(v1), frame, { native })).equals(v2));
      }
    }
  });
}

test('what one tier writes for a peer, the peer reads', async (t) => {
  for (const writer of tiers) {
    for (const reader of tiers) {
      const options = { native: writer, codecs: codecsOf(reader).decode, digestKind };
      const full = await encodeFull(v1, options);
      const delta = await encodeDelta(Baseline.of(v1), v2, options);
      const smallDelta = await encodeDelta(Baseline.of(small1), small2, options);
      const read = { native: reader };
      t.true((await decodeFrame(full.frame, read)).bytes.equals(v1));
      t.true((await decodeFrame(delta.frame, read, Baseline.of(v1))).bytes.equals(v2));
      t.true((await decodeFrame(smallDelta.frame, read, Baseline.of(small1))).bytes.equals(small2));
    }
  }
});

test('a peer that reads nothing but raw gets raw', async (t) => {
  const codecs = [Codec.raw];
  t.is((await encodeFull(v1, { codecs })).codec, Codec.raw);
  t.is((await encodeDelta(Baseline.of(v1), v2, { codecs })).codec, Codec.raw);
});

test('a delta is never larger than the full form', async (t) => {
  const cases = [
    [noise(50_000, 1), Buffer.alloc(50_000)],
    [noise(300, 2), noise(300, 3)],
    [v1, noise(90_000, 4)],
    [Buffer.alloc(0), small1],
  ] as const;
  for (const [a, b] of cases) {
    const full = await encodeFull(b);
    const delta = await encodeDelta(Baseline.of(a), b);
    t.true(delta.frame.length <= full.frame.length);
    t.is(delta.codec, full.codec);
    t.true((await patch(Baseline.of(a), delta.frame)).equals(b));
  }
});

// features.md section 3, trap 5: XOR returned zero-padded, longer data when a value shrank.
test('incident xor-length-loss: a value that shrinks comes back short', async (t) => {
  for (const size of [0, 1, 100, 5000, v1.length - 1]) {
    const next = v1.subarray(0, size);
    const frame = await diff(Baseline.of(v1), next);
    t.true((await patch(Baseline.of(v1), frame)).equals(next));
  }
});

// features.md section 3, trap 6: an older delta decoded after a baseline refresh gave garbage.
test('incident delta-after-base-refresh: an older delta is refused by name', async (t) => {
  const frame = await diff(Baseline.of(v1), v2);
  t.is(await codeOf(() => patch(Baseline.of(v2), frame)), 'ERR_DWCP_BASE_MISMATCH');
  t.is(await codeOf(() => decodeFrame(frame)), 'ERR_DWCP_BASE_MISSING');
});

// features.md section 3, traps 3 and 4: the decoder guessed the delta kind and matched on weak sums.
test('incident silent-garbage: a frame forged to another base fails its content digest', async (t) => {
  const frame = await diff(Baseline.of(v1), v2, { digestKind, codec: Codec.chunk });
  const { headerBytes } = readFrameInfo(frame);
  const other = Buffer.from(v1);
  other[123_456]! ^= 1;
  const base = digest(digestKind, other).bytes;
  const moved = forged(frame, headerBytes, (header) => void base.copy(header, headerBytes - 36));
  t.is(await codeOf(() => patch(Baseline.of(other), moved)), 'ERR_DWCP_FRAME_CHECKSUM');
});

for (const native of tiers.filter(({ codec }) => codec.abilities.deltaEncode)) {
  test(`${native.tier}: a baseline counts the engine's index and gives it back`, async (t) => {
    const before = native.memoryBytes();
    const baseline = Baseline.of(v1);
    const [first, second] = await Promise.all([
      baseline.deltaIndexAsync(native.codec),
      baseline.deltaIndexAsync(native.codec),
    ]);
    t.is(first, second, 'one build is shared');
    t.is(baseline.memoryBytes, v1.length + first.sizeBytes);
    t.true(native.memoryBytes() >= before + first.sizeBytes);
    baseline.releaseIndex();
    t.is(baseline.memoryBytes, v1.length);
    const frame = await diff(baseline, v2, { native, codec: Codec.delta });
    t.true((await patch(baseline, frame, { native })).equals(v2));
  });
}

test('a baseline is named by its content', (t) => {
  t.is(Baseline.of(v1).id, Baseline.of(Buffer.from(v1)).id);
  t.not(Baseline.of(v1).id, Baseline.of(v2).id);
  t.regex(Baseline.of(v1).id, /^(?:x3|s2)-[0-9a-f]{32}$/);
});

test('a digest that is known is not computed again', async (t) => {
  const known = { kind: digestKind, bytes: Buffer.alloc(16, 9) };
  t.is(Baseline.of(v1, known).digest(digestKind), known);
  t.is((await encodeFull(v1, { digest: known, digestKind })).digest, known);
});

test.serial('choices are counted, and published only to subscribers', async (t) => {
  const events: unknown[] = [];
  const listener = (event: unknown): void => void events.push(event);
  subscribe('dwcp:compression:encode', listener);
  const before = stats().codecs.raw;
  const { frame } = await encodeFull(Buffer.from('tiny'));
  unsubscribe('dwcp:compression:encode', listener);
  await encodeFull(Buffer.from('tiny'));
  const after = stats().codecs.raw;
  t.is(after.encoded, before.encoded + 2);
  t.is(after.encodedContentBytes, before.encodedContentBytes + 8);
  t.deepEqual(events, [
    { codec: Codec.raw, contentBytes: 4, frameBytes: frame.length, baseBytes: undefined },
  ]);
});

test('an aborted signal stops diff and patch', async (t) => {
  const signal = AbortSignal.abort();
  t.is(await codeOf(() => diff(Baseline.of(v1), v2, { signal })), 'ERR_DWCP_ABORTED');
  const frame = await diff(Baseline.of(v1), v2);
  t.is(await codeOf(() => patch(Baseline.of(v1), frame, { signal })), 'ERR_DWCP_ABORTED');
  const late = new AbortController();
  const slow = diff(Baseline.of(v1), v2, { signal: late.signal });
  late.abort();
  t.is(await codeOf(() => slow), 'ERR_DWCP_ABORTED');
});

test('concurrent use gives the same frames', async (t) => {
  const baseline = Baseline.of(v1);
  const frames = await Promise.all(Array.from({ length: 8 }, () => diff(baseline, v2)));
  for (const frame of frames) t.deepEqual(frame, frames[0]);
});
