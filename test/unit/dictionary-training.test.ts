/** Trained dictionaries: they help on records not seen, repeat themselves, and are refused when useless. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { ChecksumKind, Dictionary, compress, decompress } from '../../lib/compression/index.ts';
import { isDwcpError } from '../../lib/errors.ts';
import { native as loaded } from '../../lib/native/load.ts';
import { noise, tiers } from '../fakes/codec.ts';
import { iconRecords } from '../fakes/icon-records.ts';
import { runZstd, zstdTool } from '../fakes/zstd-tool.ts';

const known = iconRecords(2000);
const unseen = iconRecords(400, 2000);
const options = { sizeBytes: 16 * 1024, level: 3 };
const encodes = loaded.codec.abilities.dictionaryEncode;

const sizeWith = (dictionary: Dictionary | undefined): number =>
  unseen.reduce(
    (sum, record) => sum + compress(record, { dictionary, checksum: ChecksumKind.none }).length,
    0,
  );

for (const { tier, codec } of tiers) {
  test(`${tier}: training helps on records held out, and is the same each time`, async (t) => {
    const first = codec.dictionaryTrain(known, options);
    const second = await codec.dictionaryTrainAsync(known, options);
    t.true(first.dictionary!.length > 1024);
    t.true(first.dictionary!.length <= options.sizeBytes);
    t.true(first.heldOutBytes < 0.7 * first.heldOutPlainBytes);
    t.deepEqual(first, second);
  });

  test(`${tier}: nothing comes of noise, of nothing, or of records too short to share`, (t) => {
    const none = [
      Array.from({ length: 100 }, (_, seed) => noise(200, seed)),
      [],
      Array.from({ length: 100 }, () => Buffer.from('short')),
    ];
    for (const samples of none) {
      t.is(codec.dictionaryTrain(samples, options).dictionary, undefined);
    }
  });

  test(`${tier}: more samples than are looked at, and samples above a block, are taken`, (t) => {
    const large = [...known, Buffer.alloc(1_000_000, known[0]), Buffer.alloc(0)];
    const many = Array.from({ length: 40 }, () => large).flat();
    t.true(codec.dictionaryTrain(many, { sizeBytes: 1024, level: 1 }).dictionary!.length <= 1024);
  });
}

test('a trained dictionary serves records it was not trained on', (t) => {
  const dictionary = Dictionary.train(known, options);
  t.true(dictionary.id >= 32_768);
  t.true(Dictionary.from(dictionary.copy()).id === dictionary.id);
  if (!encodes) return;
  t.true(sizeWith(dictionary) < 0.7 * sizeWith(undefined));
  for (const record of unseen) {
    t.true(decompress(compress(record, { dictionary }), { dictionary }).equals(record));
  }
});

test('trainAsync gives what train gives; a signal that fired stops it', async (t) => {
  const now = Dictionary.train(known, options);
  const later = await Dictionary.trainAsync(known, options);
  t.deepEqual(later.copy(), now.copy());
  const signal = AbortSignal.abort();
  await t.throwsAsync(Dictionary.trainAsync(known, { signal }), { code: 'ERR_DWCP_ABORTED' });
  const controller = new AbortController();
  const stopped = Dictionary.trainAsync(known, { signal: controller.signal });
  controller.abort();
  await t.throwsAsync(stopped, { code: 'ERR_DWCP_ABORTED' });
});

test('a set that gives nothing of use is refused, and the error says what is missing', (t) => {
  const refusal = (samples: readonly Uint8Array[]) => {
    const error = t.throws(() => Dictionary.train(samples, options));
    if (!isDwcpError(error, 'ERR_DWCP_DICTIONARY_SAMPLES')) throw error ?? new Error('accepted');
    return error;
  };
  const few = refusal(known.slice(0, 10));
  t.regex(few.message, /10 samples; at least 6 more/);
  t.like(few.detail, { samples: 10, distinctSamples: 10, missingSamples: 6 });
  const short = refusal(known.slice(0, 20).map((record) => record.subarray(0, 50)));
  t.regex(short.message, /1000 bytes together; at least 1048 more/);
  t.like(short.detail, { bytes: 1000, missingBytes: 1048, missingSamples: 0 });
  t.regex(
    refusal(Array.from({ length: 500 }, () => known[0]!)).message,
    /all samples are the same/,
  );
  t.like(refusal([]).detail, { samples: 0, missingSamples: 16 });
  const random = refusal(Array.from({ length: 200 }, (_, seed) => noise(300, seed)));
  t.regex(random.message, /saves -?\d+\.\d % on samples held out/);
  t.true(Number(random.detail?.['gain']) < 0.05);
});

test('arguments of training are checked', (t) => {
  const bad = [
    () => Dictionary.train(known, { sizeBytes: 1023 }),
    () => Dictionary.train(known, { sizeBytes: 2 ** 21 }),
    () => Dictionary.train(known, { level: 20 }),
    () => Dictionary.train([...known, new Uint8Array(new SharedArrayBuffer(8))]),
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    () => Dictionary.train(['text'] as never),
  ];
  for (const call of bad) t.throws(call, { code: 'ERR_DWCP_INVALID_ARG' });
});

test('the trainer does as well as the one of zstd', (t) => {
  if (!zstdTool || loaded.tier !== 'addon') {
    t.log('not compared: needs the zstd command and the addon');
    t.true(tiers.length > 0);
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'dwcp-train-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'samples'));
  for (const [index, record] of known.entries()) {
    writeFileSync(join(folder, 'samples', String(index)), record);
  }
  const made = join(folder, 'zstd.dict');
  const size = String(options.sizeBytes);
  runZstd(['--train', '-3', '-r', join(folder, 'samples'), '--maxdict', size, '-o', made]);
  const theirs = sizeWith(Dictionary.from(readFileSync(made)));
  const ours = sizeWith(Dictionary.train(known, options));
  t.log(`records not seen: ${ours} bytes with ours, ${theirs} with zstd's`);
  t.true(ours <= 1.01 * theirs, `${ours} against ${theirs}`);
});
