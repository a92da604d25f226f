/**
 * The contract of the codec binding as a list of cases, for any tier on any Node. Cases assert with
 * node:assert, so that they run under AVA here and in bare child processes on other Node versions.
 */
import assert from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type ErrorCode, isDwcpError } from '../../lib/errors.ts';
import type { CodecAbilities } from '../../lib/native/contract.ts';
import { as, badInputs, type BindingCase, coded, sample } from './native-cases.ts';
import { blockCases } from './native-block-kit.ts';
import { deltaCases } from './native-delta-kit.ts';
import { dictionaryCases } from './native-dictionary-kit.ts';

export type { BindingCase } from './native-cases.ts';
export { sample } from './native-cases.ts';

const anywhere = (): boolean => true;
const withZstd = ({ zstd }: CodecAbilities): boolean => zstd;
const withoutZstd = ({ zstd }: CodecAbilities): boolean => !zstd;
const withPrefix = ({ prefixEncode }: CodecAbilities): boolean => prefixEncode;

const anyCode = (error: unknown): boolean => {
  assert.ok(isDwcpError(error), String(error));
  assert.match(error.code, /^ERR_DWCP_(CODEC|OUTPUT_LIMIT|WINDOW_LIMIT)$/);
  return true;
};

/** A frame of RLE blocks of zeros: four stored bytes for every 128 KiB decoded. */
export function bomb(blocks: number, claimSize: boolean): Buffer {
  const header = Buffer.from('28b52ffd', 'hex');
  const size = Buffer.alloc(4);
  size.writeUInt32LE(blocks * 131_072);
  // Descriptor: window 2^17, then a four-byte content size or none.
  const fields = claimSize ? [Buffer.from([0x80, 0x38]), size] : [Buffer.from([0x00, 0x38])];
  const body = Buffer.alloc(blocks * 4);
  for (let i = 0; i < blocks; i += 1) {
    body.writeUIntLE((131_072 << 3) | 2 | (i === blocks - 1 ? 1 : 0), i * 4, 3);
  }
  return Buffer.concat([header, ...fields, body]);
}

