/** The addon itself, without the TypeScript in front: it re-checks every argument on its own. */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import nodeGypBuild from 'node-gyp-build';
import type { AddonExports } from '../../lib/native/addon-codec.ts';
import { nativeStatus } from '../../lib/native/load.ts';
import { bomb, sample } from './native-binding-kit.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));

type Raw = Record<keyof AddonExports, (...args: unknown[]) => unknown>;

const detached = new Uint8Array(8);
structuredClone(detached.buffer, { transfer: [detached.buffer] });
const growable: ArrayBuffer = Reflect.construct(ArrayBuffer, [8, { maxByteLength: 16 }]);
const resizable = new Uint8Array(growable);
const badBytes = [
  undefined,
  null,
  'text',
  7,
  {},
  new Uint16Array(4),
  new DataView(new ArrayBuffer(8)),
  new ArrayBuffer(8),
  detached,
  new Uint8Array(new SharedArrayBuffer(8)),
];
const badNumbers = [undefined, null, '3', Number.NaN, 1.5, 1e300, -1e300, 3n, {}, Infinity];

if (nativeStatus().tier === 'addon') {
  const addon: Raw = createRequire(import.meta.url)(nodeGypBuild.path(root));
  const bytes = new Uint8Array(8);
  const refused = { code: 'ERR_DWCP_INVALID_ARG' };

  test.serial(
    'a record is written from its place on, and nowhere when there is no such place',
    (t) => {
      const content = sample(200, 1);
      const target = Buffer.alloc(400, 0x55);
      const size = addon.recordEncode(content, target, 181, 150) as number;
      const frame = Buffer.alloc(400);
      t.is(addon.recordEncode(content, frame, 181, 0), size);
      t.deepEqual(target.subarray(150, 150 + size), frame.subarray(0, size));
      t.true(target.subarray(0, 150).every((byte) => byte === 0x55));
      target.fill(0x55);
      for (const at of [...badNumbers, -1, 2 ** 31]) {
        t.throws(() => addon.recordEncode(content, target, 181, at), refused);
      }
      for (const at of [400 - size + 1, 400, 401, 2 ** 31 - 1]) {
        const full = { code: 'ERR_DWCP_OUTPUT_LIMIT' };
        t.throws(() => addon.recordEncode(content, target, 181, at), full);
      }
      t.true(target.every((byte) => byte === 0x55));
      // Bytes before the place may be the content itself: a frame of a frame.
      target.set(content);
      t.true((addon.recordEncode(target.subarray(0, 180), target, 181, 180) as number) > 0);
    },
  );

  test.serial('bad bytes never reach the core', (t) => {
    for (const bad of badBytes) {
      t.throws(() => addon.crc32c(bad, 0), refused);
      t.throws(() => addon.xxh3(bad), refused);
      t.throws(() => addon.xxh3Async(bad), refused);
      t.throws(() => addon.zstdCompress(bad, 3, undefined), refused);
      t.throws(() => addon.zstdCompressAsync(bad, 3, undefined), refused);
      t.throws(() => addon.zstdDecompress(bad, 8, 20, undefined), refused);
      t.throws(() => addon.zstdDecompressAsync(bad, 8, 20, undefined), refused);
      t.throws(() => addon.makePages(bad, 0, 0), refused);
      if (bad === undefined) continue;
      t.throws(() => addon.zstdCompress(bytes, 3, bad), refused);
      t.throws(() => addon.zstdDecompress(bytes, 8, 20, bad), refused);
    }
  });

  test.serial('bytes that could shrink are refused where they are used after the call', (t) => {
    t.throws(() => addon.xxh3Async(resizable), refused);
    t.throws(() => addon.zstdCompressAsync(resizable, 3, undefined), refused);
    t.throws(() => addon.zstdCompressAsync(bytes, 3, resizable), refused);
    t.throws(() => addon.zstdDecompressAsync(resizable, 8, 20, undefined), refused);
    t.throws(() => addon.makePages(resizable, 0, 8), refused);
  });

  test.serial('bad numbers never reach the core', (t) => {
    for (const bad of badNumbers) {
      t.throws(() => addon.crc32c(bytes, bad), refused);
      t.throws(() => addon.zstdCompress(bytes, bad, undefined), refused);
      t.throws(() => addon.zstdDecompress(bytes, bad, 20, undefined), refused);
      t.throws(() => addon.zstdDecompress(bytes, 8, bad, undefined), refused);
      t.throws(() => addon.makePages(bytes, bad, 8), refused);
      t.throws(() => addon.makePages(bytes, 0, bad), refused);
    }
    for (const [from, to] of [
      [-1, 8],
      [0, 9],
      [5, 4],
    ]) {
      t.throws(() => addon.makePages(bytes, from, to), refused);
    }
    for (const call of [addon.crc32c, addon.xxh3, addon.zstdCompress, addon.zstdDecompress]) {
      t.throws(() => call(), refused);
    }
  });

  test.serial('the largest size is refused by memory or by the frame, never by a crash', (t) => {
    const frame = bomb(1, false);
    t.throws(() => addon.zstdDecompress(frame, 2 ** 31 - 1, 27, undefined));
    t.throws(() => addon.zstdDecompress(frame, 2 ** 31, 27, undefined), refused);
  });

  test.serial('memory for contexts is counted and bounded', async (t) => {
    const source = sample(200_000, 1, 20);
    const many = Array.from({ length: 64 }, () => addon.zstdCompressAsync(source, 6, undefined));
    t.is((await Promise.all(many)).length, 64);
    const held = Number(addon.memoryBytes());
    t.true(held > 100_000 && held <= 2 * (64 << 20), `${held} bytes`);
  });

  test.serial('a loop of sync calls does not pile up memory', (t) => {
    const source = sample(1_000_000, 2);
    const round = (): void => {
      const frame = addon.zstdCompress(source, 1, undefined);
      addon.zstdDecompress(frame, source.length, 27, undefined);
    };
    for (let i = 0; i < 50; i += 1) round();
    const before = process.memoryUsage.rss();
    for (let i = 0; i < 300; i += 1) round();
    const grown = process.memoryUsage.rss() - before;
    t.true(grown < 200_000_000, `RSS grew by ${grown} bytes over 300 MB each way`);
  });

  test.serial('the bytes of an async result count as external memory', async (t) => {
    const source = sample(4_000_000, 3);
    const frame = await addon.zstdCompressAsync(source, 1, undefined);
    const frameBytes = Buffer.isBuffer(frame) ? frame.length : Infinity;
    t.true(process.memoryUsage().arrayBuffers >= source.length + frameBytes);
  });
} else {
  test.serial('without the addon the status says why', (t) => {
    t.not(nativeStatus().reason, '');
  });
}
