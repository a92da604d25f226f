/**
 * Row 3, run by a Node that has zstd of its own: this process compares our calls with node:zlib's synchronous ones
 * and prints the comparisons as JSON. Arguments: a dictionary, and a file with one record per line.
 */
import { readFileSync } from 'node:fs';
import zlib from 'node:zlib';
import { Dictionary, compress, decompress } from '../../lib/compression/index.ts';
import { interleaved } from '../measure.ts';
import { fifty } from './record-rows.ts';

type Call = (bytes: Buffer, options: { readonly dictionary: Buffer }) => Buffer;
interface Zlib {
  readonly zstdCompressSync: Call;
  readonly zstdDecompressSync: Call;
}

const { zstdCompressSync, zstdDecompressSync } = zlib as unknown as Zlib;
const bytes = readFileSync(process.argv[2]!);
const lines = readFileSync(process.argv[3]!, 'utf8').trimEnd().split('\n');
const records = lines.map((line) => Buffer.from(line));
const dictionary = Dictionary.from(bytes);

const frames = records.map((record) => compress(record, { dictionary }));
const theirs = records.map((record) => zstdCompressSync(record, { dictionary: bytes }));
const back = zstdDecompressSync(theirs[0]!, { dictionary: bytes });
if (!back.equals(records[0]!)) throw new Error('node:zlib took no dictionary');
const packing = await interleaved(
  fifty(records, (record) => compress(record, { dictionary })),
  fifty(records, (record) => zstdCompressSync(record, { dictionary: bytes })),
);
const unpacking = await interleaved(
  fifty(frames, (frame) => decompress(frame, { dictionary })),
  fifty(theirs, (frame) => zstdDecompressSync(frame, { dictionary: bytes })),
);
process.stdout.write(`${JSON.stringify({ packing, unpacking })}\n`);
