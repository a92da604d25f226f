/** Dictionaries: ids, frames made with one, versions side by side, and what is refused. */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { Codec, Dictionary, compress, decompress } from '../../lib/compression/index.ts';
import { compressAsync, decompressAsync, readFrameInfo } from '../../lib/compression/index.ts';
import { native } from '../../lib/native/load.ts';
import { codeOf } from '../fakes/codec.ts';

const shared = Buffer.from('{"type":"order","currency":"EUR","customer":{"id":,"country":"DE"}}');
const dictionary = Dictionary.from(shared);
const record = Buffer.from(
  '{"type":"order","currency":"EUR","customer":{"id":4711,"country":"DE"},"total":12}',
);
/** Declares a test where this tier makes frames with a dictionary. */
const withDictionary: (name: string, run: (t: ExecutionContext) => Promise<void>) => void = native
  .codec.abilities.dictionaryEncode
  ? (name, run) => test(name, run)
  : () => undefined;

test('raw content has an id of its own: stable, never 0, outside the ranges of zstd', (t) => {
  t.is(Dictionary.from(shared).id, dictionary.id);
  t.not(Dictionary.from(Buffer.concat([shared, shared])).id, dictionary.id);
  t.true(dictionary.id >= 32_768 && dictionary.id < 2 ** 31);
  t.is(dictionary.sizeBytes, shared.length);
});

test('a dictionary keeps its own copy', (t) => {
  const mine = Buffer.from(shared);
  const own = Dictionary.from(mine);
  mine.fill(0);
  t.deepEqual(own.copy(), shared);
  own.copy().fill(0);
  t.deepEqual(own.copy(), shared);
});

test('bytes that are no dictionary are refused: none, too few, without an id, damaged', async (t) => {
  const trained = Buffer.alloc(256, 7);
  trained.writeUInt32LE(0xec30a437, 0);
  const refused = async (bytes: Uint8Array) => codeOf(() => Dictionary.from(bytes));
  for (const size of [0, 1, 4, 7]) {
    t.is(await refused(shared.subarray(0, size)), 'ERR_DWCP_DICTIONARY_INVALID', `${size} bytes`);
  }
  trained.writeUInt32LE(0, 4);
  t.is(await refused(trained), 'ERR_DWCP_DICTIONARY_INVALID', 'id 0');
  t.is(await refused(trained.subarray(0, 6)), 'ERR_DWCP_DICTIONARY_INVALID', 'cut short');
  if (native.tier === 'addon') {
    trained.writeUInt32LE(4711, 4);
    t.is(await refused(trained), 'ERR_DWCP_DICTIONARY_INVALID', 'damaged tables');
  }
  t.is(await codeOf(() => Dictionary.from('x' as never)), 'ERR_DWCP_INVALID_ARG');
});

withDictionary('a frame names its dictionary, and is smaller for it', async (t) => {
  const frame = compress(record, { dictionary });
  t.is(readFrameInfo(frame).dictionaryId, dictionary.id);
  t.true(frame.length < compress(record).length);
  t.deepEqual(decompress(frame, { dictionary }), record);
  t.deepEqual(await compressAsync(record, { dictionary }), frame);
  t.deepEqual(await decompressAsync(frame, { dictionary }), record);
});

withDictionary('large values take a dictionary, too, now and in the pool', async (t) => {
  const large = Buffer.concat(Array.from({ length: 3000 }, () => record));
  const frame = await compressAsync(large, { dictionary, level: 5 });
  t.is(readFrameInfo(frame).dictionaryId, dictionary.id);
  t.deepEqual(await decompressAsync(frame, { dictionary }), large);
  t.deepEqual(decompress(frame, { dictionary }), large);
});

withDictionary('older versions are found by the id in the frame', async (t) => {
  const newer = Dictionary.from(Buffer.concat([shared, Buffer.from('"total":')]));
  const old = compress(record, { dictionary });
  t.deepEqual(decompress(old, { dictionary: newer, dictionaries: [dictionary] }), record);
  const code = 'ERR_DWCP_DICTIONARY_MISMATCH';
  t.is(await codeOf(() => decompress(old, { dictionary: newer })), code);
  t.is(await codeOf(() => decompress(old, { dictionaries: [] })), code);
  t.is(await codeOf(() => decompress(old)), code, 'trap: magic mismatch');
  t.is(await codeOf(() => decompressAsync(old)), code);
});

withDictionary('a dictionary goes with zstd only, and must be one', async (t) => {
  const codec = Codec.brotli;
  t.is(await codeOf(() => compress(record, { dictionary, codec })), 'ERR_DWCP_INVALID_ARG');
  const bytes = shared as never;
  t.is(await codeOf(() => compress(record, { dictionary: bytes })), 'ERR_DWCP_INVALID_ARG');
});

withDictionary('a dictionary that was released says so; what it made stays readable', async (t) => {
  const handle = native.codec.zstdDictionary(shared, 77);
  const frame = native.codec.zstdCompress(record, { level: 3, dictionary: handle });
  t.true(handle.sizeBytes > 0);
  const pending = native.codec.zstdCompressAsync(record, { level: 3, dictionary: handle });
  handle.release();
  t.is(handle.sizeBytes, 0);
  t.deepEqual(await pending, frame, 'a call in flight keeps it');
  const again = () => native.codec.zstdCompress(record, { level: 3, dictionary: handle });
  t.is(await codeOf(again), 'ERR_DWCP_CLOSED');
  const fresh = native.codec.zstdDictionary(shared, 77);
  const options = { sizeBytes: record.length, maxWindowLog: 27, dictionary: fresh };
  t.deepEqual(native.codec.zstdDecompress(frame, options), record);
});
