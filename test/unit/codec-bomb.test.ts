/** A small frame that claims or holds a huge value costs a typed error and no memory. */
import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { constants, createBrotliCompress } from 'node:zlib';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { ChecksumKind, Codec, decompress, importZstd } from '../../lib/compression/index.ts';
import { writeFrame } from '../../lib/compression/frame.ts';
import { native } from '../../lib/native/portable.ts';
import { codeOf, tiers } from '../fakes/codec.ts';
import { bomb } from '../seam/native-binding-kit.ts';

const MiB = 1024 * 1024;
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

async function packedZeros(sizeBytes: number): Promise<Buffer> {
  const stream = createBrotliCompress({ params: { [constants.BROTLI_PARAM_QUALITY]: 5 } });
  const pieces: Buffer[] = [];
  stream.on('data', (piece: Buffer) => pieces.push(piece));
  const zeros = Buffer.alloc(MiB);
  for (let size = 0; size < sizeBytes; size += MiB) {
    if (!stream.write(zeros)) await once(stream, 'drain');
  }
  stream.end();
  await once(stream, 'end');
  return Buffer.concat(pieces);
}

test('incident bomb: kilobytes that hold 256 MB stop at a limit of 1 MB', async (t) => {
  const payload = await packedZeros(256 * MiB);
  t.true(payload.length < 32 * 1024);
  const checksum = { kind: ChecksumKind.none, bytes: Buffer.alloc(0) };
  const frame = (contentBytes: number): Buffer =>
    writeFrame(native.codec, { codec: Codec.brotli, contentBytes, checksum }, payload);
  const open = (bytes: Buffer) => () => decompress(bytes, { limits: { maxOutputBytes: MiB } });
  const honest = frame(256 * MiB);
  const lying = frame(MiB);
  for (const packed of [honest, lying]) {
    const grown = await grownBytes(t, open(packed));
    t.true(grown < 2 * MiB, `RSS grew ${grown} bytes`);
  }
});

test('incident bomb: 8 KB of plain zstd that hold 256 MB stop at a limit of 1 MB', async (t) => {
  const limits = { maxOutputBytes: MiB };
  for (const tier of tiers) {
    for (const claimed of [true, false]) {
      const frames = bomb(2048, claimed);
      t.true(frames.length < 8300);
      const grown = await grownBytes(t, () => importZstd(frames, { limits, native: tier }));
      t.true(grown < 2 * MiB, `${tier.tier}: RSS grew ${grown} bytes`);
    }
  }
});

/** Median RSS growth of one refused call; garbage of the calls before it is collected first. */
async function grownBytes(t: ExecutionContext, call: () => unknown): Promise<number> {
  const growths: number[] = [];
  for (let round = 0; round < 24; round++) {
    collect();
    const before = process.memoryUsage().rss;
    t.is(await codeOf(call), 'ERR_DWCP_OUTPUT_LIMIT');
    growths.push(process.memoryUsage().rss - before);
  }
  return growths.toSorted((a, b) => a - b)[12]!;
}
