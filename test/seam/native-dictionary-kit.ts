/** The contract of dictionaries, training, and plain zstd frames of other programs: cases for any tier and Node. */
import assert from 'node:assert/strict';
import type { CodecAbilities } from '../../lib/native/contract.ts';
import { type BindingCase, as, badInputs, coded, sample } from './native-cases.ts';

const anywhere = (): boolean => true;
const withDictionary = ({ dictionaryEncode }: CodecAbilities): boolean => dictionaryEncode;
const withZstd = ({ zstd }: CodecAbilities): boolean => zstd;

/** A dictionary of 79 bytes of content behind entropy tables, and a frame libzstd 1.5.7 made with it. */
export const smallDictionary: Buffer = Buffer.from(
  'N6Qw7I39mWEYEOgqHQAAAFHspfUYhzaklFJKKScQpRESowUAAAAg6lZMAAAEQAUAAAAAgA6EFx0ACgAAAACAw8cAGAYQxAAAACAWQgAw' +
    'AAAAAABkFXP5AgAAAAAAAAAAAAAAAAAAAQAAAAQAAAAIAAAAQmVybGluQW1zdGVyZGFtIn17InR5cGUiOiJvcmRlciIsImlkIjoz' +
    'NCwiY3VycmVuY3kiOiJFVVIiLCJwbGFjZSI6IkNhc2FibGFuY2EifQ==',
  'base64',
);
export const smallFrame: Buffer = Buffer.from(
  'KLUv/SBe/QAAk4EE8YlMIZ37V7OJFhKMde5MISEWA/w8JgUOkvV8Dw==',
  'base64',
);
export const smallContent =
  '{"type":"order","id":512,"currency":"EUR","place":"Casablanca","lines":["Berlin","Amsterdam"]}';
const ID_AT = 4;

/** `hello, hello, hello, hello` by zstd 1.5.4 from a pipe: a checksum, no content size. */
export const streamedFrame: Buffer = Buffer.from(
  '28b52ffd04586d00003868656c6c6f2c2001004a8a118f995337',
  'hex',
);
/** A frame that zstd readers leave out. */
export const skippableFrame: Buffer = Buffer.from('5a2a4d1803000000aabbcc', 'hex');
const streamedContent = Buffer.from('hello, hello, hello, hello');

const records = Array.from({ length: 300 }, (_, id) =>
  Buffer.from(JSON.stringify({ type: 'order', id: (id * 7919) % 1000, currency: 'EUR' })),
);
const importLimits = { maxOutputBytes: 1 << 20, maxWindowLog: 27 };

export const dictionaryCases: readonly BindingCase[] = [
  {
    name: 'a frame made with a trained dictionary is read with it',
    needs: anywhere,
    async run(codec) {
      const dictionary = codec.zstdDictionary(smallDictionary, smallDictionary.readUInt32LE(ID_AT));
      const options = { sizeBytes: smallContent.length, maxWindowLog: 27, dictionary };
      assert.equal(codec.zstdDecompress(smallFrame, options).toString(), smallContent);
      assert.equal((await codec.zstdDecompressAsync(smallFrame, options)).toString(), smallContent);
    },
  },
  {
    name: 'training gives the same dictionary each time, and one that helps',
    needs: anywhere,
    async run(codec) {
      const options = { sizeBytes: 2048, level: 3 };
      const first = codec.dictionaryTrain(records, options);
      assert.ok(first.dictionary && first.dictionary.length <= 2048);
      assert.ok(first.heldOutBytes < 0.8 * first.heldOutPlainBytes);
      assert.deepEqual(await codec.dictionaryTrainAsync(records, options), first);
      const noise = Array.from({ length: 50 }, (_, seed) => sample(100, seed));
      assert.equal(codec.dictionaryTrain(noise, options).dictionary, undefined);
    },
  },
  {
    name: 'a trained dictionary goes into frames and back',
    needs: withDictionary,
    run(codec) {
      const { dictionary: bytes } = codec.dictionaryTrain(records, { sizeBytes: 2048, level: 3 });
      const dictionary = codec.zstdDictionary(bytes!, 40_000);
      for (const record of records.slice(0, 20)) {
        const frame = codec.zstdCompress(record, { level: 3, dictionary });
        const options = { sizeBytes: record.length, maxWindowLog: 27, dictionary };
        assert.ok(codec.zstdDecompress(frame, options).equals(record));
      }
    },
  },
  {
    name: 'frames of other programs: unknown sizes, several, skippable ones',
    needs: anywhere,
    async run(codec) {
      const parts = [skippableFrame, streamedFrame, streamedFrame, skippableFrame];
      const twice = Buffer.concat([streamedContent, streamedContent]);
      const frames = Buffer.concat(parts);
      assert.ok(codec.zstdImport(frames, importLimits).equals(twice));
      assert.ok((await codec.zstdImportAsync(frames, importLimits)).equals(twice));
      const tight = { ...importLimits, maxOutputBytes: twice.length - 1 };
      assert.throws(() => codec.zstdImport(frames, tight), coded('ERR_DWCP_OUTPUT_LIMIT'));
      const later = codec.zstdImportAsync(frames, tight);
      await assert.rejects(later, coded('ERR_DWCP_OUTPUT_LIMIT'));
      const bad = Buffer.from(streamedFrame);
      bad[bad.length - 1]! ^= 1;
      assert.throws(() => codec.zstdImport(bad, importLimits), coded('ERR_DWCP_FRAME_CHECKSUM'));
    },
  },
  {
    name: 'an export comes back through import',
    needs: withZstd,
    async run(codec) {
      for (const checksum of [true, false]) {
        const content = sample(70_000, 3, 20);
        const frame = codec.zstdExport(content, { level: 3, checksum });
        assert.ok(codec.zstdImport(frame, importLimits).equals(content));
        assert.deepEqual(await codec.zstdExportAsync(content, { level: 3, checksum }), frame);
      }
    },
  },
  {
    name: 'training and exchange check their arguments',
    needs: anywhere,
    async run(codec) {
      const invalid = coded('ERR_DWCP_INVALID_ARG');
      const training = { sizeBytes: 2048, level: 3 };
      for (const input of badInputs()) {
        assert.throws(() => codec.zstdImport(as(input), importLimits), invalid);
        await assert.rejects(codec.zstdImportAsync(as(input), importLimits), invalid);
        assert.throws(() => codec.zstdExport(as(input), { level: 3, checksum: true }), invalid);
        assert.throws(() => codec.dictionaryTrain([as(input)], training), invalid);
      }
      for (const options of [{}, { ...training, sizeBytes: 1 }, { ...training, level: 1.5 }]) {
        assert.throws(() => codec.dictionaryTrain(records, as(options)), invalid);
      }
      for (const options of [undefined, {}, { ...importLimits, maxWindowLog: 28 }]) {
        assert.throws(() => codec.zstdImport(streamedFrame, as(options)), invalid);
      }
    },
  },
];
