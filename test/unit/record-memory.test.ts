/** What records cost a process: bombs, many worker threads at once, and a hundred thousand calls. */
import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import {
  Dictionary,
  compress,
  compressBound,
  compressInto,
  decompress,
  decompressBatch,
  decompressInto,
} from '../../lib/compression/index.ts';
import { native } from '../../lib/native/load.ts';
import { codeOf, records } from '../fakes/codec.ts';

const MiB = 1024 * 1024;

function collect(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}

test.serial(
  'incident bomb: 8 KB that hold 256 MB stop at a limit of 1 MB, on every way in',
  async (t) => {
    const bomb = compress(Buffer.alloc(256 * MiB));
    const frame = compress(Buffer.alloc(65_536));
    const arena = Buffer.concat(Array.from({ length: 4096 }, () => frame));
    const lengths = new Uint32Array(4096).fill(frame.length);
    const limits = { maxOutputBytes: MiB };
    const dst = Buffer.alloc(MiB);
    collect();
    const before = process.memoryUsage.rss();
    const calls: (() => unknown)[] = [
      () => decompressInto(bomb, dst, { limits }),
      () => decompressInto(bomb, dst),
      () => decompress(bomb, { limits }),
    ];
    if (native.codec.abilities.zstd) calls.push(() => decompressBatch(arena, lengths, { limits }));
    for (const call of calls) t.is(await codeOf(call), 'ERR_DWCP_OUTPUT_LIMIT', String(call));
    t.true(process.memoryUsage.rss() - before < 2 * MiB);
  },
);

test.serial('a hundred thousand calls leave memory where it was', (t) => {
  if (!native.codec.abilities.dictionaryEncode) {
    t.is(native.tier, 'portable');
    return;
  }
  const dictionary = Dictionary.from(records(40, 8));
  const record = records(4, 5);
  const dst = Buffer.alloc(compressBound(record.length));
  const out = Buffer.alloc(record.length);
  const options = { dictionary };
  const run = (calls: number): void => {
    for (let i = 0; i < calls; i++) {
      const size = compressInto(record, dst, options);
      decompressInto(compress(record, options), out, options);
      decompress(dst.subarray(0, size), options);
    }
  };
  run(10_000);
  collect();
  const before = process.memoryUsage.rss();
  const held = native.memoryBytes();
  run(33_000);
  collect();
  t.is(native.memoryBytes(), held);
  // Ninety-nine thousand results of 0.5 KB and more; the heap's own breathing stays well below.
  t.true(process.memoryUsage.rss() - before < 16 * MiB);
});

test.serial('a dictionary gives its native memory back with its object', async (t) => {
  const writes = native.codec.abilities.dictionaryEncode;
  const bytes = records(4000, 8).subarray(0, 64 * 1024);
  collect();
  const before = native.memoryBytes();
  for (let i = 0; i < 30; i++) {
    const dictionary = Dictionary.from(bytes);
    if (writes) compress(records(4, 5), { dictionary });
  }
  for (let turn = 0; turn < 5; turn++) {
    await new Promise(setImmediate);
    collect();
  }
  t.true(native.memoryBytes() - before < MiB);
});

const worker = `
import { parentPort, workerData } from 'node:worker_threads';
const { Dictionary, compress, compressBatch, decompress, decompressBatch, compressAsync } =
  await import(workerData.module);
const dictionary = Dictionary.from(workerData.shared);
const record = Buffer.from(workerData.record);
const frame = Buffer.from(workerData.frame);
let wrong = 0;
for (let round = 0; round < 300; round++) {
  const options = { dictionary, level: (round % 4) + 1 };
  if (!decompress(compress(record, options), options).equals(record)) wrong++;
  if (!decompress(frame, options).equals(record)) wrong++;
  const batch = compressBatch(record, Uint32Array.of(record.length), options);
  if (!decompressBatch(batch.arena, batch.lengths, options).arena.equals(record)) wrong++;
  if (round % 50 === 0) await compressAsync(Buffer.alloc(40_000, record), options);
}
parentPort.postMessage(wrong);
`;

test.serial('incident concurrent-use: worker threads write and read at once', async (t) => {
  if (!native.codec.abilities.dictionaryEncode) {
    t.is(native.tier, 'portable');
    return;
  }
  const shared = records(40, 8);
  const record = records(6, 5);
  const frame = compress(record, { dictionary: Dictionary.from(shared) });
  const module = new URL('../../lib/compression/index.js', import.meta.url).href;
  const url = new URL(`data:text/javascript,${encodeURIComponent(worker)}`);
  const workers = Array.from(
    { length: 4 },
    () => new Worker(url, { workerData: { module, shared, record, frame } }),
  );
  const results = await Promise.all(workers.map(async (each) => (await once(each, 'message'))[0]));
  t.deepEqual(results, [0, 0, 0, 0]);
  await Promise.all(workers.map((each) => each.terminate()));
});