/** A full collection, without a flag on the command line. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}

const limits = { sizeBytes: 100, maxWindowLog: 27 };

const cases: BindingCase[] = [
  {
    name: 'crc32c gives the published values and continues from a seed',
    needs: anywhere,
    run(codec) {
      assert.equal(codec.crc32c(Buffer.from('123456789')), 0xe3069283);
      assert.equal(codec.crc32c(Buffer.alloc(32)), 0x8a9136aa);
      assert.equal(codec.crc32c(Buffer.alloc(0)), 0);
      const bytes = sample(20_000, 1);
      const whole = codec.crc32c(bytes);
      for (const cut of [0, 1, 7, 8, 4_096, 19_999]) {
        const first = codec.crc32c(bytes.subarray(0, cut));
        assert.equal(codec.crc32c(bytes.subarray(cut), first), whole);
      }
    },
  },
  {
    name: 'xxh3 gives the published value of the empty input and the same value both ways',
    needs: anywhere,
    async run(codec) {
      assert.equal(codec.xxh3(Buffer.alloc(0)).toString('hex'), '99aa06d3014798d86001c324468d497f');
      const bytes = sample(100_000, 2);
      assert.deepEqual(await codec.xxh3Async(bytes), codec.xxh3(bytes));
      assert.equal(codec.xxh3(bytes).length, 16);
    },
  },
  {
    name: 'zstd that cannot be made here says so',
    needs: withoutZstd,
    async run(codec) {
      const bytes = Buffer.alloc(8);
      const refused = coded('ERR_DWCP_FRAME_CODEC');
      assert.throws(() => codec.zstdCompress(bytes, { level: 3 }), refused);
      await assert.rejects(codec.zstdCompressAsync(bytes, { level: 3 }), refused);
    },
  },
  {
    name: 'zstd that another tier made is read, with and without a prefix',
    needs: anywhere,
    async run(codec) {
      const zeros = { sizeBytes: 262_144, maxWindowLog: 27 };
      assert.ok(codec.zstdDecompress(bomb(2, true), zeros).equals(Buffer.alloc(262_144)));
      const delta = Buffer.from('28b52ffd2032750000382c207477696365010064530101', 'hex');
      const fox = 'the quick brown fox jumps over the lazy dog';
      const prefix = Buffer.from(`0123456789 ${fox} 9876543210`);
      const options = { sizeBytes: fox.length + 7, maxWindowLog: 27, prefix };
      assert.equal(codec.zstdDecompress(delta, options).toString(), `${fox}, twice`);
      assert.equal((await codec.zstdDecompressAsync(delta, options)).toString(), `${fox}, twice`);
    },
  },
  {
    name: 'zstd round trips at every size and level, sync and async',
    needs: withZstd,
    async run(codec) {
      for (const sizeBytes of [0, 1, 300, 70_000, 1_000_000]) {
        const bytes = sample(sizeBytes, 3, 11);
        for (const level of [-50, 1, 3, 6]) {
          const frame = codec.zstdCompress(bytes, { level });
          assert.deepEqual(await codec.zstdCompressAsync(bytes, { level }), frame);
          const options = { sizeBytes, maxWindowLog: 27 };
          assert.ok(codec.zstdDecompress(frame, options).equals(bytes));
          assert.ok((await codec.zstdDecompressAsync(frame, options)).equals(bytes));
        }
      }
    },
  },
  {
    name: 'a large incompressible value comes back whole from the pool',
    needs: withZstd,
    async run(codec) {
      const bytes = sample(300_000, 4);
      const frame = await codec.zstdCompressAsync(bytes, { level: 1 });
      assert.ok(frame.length > 300_000);
      const options = { sizeBytes: bytes.length, maxWindowLog: 27 };
      assert.ok((await codec.zstdDecompressAsync(frame, options)).equals(bytes));
    },
  },
  {
    name: 'inputs nobody else holds stay alive until the promise settles',
    needs: withZstd,
    async run(codec) {
      const bytes = sample(120_000, 12, 30);
      const frame = codec.zstdCompress(bytes, { level: 3 });
      const options = { sizeBytes: bytes.length, maxWindowLog: 27 };
      const work = Array.from({ length: 20 }, () => [
        codec.zstdCompressAsync(Buffer.from(bytes), { level: 3 }),
        codec.zstdDecompressAsync(Buffer.from(frame), options),
      ]).flat();
      for (let i = 0; i < 5; i += 1) {
        collectGarbage();
        Buffer.alloc(1 << 20, i); // memory that was freed too early would be written over
      }
      const results = await Promise.all(work);
      assert.ok(results.every((result, i) => result.equals(i % 2 === 0 ? frame : bytes)));
    },
  },
  {
    name: 'a frame against a prefix is small and needs that prefix',
    needs: withPrefix,
    async run(codec) {
      const prefix = sample(2_500_000, 5);
      const bytes = Buffer.concat([prefix.subarray(900_000), prefix.subarray(0, 900_000)]);
      const frame = codec.zstdCompress(bytes, { level: 3, prefix });
      assert.ok(frame.length < 20_000, `${frame.length} bytes`);
      assert.deepEqual(await codec.zstdCompressAsync(bytes, { level: 3, prefix }), frame);
      const options = { sizeBytes: bytes.length, maxWindowLog: 27 };
      assert.ok(codec.zstdDecompress(frame, { ...options, prefix }).equals(bytes));
      assert.ok((await codec.zstdDecompressAsync(frame, { ...options, prefix })).equals(bytes));
      assert.throws(() => codec.zstdDecompress(frame, options), anyCode);
    },
  },
  {
    name: 'a prefix where none can be written is refused by name',
    needs: (abilities) => abilities.zstd && !abilities.prefixEncode,
    run(codec) {
      const prefix = Buffer.alloc(8);
      assert.throws(
        () => codec.zstdCompress(Buffer.alloc(8), { level: 3, prefix }),
        coded('ERR_DWCP_FRAME_CODEC'),
      );
    },
  },
  {
    name: 'the size and the window are limits',
    needs: withZstd,
    async run(codec) {
      const bytes = sample(3_000_000, 6, 40);
      const frame = codec.zstdCompress(bytes, { level: 3 });
      const attempts: [number, number, ErrorCode][] = [
        [bytes.length - 1, 27, 'ERR_DWCP_OUTPUT_LIMIT'],
        [0, 27, 'ERR_DWCP_OUTPUT_LIMIT'],
        [bytes.length + 1, 27, 'ERR_DWCP_CODEC'],
        [bytes.length, 20, 'ERR_DWCP_WINDOW_LIMIT'],
      ];
      for (const [sizeBytes, maxWindowLog, code] of attempts) {
        const options = { sizeBytes, maxWindowLog };
        assert.throws(() => codec.zstdDecompress(frame, options), coded(code));
        await assert.rejects(codec.zstdDecompressAsync(frame, options), coded(code));
      }
    },
  },
  {
    name: 'a bomb meets its limit and costs no memory',
    needs: anywhere,
    async run(codec) {
      const options = { sizeBytes: 1 << 20, maxWindowLog: 27 };
      const claimed = bomb(2_048, true);
      const hidden = bomb(2_048, false);
      assert.ok(claimed.length < 9_000);
      const blow = async (): Promise<void> => {
        assert.throws(() => codec.zstdDecompress(claimed, options), coded('ERR_DWCP_OUTPUT_LIMIT'));
        const pending = codec.zstdDecompressAsync(hidden, options);
        await assert.rejects(pending, coded('ERR_DWCP_OUTPUT_LIMIT'));
      };
      for (let i = 0; i < 20; i += 1) await blow();
      const before = process.memoryUsage.rss();
      for (let i = 0; i < 50; i += 1) await blow();
      const grown = process.memoryUsage.rss() - before;
      assert.ok(grown < 64 << 20, `RSS grew by ${grown} bytes; one bomb is 256 MiB`);
    },
  },
  {
    name: 'bad bytes are refused by every function',
    needs: anywhere,
    async run(codec) {
      const refused = coded('ERR_DWCP_INVALID_ARG');
      for (const input of badInputs()) {
        const bytes = as(input);
        assert.throws(() => codec.crc32c(bytes), refused);
        assert.throws(() => codec.xxh3(bytes), refused);
        assert.throws(() => codec.zstdCompress(bytes, { level: 3 }), refused);
        assert.throws(() => codec.zstdDecompress(bytes, limits), refused);
        await assert.rejects(codec.xxh3Async(bytes), refused);
        await assert.rejects(codec.zstdCompressAsync(bytes, { level: 3 }), refused);
        await assert.rejects(codec.zstdDecompressAsync(bytes, limits), refused);
        if (input === undefined) continue; // no prefix at all
        const prefixed = { level: 3, prefix: bytes };
        assert.throws(() => codec.zstdCompress(Buffer.alloc(1), prefixed), refused);
        await assert.rejects(codec.zstdCompressAsync(Buffer.alloc(1), prefixed), refused);
        const within = { ...limits, prefix: bytes };
        assert.throws(() => codec.zstdDecompress(Buffer.alloc(1), within), refused);
      }
    },
  },
  {
    name: 'bad options are refused and never coerced',
    needs: anywhere,
    async run(codec) {
      const bytes = new Uint8Array(64);
      const detach = { valueOf: () => structuredClone(bytes.buffer, { transfer: [bytes.buffer] }) };
      const refused = coded('ERR_DWCP_INVALID_ARG');
      for (const odd of [detach, '3', null, Number.NaN, 1.5, 3n, [], true, 1e300, -1e9]) {
        const value = as(odd);
        assert.throws(() => codec.crc32c(bytes, value), refused);
        assert.throws(() => codec.zstdCompress(bytes, { level: value }), refused);
        await assert.rejects(codec.zstdCompressAsync(bytes, { level: value }), refused);
        const sized = { sizeBytes: value, maxWindowLog: 20 };
        assert.throws(() => codec.zstdDecompress(bytes, sized), refused);
        const windowed = { sizeBytes: 8, maxWindowLog: value };
        assert.throws(() => codec.zstdDecompress(bytes, windowed), refused);
        await assert.rejects(codec.zstdDecompressAsync(bytes, windowed), refused);
      }
      assert.equal(bytes.length, 64, 'valueOf ran and detached the input');
      for (const options of [undefined, null, 3]) {
        assert.throws(() => codec.zstdCompress(bytes, as(options)), refused);
        assert.throws(() => codec.zstdDecompress(bytes, as(options)), refused);
      }
      assert.throws(() => codec.zstdDecompress(bytes, { sizeBytes: 8, maxWindowLog: 28 }), refused);
    },
  },
  {
    name: 'every truncation of a small frame is refused',
    needs: withZstd,
    async run(codec) {
      const bytes = sample(400, 7, 6);
      const frame = codec.zstdCompress(bytes, { level: 3 });
      const options = { sizeBytes: bytes.length, maxWindowLog: 27 };
      for (let size = 0; size < frame.length; size += 1) {
        const cut = frame.subarray(0, size);
        assert.throws(() => codec.zstdDecompress(cut, options), anyCode, `${size} bytes`);
        if (size % 10 === 0) await assert.rejects(codec.zstdDecompressAsync(cut, options), anyCode);
      }
      const longer = Buffer.concat([frame, Buffer.alloc(1)]);
      assert.throws(() => codec.zstdDecompress(longer, options), coded('ERR_DWCP_CODEC'));
    },
  },
  {
    name: 'every bit flip of a small frame ends in a code or in exactly the size asked for',
    needs: withZstd,
    run(codec) {
      const bytes = sample(300, 8, 5);
      const frame = codec.zstdCompress(bytes, { level: 3 });
      const options = { sizeBytes: bytes.length, maxWindowLog: 27 };
      let refused = 0;
      for (let bit = 0; bit < frame.length * 8; bit += 1) {
        const damaged = Buffer.from(frame);
        damaged[bit >>> 3]! ^= 1 << (bit & 7);
        try {
          assert.equal(codec.zstdDecompress(damaged, options).length, bytes.length);
        } catch (error) {
          anyCode(error);
          refused += 1;
        }
      }
      assert.ok(refused > frame.length, `only ${refused} of ${frame.length * 8} refused`);
    },
  },
  ...deltaCases,
  ...dictionaryCases,
  ...blockCases,
];

/** The cases that apply to a binding with these abilities. */
export function casesFor(abilities: CodecAbilities): readonly BindingCase[] {
  return cases.filter(({ needs }) => needs(abilities));
}
