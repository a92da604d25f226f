/** The delta part of the binding's contract, as cases of native-binding-kit.ts. */
import assert from 'node:assert/strict';
import { type ErrorCode, isDwcpError } from '../../lib/errors.ts';
import type { CodecAbilities } from '../../lib/native/contract.ts';
import { as, badInputs, type BindingCase, coded, sample } from './native-cases.ts';

const withDelta = ({ deltaEncode }: CodecAbilities): boolean => deltaEncode;
const withoutDelta = ({ deltaEncode }: CodecAbilities): boolean => !deltaEncode;
const effort = 1;
const maxLiteralBytes = 0x7fff_ffff;
const reading = { maxWindowLog: 27, maxOps: 1_000_000 };

const anyDeltaCode = (error: unknown): boolean => {
  assert.ok(isDwcpError(error), String(error));
  assert.match(error.code, /^ERR_DWCP_(CODEC|LIMIT|WINDOW_LIMIT|FRAME_VERSION)$/);
  return true;
};

/** A delta made by the engine when its format was fixed; it must be read for ever. */
const STORED_DELTA =
  '0204020408050800030903108807d1048807fd060a0000c917001e434154616e64207265737473434154';

/** Cases of deltas of the engine. */
export const deltaCases: readonly BindingCase[] = [
  {
    name: 'a delta rebuilds the value at every effort, sync and async, from one index',
    needs: withDelta,
    async run(codec) {
      const base = sample(700_000, 9, 60);
      const next = Buffer.concat([
        base.subarray(300_000),
        sample(99, 10),
        base.subarray(0, 310_000),
      ]);
      const index = await codec.deltaIndexAsync(base);
      assert.equal(index.sizeBytes, codec.deltaIndex(base).sizeBytes);
      const options = { ...reading, sizeBytes: next.length };
      for (const each of [0, 1, 2] as const) {
        const how = { effort: each, maxLiteralBytes };
        const delta = codec.deltaEncode(index, base, next, how)!;
        assert.ok(delta.length < 300, `${delta.length} bytes`);
        assert.deepEqual(await codec.deltaEncodeAsync(index, base, next, how), delta);
        assert.ok(codec.deltaDecode(delta, base, options).equals(next));
        assert.ok((await codec.deltaDecodeAsync(delta, base, options)).equals(next));
      }
      const few = { effort, maxLiteralBytes: 98 } as const;
      assert.equal(codec.deltaEncode(index, base, next, few), undefined);
      assert.equal(await codec.deltaEncodeAsync(index, base, next, few), undefined);
    },
  },
  {
    name: 'content is verified by its digest on the way: large, small, and a digest of something else',
    needs: withDelta,
    async run(codec) {
      const base = sample(17_000_000, 13, 60);
      for (const sizeBytes of [20, 900_000, base.length]) {
        const next = Buffer.concat([sample(7, 14), base.subarray(0, sizeBytes)]);
        const how = { effort, maxLiteralBytes: next.length } as const;
        const delta = codec.deltaEncode(codec.deltaIndex(base), base, next, how)!;
        const options = { ...reading, sizeBytes: next.length, xxh3: codec.xxh3(next) };
        assert.ok(codec.deltaDecode(delta, base, options).equals(next));
        assert.ok((await codec.deltaDecodeAsync(delta, base, options)).equals(next));
        const wrong = { ...options, xxh3: codec.xxh3(base) };
        const refused = coded('ERR_DWCP_FRAME_CHECKSUM');
        assert.throws(() => codec.deltaDecode(delta, base, wrong), refused);
        await assert.rejects(codec.deltaDecodeAsync(delta, base, wrong), refused);
        for (const xxh3 of [wrong.xxh3.subarray(1), 'no digest' as unknown as Buffer]) {
          const given = { ...options, xxh3 };
          assert.throws(() => codec.deltaDecode(delta, base, given), coded('ERR_DWCP_INVALID_ARG'));
        }
      }
    },
  },
  {
    name: 'an index released under a running delta stays until it is done; later calls are refused',
    needs: withDelta,
    async run(codec) {
      const base = sample(2_000_000, 11, 60);
      const next = Buffer.concat([base.subarray(0, 1_000_000), sample(5, 12), base]);
      const index = codec.deltaIndex(base);
      const running = codec.deltaEncodeAsync(index, base, next, { effort, maxLiteralBytes });
      index.release();
      index.release();
      assert.equal(index.sizeBytes, 0);
      const delta = (await running)!;
      const options = { ...reading, sizeBytes: next.length };
      assert.ok((await codec.deltaDecodeAsync(delta, base, options)).equals(next));
      const again = () => codec.deltaEncode(index, base, next, { effort, maxLiteralBytes });
      assert.throws(again, coded('ERR_DWCP_CLOSED'));
    },
  },
  {
    name: 'what a delta claims is held against every limit',
    needs: withDelta,
    async run(codec) {
      const base = sample(60_000, 13, 60);
      const next = Buffer.from(base);
      for (let at = 0; at < next.length; at += 500) next[at]! ^= 1;
      const index = codec.deltaIndex(base);
      const delta = codec.deltaEncode(index, base, next, { effort, maxLiteralBytes })!;
      const attempts: [number, number, ErrorCode][] = [
        [next.length, 5, 'ERR_DWCP_LIMIT'],
        [next.length - 1, 1_000, 'ERR_DWCP_CODEC'],
        [next.length + 1, 1_000, 'ERR_DWCP_CODEC'],
        [0, 1_000, 'ERR_DWCP_CODEC'],
      ];
      for (const [sizeBytes, maxOps, code] of attempts) {
        const options = { sizeBytes, maxOps, maxWindowLog: 27 };
        assert.throws(() => codec.deltaDecode(delta, base, options), coded(code));
        await assert.rejects(codec.deltaDecodeAsync(delta, base, options), coded(code));
      }
      const short = base.subarray(0, 100);
      const options = { ...reading, sizeBytes: next.length };
      assert.throws(() => codec.deltaDecode(delta, short, options), coded('ERR_DWCP_CODEC'));
      for (let size = 0; size < delta.length; size += 7) {
        const cut = delta.subarray(0, size);
        assert.throws(() => codec.deltaDecode(cut, base, options), anyDeltaCode);
      }
    },
  },
  {
    name: 'bad arguments of deltas are refused and never coerced',
    needs: withDelta,
    async run(codec) {
      const refused = coded('ERR_DWCP_INVALID_ARG');
      const bytes = Buffer.alloc(100);
      const index = codec.deltaIndex(bytes);
      const how = { effort, maxLiteralBytes } as const;
      const options = { ...reading, sizeBytes: 100 };
      for (const input of badInputs()) {
        const bad = as(input);
        assert.throws(() => codec.deltaIndex(bad), refused);
        await assert.rejects(codec.deltaIndexAsync(bad), refused);
        assert.throws(() => codec.deltaEncode(bad, bytes, bytes, how), refused);
        assert.throws(() => codec.deltaEncode(index, bad, bytes, how), refused);
        await assert.rejects(codec.deltaEncodeAsync(index, bytes, bad, how), refused);
        assert.throws(() => codec.deltaDecode(bad, bytes, options), refused);
        await assert.rejects(codec.deltaDecodeAsync(bytes, bad, options), refused);
      }
      for (const odd of ['3', null, Number.NaN, 1.5, -1, 3n, 1e300]) {
        const bad = as(odd);
        const encode = (given: object) => () => codec.deltaEncode(index, bytes, bytes, as(given));
        assert.throws(encode({ effort: bad, maxLiteralBytes }), refused);
        assert.throws(encode({ effort, maxLiteralBytes: bad }), refused);
        const decode = (given: object) => () => codec.deltaDecode(bytes, bytes, as(given));
        assert.throws(decode({ ...options, sizeBytes: bad }), refused);
        assert.throws(decode({ ...options, maxOps: bad }), refused);
        assert.throws(decode({ ...options, maxWindowLog: bad }), refused);
      }
      const other = Buffer.alloc(99);
      assert.throws(() => codec.deltaEncode(index, other, bytes, how), refused);
    },
  },
  {
    name: 'a stored delta of the engine is read on every tier',
    needs: () => true,
    async run(codec) {
      const base = Buffer.from('The quick brown fox jumps over the lazy dog. '.repeat(40));
      const next = Buffer.from(base);
      next.write('CAT', 904);
      const text = Buffer.concat([next.subarray(0, 1_500), Buffer.from('and rests'), next]);
      const options = { ...reading, sizeBytes: text.length };
      const delta = Buffer.from(STORED_DELTA, 'hex');
      assert.ok(codec.deltaDecode(delta, base, options).equals(text));
      assert.ok((await codec.deltaDecodeAsync(delta, base, options)).equals(text));
      const fewer = { ...options, sizeBytes: text.length - 1 };
      assert.throws(() => codec.deltaDecode(delta, base, fewer), coded('ERR_DWCP_CODEC'));
    },
  },
  {
    name: 'an engine that is not there says so',
    needs: withoutDelta,
    async run(codec) {
      const bytes = Buffer.alloc(8);
      const missing = coded('ERR_DWCP_FRAME_CODEC');
      assert.throws(() => codec.deltaIndex(bytes), missing);
      await assert.rejects(codec.deltaIndexAsync(bytes), missing);
      assert.throws(() => codec.deltaEncode(as(undefined), bytes, bytes, as(undefined)), missing);
    },
  },
];
