/**
 * Properties of the codec layer on random data: what goes in comes out, and damage is found. A failure
 * prints fast-check's seed and path.
 */
import test from 'ava';
import * as fc from 'fast-check';
import {
  Baseline,
  Codec,
  codecsOf,
  compress,
  decodeFrame,
  decompress,
  diff,
  encodeDelta,
  patch,
  readFrameInfo,
} from '../../lib/compression/index.ts';
import { decodeChunk, encodeChunk } from '../../lib/compression/chunk-delta.ts';
import { defaultLimits } from '../../lib/limits.ts';
import { isDwcpError } from '../../lib/errors.ts';
import { records, tiers } from '../fakes/codec.ts';

interface Edit {
  readonly at: number;
  readonly drop: number;
  readonly insert: Uint8Array;
  readonly from: number;
}

const edit: fc.Arbitrary<Edit> = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  drop: fc.oneof(fc.nat(8), fc.nat(3000)),
  insert: fc.oneof(fc.uint8Array({ maxLength: 12 }), fc.uint8Array({ maxLength: 400 })),
  /** A place in the base to copy from as well: moved and doubled text. */
  from: fc.double({ min: 0, max: 1, noNaN: true }),
});

const base = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  fc.record({ count: fc.nat(120), seed: fc.nat(1000) }).map((r) => records(r.count, r.seed)),
  fc
    .record({ unit: fc.uint8Array({ minLength: 1, maxLength: 40 }), times: fc.nat(300) })
    .map((r) => Buffer.alloc(r.unit.length * r.times, r.unit)),
);

function applied(bytes: Buffer, edits: readonly Edit[]): Buffer {
  let result = bytes;
  for (const { at, drop, insert, from } of edits) {
    const start = Math.floor(at * result.length);
    const copy = Math.floor(from * bytes.length);
    const moved = drop % 3 === 0 ? bytes.subarray(copy, copy + drop) : Buffer.alloc(0);
    const rest = result.subarray(Math.min(result.length, start + drop));
    result = Buffer.concat([result.subarray(0, start), insert, moved, rest]);
  }
  return result;
}

const script = fc.array(edit, { maxLength: 12 });

test('whole-content codecs return what they were given', (t) => {
  for (const native of tiers) {
    const codecs = codecsOf(native).encode.filter((id) => id <= Codec.brotli);
    t.notThrows(() =>
      fc.assert(
        fc.property(
          base,
          fc.constantFrom(...codecs),
          fc.integer({ min: -5, max: 12 }),
          (bytes, codec, level) => {
            const frame = compress(bytes, { native, codec, level });
            return decompress(frame, { native }).equals(bytes);
          },
        ),
        { numRuns: 150 },
      ),
    );
  }
});

test('chunk deltas rebuild every edit script', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(base, script, (bytes, edits) => {
        const next = applied(bytes, edits);
        const payload = encodeChunk(Baseline.of(bytes).chunkIndex(), bytes, next, {
          level: 3,
          maxLiteralBytes: next.length,
        })!;
        return decodeChunk(payload, bytes, next.length, defaultLimits.codec).equals(next);
      }),
      { numRuns: 300 },
    ),
  );
});

for (const { codec } of tiers.filter((tier) => tier.codec.abilities.deltaEncode)) {
  test('engine deltas rebuild every edit script at every effort on every tier', (t) => {
    let runs = 0;
    fc.assert(
      fc.property(base, script, fc.constantFrom(0, 1, 2), (bytes, edits, effort) => {
        runs += 1;
        const next = applied(bytes, edits);
        const how = { effort, maxLiteralBytes: next.length };
        const delta = codec.deltaEncode(codec.deltaIndex(bytes), bytes, next, how)!;
        const limits = { ...defaultLimits.codec, sizeBytes: next.length };
        return tiers.every((tier) => tier.codec.deltaDecode(delta, bytes, limits).equals(next));
      }),
      { numRuns: 400 },
    );
    t.is(runs, 400);
  });
}

test('deltas between any two tiers rebuild every edit script', async (t) => {
  for (const writer of tiers) {
    for (const reader of tiers) {
      const codecs = codecsOf(reader).decode;
      const digestKind = 2;
      await t.notThrowsAsync(
        fc.assert(
          fc.asyncProperty(base, script, async (bytes, edits) => {
            const next = applied(bytes, edits);
            const options = { native: writer, codecs, digestKind } as const;
            const { frame } = await encodeDelta(Baseline.of(bytes), next, options);
            const decoded = await decodeFrame(frame, { native: reader }, Baseline.of(bytes));
            return decoded.bytes.equals(next);
          }),
          { numRuns: 60 },
        ),
      );
    }
  }
});

test('results of a long sequence are right when checked at its end', async (t) => {
  await t.notThrowsAsync(
    fc.assert(
      fc.asyncProperty(
        base,
        fc.array(script, { minLength: 5, maxLength: 20 }),
        async (first, scripts) => {
          const versions = [first];
          const rebuilt = [first];
          for (const edits of scripts) {
            const previous = versions.at(-1)!;
            const next = applied(previous, edits);
            const frame = await diff(Baseline.of(previous), next);
            rebuilt.push(await patch(Baseline.of(rebuilt.at(-1)!), frame));
            versions.push(next);
          }
          return versions.every((version, i) => version.equals(rebuilt[i]!));
        },
      ),
      { numRuns: 25 },
    ),
  );
});

const before = records(12, 3);
const after = applied(before, [
  { at: 0.3, drop: 5, insert: Buffer.from('abcdefghij'), from: 0 },
  { at: 0.7, drop: 1, insert: Buffer.from('"x":true,'), from: 0 },
]);

async function smallFrames(): Promise<[string, Buffer][]> {
  const frames: [string, Buffer][] = [];
  for (const native of tiers) {
    for (const codec of codecsOf(native).encode) {
      const delta = codec === Codec.prefix || codec === Codec.chunk || codec === Codec.delta;
      const frame = delta
        ? await diff(Baseline.of(before), after, { native, codec })
        : compress(after, { native, codec });
      if (readFrameInfo(frame, native).codec === codec) {
        frames.push([`${native.tier} codec ${codec}`, frame]);
      }
    }
  }
  return frames;
}

/** A coded error, or the right content; anything else is a failure. */
async function survives(frame: Buffer): Promise<boolean> {
  try {
    return (await patch(Baseline.of(before), frame)).equals(after);
  } catch (error) {
    if (isDwcpError(error)) return true;
    throw error;
  }
}

test('every truncation and every single-byte change of small frames is found', async (t) => {
  const frames = await smallFrames();
  t.true(frames.length >= 3);
  for (const [name, frame] of frames) {
    t.true(await survives(frame), name);
    for (let at = 0; at < frame.length; at++) {
      t.true(await survives(frame.subarray(0, at)), `${name} cut to ${at}`);
      for (const flip of [1, 0x80, 0xff]) {
        const damaged = Buffer.from(frame);
        damaged[at]! ^= flip;
        t.true(await survives(damaged), `${name} byte ${at} ^ ${flip}`);
      }
    }
  }
});

test('random bytes behind a valid header never crash and never pass', async (t) => {
  const frames = await smallFrames();
  await t.notThrowsAsync(
    fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 9 }),
        async (pick, changes) => {
          const frame = Buffer.from(frames[pick % frames.length]![1]);
          const { headerBytes, storedBytes } = readFrameInfo(frame);
          for (const [at, byte] of changes) frame[headerBytes + (at % storedBytes)] = byte;
          return survives(frame);
        },
      ),
      { numRuns: 400 },
    ),
  );
});
