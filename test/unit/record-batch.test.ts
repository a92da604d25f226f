/** Batches of records: the same frames as single calls, one crossing, errors that name their record. */
import test from 'ava';
import {
  ChecksumKind,
  Dictionary,
  compress,
  compressBatch,
  compressBatchAsync,
  compressBatchInto,
  decompress,
  decompressBatch,
  decompressBatchAsync,
  decompressBatchInto,
} from '../../lib/compression/index.ts';
import { isDwcpError } from '../../lib/errors.ts';
import { codeOf, records, tiers } from '../fakes/codec.ts';

const dictionary = Dictionary.from(records(40, 8));
const rows = Array.from({ length: 60 }, (_, seed) => records(1 + (seed % 9), seed));
const contents = [...rows, Buffer.alloc(0), Buffer.from('x'), Buffer.alloc(65_536, rows[0])];
const lengthsOf = (parts: readonly Uint8Array[]) => Uint32Array.from(parts, ({ length }) => length);
const arena = Buffer.concat(contents);
const lengths = lengthsOf(contents);

function split(bytes: Buffer, sizes: Uint32Array): Buffer[] {
  let at = 0;
  return [...sizes].map((size) => bytes.subarray(at, (at += size)));
}

/** The record an error names. */
async function recordOf(call: () => unknown): Promise<unknown> {
  try {
    await call();
    return undefined;
  } catch (error) {
    return isDwcpError(error) ? error.detail?.['record'] : error;
  }
}

for (const native of tiers) {
  const options = native.codec.abilities.dictionaryEncode ? { dictionary, native } : { native };
  const name = native.tier;

  test(`${name}: a batch makes the frames of single calls and reads them back`, async (t) => {
    const frames = compressBatch(arena, lengths, options);
    if (native.codec.abilities.zstd) {
      t.deepEqual(
        split(frames.arena, frames.lengths),
        contents.map((content) => compress(content, options)),
      );
    }
    t.deepEqual(await compressBatchAsync(arena, lengths, options), frames);
    const back = decompressBatch(frames.arena, frames.lengths, options);
    t.deepEqual(back, { arena, lengths });
    t.deepEqual(await decompressBatchAsync(frames.arena, frames.lengths, options), back);
  });

  test(`${name}: into the caller's memory; what lies behind the records is ignored`, (t) => {
    const [out, sizes] = [Buffer.alloc(arena.length + 2000), new Uint32Array(lengths.length + 3)];
    const used = compressBatchInto(arena, lengths, out, sizes, options);
    t.is(sizes.subarray(lengths.length).join(), '0,0,0');
    t.is(
      used,
      sizes.reduce((sum, size) => sum + size),
    );
    const [back, backSizes] = [Buffer.alloc(arena.length), new Uint32Array(lengths.length)];
    const frameSizes = sizes.subarray(0, lengths.length);
    t.is(decompressBatchInto(out, frameSizes, back, backSizes, options), arena.length);
    t.deepEqual([back, backSizes], [arena, lengths]);
  });

  test(`${name}: an error names its record`, async (t) => {
    const frames = compressBatch(arena, lengths, options);
    const damaged = Buffer.from(frames.arena);
    const at = frames.lengths.subarray(0, 17).reduce((sum, size) => sum + size);
    damaged[at]! ^= 1;
    const sizes = frames.lengths;
    t.is(await recordOf(() => decompressBatch(damaged, sizes, options)), 17);
    t.is(await recordOf(() => decompressBatchAsync(damaged, sizes, options)), 17);
    const [out, outSizes] = [Buffer.alloc(arena.length), new Uint32Array(lengths.length)];
    const into = () => decompressBatchInto(damaged, sizes, out, outSizes, options);
    t.is(await recordOf(into), 17);
    t.is(await codeOf(into), 'ERR_DWCP_FRAME_MAGIC');
    t.deepEqual(out.subarray(0, 100), arena.subarray(0, 100), 'earlier records are there');
    const large = Buffer.alloc(65_537);
    const tooLarge = () => compressBatch(large, Uint32Array.of(65_537), options);
    t.is(await recordOf(tooLarge), 0);
    t.is(await codeOf(tooLarge), 'ERR_DWCP_INVALID_ARG');
    const small = Buffer.alloc(100);
    const noRoom = () => compressBatchInto(arena, lengths, small, outSizes, options);
    t.is(await codeOf(noRoom), 'ERR_DWCP_OUTPUT_LIMIT');
  });

  test(`${name}: the limit bounds a batch as a whole, before anything is allocated`, async (t) => {
    const bombs = Array.from({ length: 64 }, () => compress(Buffer.alloc(65_536), options));
    const [frames, sizes] = [Buffer.concat(bombs), lengthsOf(bombs)];
    const limits = { maxOutputBytes: 1_000_000 };
    const bounded = { ...options, limits };
    if (native.codec.abilities.zstd) {
      t.is(await codeOf(() => decompressBatch(frames, sizes, bounded)), 'ERR_DWCP_OUTPUT_LIMIT');
      t.is(await recordOf(() => decompressBatch(frames, sizes, bounded)), 15);
    }
    const whole = compressBatch(arena, lengths, options);
    const tight = { ...options, limits: { maxOutputBytes: arena.length - 1 } };
    const read = () => decompressBatch(whole.arena, whole.lengths, tight);
    t.is(await codeOf(read), 'ERR_DWCP_OUTPUT_LIMIT');
  });

  test(`${name}: lengths must fit the arena, and arguments what they are`, async (t) => {
    const past = Uint32Array.of(arena.length, 1);
    const bad: readonly (() => unknown)[] = [
      () => compressBatch(arena, past, options),
      () => compressBatch(Buffer.alloc(3), Uint32Array.of(2, 0xffff_ffff), options),
      () => compressBatch(arena, [1, 2] as never, options),
      () => compressBatch('x' as never, lengths, options),
      () => compressBatchInto(arena, lengths, Buffer.alloc(10), new Uint32Array(2), options),
      () => compressBatchInto(arena, lengths, arena, new Uint32Array(lengths.length), options),
      () => decompressBatch(arena, past, options),
      () => compressBatch(arena, lengths, { ...options, checksum: ChecksumKind.sha256 as never }),
      () => compressBatch(arena, lengths, { ...options, level: 20 }),
    ];
    for (const call of bad) {
      const code = await codeOf(call);
      t.true(code === 'ERR_DWCP_INVALID_ARG' || code === 'ERR_DWCP_FRAME_MAGIC', String(call));
    }
  });
}

test('a batch may mix frames of several dictionaries', async (t) => {
  const [native] = tiers.toReversed();
  if (!native!.codec.abilities.dictionaryEncode) {
    t.is(native!.tier, 'portable');
    return;
  }
  const newer = Dictionary.from(records(50, 9));
  const frames = rows.map((row, i) =>
    compress(row, i % 3 === 0 ? {} : { dictionary: i % 3 === 1 ? dictionary : newer }),
  );
  const [all, sizes] = [Buffer.concat(frames), lengthsOf(frames)];
  const both = decompressBatch(all, sizes, { dictionary: newer, dictionaries: [dictionary] });
  t.deepEqual(both.arena, Buffer.concat(rows));
  const one = () => decompressBatch(all, sizes, { dictionary });
  t.is(await codeOf(one), 'ERR_DWCP_DICTIONARY_MISMATCH');
  t.is(await recordOf(one), 2);
  t.deepEqual(decompress(frames[2]!, { dictionaries: [dictionary, newer] }), rows[2]);
});
