/** Block hashes and matching in the binding's contract, as cases of native-binding-kit.ts. */
import assert from 'node:assert/strict';
import type { CodecBinding } from '../../lib/native/contract.ts';
import { as, badInputs, type BindingCase, coded, sample } from './native-cases.ts';

const anywhere = (): boolean => true;
const blockBytes = 64;

/** What the operations make of the base; also how many bytes are new. */
function rebuild(base: Buffer, content: Buffer, found: Buffer): [Buffer, number] {
  const ops = new Uint32Array(new Uint8Array(found).buffer);
  const pieces: Buffer[] = [];
  let at = 0;
  let fresh = 0;
  for (let i = 0; i < ops.length; i += 3) {
    const [literal, copy, from] = [ops[i]!, ops[i + 1]!, ops[i + 2]!];
    assert.ok(copy > 0 && from + copy <= base.length);
    pieces.push(content.subarray(at, at + literal), base.subarray(from, from + copy));
    at += literal + copy;
    fresh += literal;
  }
  pieces.push(content.subarray(at));
  return [Buffer.concat(pieces), fresh + content.length - at];
}

async function match(codec: CodecBinding, base: Buffer, content: Buffer): Promise<Buffer> {
  const hashes = codec.blockHashes(base, blockBytes);
  assert.deepEqual(await codec.blockHashesAsync(base, blockBytes), hashes);
  const known = { hashes, blockBytes, baseBytes: base.length };
  const found = codec.blockMatch(content, known);
  assert.deepEqual(await codec.blockMatchAsync(content, known), found);
  return found;
}

/** Cases of signatures. */
export const blockCases: readonly BindingCase[] = [
  {
    name: 'block hashes are those fixed with the format',
    needs: anywhere,
    run(codec) {
      const bytes = Buffer.from(Array.from({ length: 150 }, (_, i) => (i * 7 + 3) & 255));
      const hashes = codec.blockHashes(bytes, 64);
      assert.equal(hashes.toString('hex'), '30ab1b74f3f9842830e84c7084440909b218c70d1b355707');
      assert.equal(codec.blockHashes(Buffer.alloc(0), 64).length, 0);
    },
  },
  {
    name: 'matching blocks rebuilds any content and finds what is there',
    needs: anywhere,
    async run(codec) {
      const base = sample(300_000, 21);
      const edited = Buffer.concat([
        base.subarray(150_001),
        sample(70, 22),
        base.subarray(5, 150_100),
        base.subarray(290_000),
        Buffer.from('end'),
      ]);
      const [content, fresh] = rebuild(base, edited, await match(codec, base, edited));
      assert.ok(content.equals(edited));
      assert.ok(fresh < 600, `${fresh} new bytes`);
      for (const size of [0, 1, 31, 63, 64, 65, 66, 67, 68, 129, 1000]) {
        for (const from of [0, 1, 64, 100]) {
          const some = base.subarray(0, size);
          const next = base.subarray(from, from + 300);
          assert.ok(rebuild(some, next, await match(codec, some, next))[0].equals(next));
        }
      }
    },
  },
  {
    name: 'a run of equal blocks is found from its start',
    needs: anywhere,
    async run(codec) {
      const base = Buffer.concat([Buffer.alloc(20_000), sample(500, 23)]);
      const next = Buffer.concat([Buffer.from('x'), Buffer.alloc(15_000), sample(500, 23)]);
      const [content, fresh] = rebuild(base, next, await match(codec, base, next));
      assert.ok(content.equals(next));
      assert.ok(fresh < 200, `${fresh} new bytes`);
    },
  },
  {
    name: 'forged hashes cost bounded work and stay within the base',
    needs: anywhere,
    run(codec) {
      const content = Buffer.alloc(200_000);
      const baseBytes = 4096 * 4096;
      // Every block has the rolling hash of zeros and a checksum of its own.
      const hashes = Buffer.alloc(4096 * 8);
      for (let block = 0; block < 4096; block++) hashes.writeUInt32LE(block, block * 8 + 4);
      const known = { hashes, blockBytes: 4096, baseBytes };
      const [rebuilt] = rebuild(Buffer.alloc(baseBytes), content, codec.blockMatch(content, known));
      assert.ok(rebuilt.equals(content));
    },
  },
  {
    name: 'bad arguments of block calls are refused and never coerced',
    needs: anywhere,
    async run(codec) {
      const refused = coded('ERR_DWCP_INVALID_ARG');
      const bytes = Buffer.alloc(128);
      const hashes = codec.blockHashes(bytes, 64);
      const known = { hashes, blockBytes: 64, baseBytes: 128 };
      for (const input of badInputs()) {
        const bad = as(input);
        assert.throws(() => codec.blockHashes(bad, 64), refused);
        await assert.rejects(codec.blockHashesAsync(bad, 64), refused);
        assert.throws(() => codec.blockMatch(bad, known), refused);
        await assert.rejects(codec.blockMatchAsync(bytes, { ...known, hashes: bad }), refused);
      }
      for (const odd of ['64', null, Number.NaN, 64.5, 32, 96, 131_072, 64n, undefined]) {
        assert.throws(() => codec.blockHashes(bytes, as(odd)), refused);
        assert.throws(() => codec.blockMatch(bytes, { ...known, blockBytes: as(odd) }), refused);
      }
      for (const baseBytes of [-1, 129, 1.5, 2 ** 31, '128']) {
        assert.throws(
          () => codec.blockMatch(bytes, { ...known, baseBytes: as(baseBytes) }),
          refused,
        );
      }
      assert.throws(() => codec.blockMatch(bytes, as(undefined)), refused);
    },
  },
];
