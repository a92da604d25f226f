/** Trained dictionaries in TypeScript: a published frame, and the decoder of libzstd to compare with. */
import test from 'ava';
import { Dictionary } from '../../lib/compression/index.ts';
import { isDwcpError } from '../../lib/errors.ts';
import { native as loaded } from '../../lib/native/load.ts';
import { native as portable } from '../../lib/native/portable.ts';
import { decodeZstd, decodeZstdAsync } from '../../lib/native/zstd-decode.ts';
import { readDictionary } from '../../lib/native/zstd-dictionary.ts';
import { seededRandom } from '../../lib/random.ts';
import { iconRecords } from '../fakes/icon-records.ts';
import {
  smallContent as content,
  smallDictionary as small,
  smallFrame as frame,
} from '../seam/native-dictionary-kit.ts';

const maxWindowLog = 27;
const ID_AT = 4;

/** What came of a call: bytes, or the code of the error. */
function outcome(call: () => Buffer): Buffer | string {
  try {
    return call();
  } catch (error) {
    if (isDwcpError(error)) return error.code;
    throw error;
  }
}

test('a frame that leans on a dictionary’s tree, tables, repeat offsets and content', async (t) => {
  const start = readDictionary(small);
  t.is(start.content.length, 79);
  t.deepEqual(start.sequences?.recent, [1, 4, 8]);
  const options = { sizeBytes: content.length, maxWindowLog };
  t.is(decodeZstd(frame, options, start).toString(), content);
  t.is((await decodeZstdAsync(frame, options, start)).toString(), content);
  t.throws(() => decodeZstd(frame, options), { code: 'ERR_DWCP_CODEC' });
  const raw = { content: start.content };
  t.throws(() => decodeZstd(frame, options, raw), { code: 'ERR_DWCP_CODEC' });
  const cut = { ...start, content: start.content.subarray(60) };
  t.throws(() => decodeZstd(frame, options, cut), { code: 'ERR_DWCP_CODEC' });
});

test('a damaged dictionary is refused: cut anywhere, or out of its own reach', (t) => {
  for (let size = ID_AT * 2; size < 122; size += 1) {
    t.throws(() => readDictionary(small.subarray(0, size)), {
      code: 'ERR_DWCP_DICTIONARY_INVALID',
    });
  }
  for (const offset of [0, 80, 0xffff_ffff]) {
    const bad = Buffer.from(small);
    bad.writeUInt32LE(offset, small.length - 79 - 12);
    t.throws(() => readDictionary(bad), { code: 'ERR_DWCP_DICTIONARY_INVALID' });
    t.throws(() => portable.codec.zstdDictionary(bad, 1), { code: 'ERR_DWCP_DICTIONARY_INVALID' });
  }
});

if (loaded.tier === 'addon') {
  const { codec } = loaded;
  const known = iconRecords(600);
  const trained = codec.dictionaryTrain(known, { sizeBytes: 8192, level: 3 }).dictionary!;
  const id = trained.readUInt32LE(ID_AT);
  const start = readDictionary(trained);

  test('records made with a dictionary at any level are the same in TypeScript', (t) => {
    const dictionary = codec.zstdDictionary(trained, id);
    for (const level of [-7, 1, 3, 6, 12, 19]) {
      for (const record of iconRecords(40, 1000)) {
        const made = codec.zstdCompress(record, { level, dictionary });
        const options = { sizeBytes: record.length, maxWindowLog };
        t.true(decodeZstd(made, options, start).equals(record), `level ${level}`);
      }
      const large = Buffer.concat(known);
      const made = codec.zstdCompress(large, { level, dictionary });
      t.true(decodeZstd(made, { sizeBytes: large.length, maxWindowLog }, start).equals(large));
    }
  });

  test('no flipped bit of a record decodes to something else than in libzstd', (t) => {
    const dictionary = codec.zstdDictionary(trained, id);
    const record = iconRecords(1, 1003)[0]!;
    const made = codec.zstdCompress(record, { level: 3, dictionary });
    const options = { sizeBytes: record.length, maxWindowLog };
    for (let bit = 0; bit < made.length * 8; bit += 1) {
      const bad = Buffer.from(made);
      bad[bit >>> 3]! ^= 1 << (bit & 7);
      const ours = outcome(() => decodeZstd(bad, options, start));
      // libzstd lets pass literals that leave bits over, and offsets into the entropy tables.
      if (typeof ours === 'string') continue;
      const theirs = outcome(() => codec.zstdDecompress(bad, { ...options, dictionary }));
      t.deepEqual(ours, theirs, `bit ${bit}`);
    }
  });

  test('what is no dictionary to libzstd is none in TypeScript', (t) => {
    const seed = 11;
    const random = seededRandom(seed);
    const head = trained.length - start.content.length;
    let refused = 0;
    for (let round = 0; round < 2000; round += 1) {
      const bad = Buffer.from(trained.subarray(0, head + 64));
      bad[8 + Math.floor(random.next() * (head - 8))] = Math.floor(random.next() * 256);
      const theirs = outcome(() => {
        codec.zstdDictionary(bad, id);
        return Buffer.alloc(0);
      });
      if (typeof theirs !== 'string') continue;
      refused += 1;
      const ours = outcome(() => Buffer.from(readDictionary(bad).content));
      t.is(ours, theirs, `seed ${seed}, round ${round}`);
    }
    t.true(refused > 100 && refused < 1990, String(refused));
  });

  test('a dictionary trained here is read on the portable tier by its id', (t) => {
    const dictionary = Dictionary.from(trained);
    t.is(dictionary.id, id);
    const record = known[0]!;
    const native = codec.zstdDictionary(trained, id);
    const made = codec.zstdCompress(record, { level: 3, dictionary: native });
    const other = portable.codec.zstdDictionary(trained, id);
    const options = { sizeBytes: record.length, maxWindowLog, dictionary: other };
    t.true(portable.codec.zstdDecompress(made, options).equals(record));
  });
}
