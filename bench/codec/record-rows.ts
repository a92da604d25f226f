/**
 * Rows 1, 2 and 4: small records with a trained dictionary, against @mongodb-js/zstd, which has none, and zstd-napi,
 * which has. Records are new to the dictionary; a sample is fifty of them, one set after the other.
 */
import {
  compress,
  compressBatch,
  compressBound,
  compressInto,
  decompressInto,
} from '../../lib/compression/index.ts';
import type { Dictionary } from '../../lib/compression/index.ts';
import { interleaved } from '../measure.ts';
import { mongodbZstd, zstdNapi } from '../peers.ts';
import type { MongodbZstd } from '../peers.ts';
import type { Measurement, SuiteContext } from '../suite.ts';
import { bytesCase, speedCase } from './cases.ts';
import { allocationRows } from './process-rows.ts';
import { recordSets, trained } from './records.ts';
import type { RecordSet } from './records.ts';

/** Calls under way at once where the peer profits from it, and calls of one sample. */
const AT_ONCE = 50;

/** Sets of fifty records, round and round. */
export function inTurn(records: readonly Buffer[]): () => readonly Buffer[] {
  const sets = Array.from({ length: Math.floor(records.length / AT_ONCE) }, (_, i) =>
    records.slice(i * AT_ONCE, (i + 1) * AT_ONCE),
  );
  let next = 0;
  return () => sets[next++ % sets.length]!;
}

/** A sample that calls `each` on fifty records. */
export function fifty(records: readonly Buffer[], each: (bytes: Buffer) => unknown): () => void {
  const set = inTurn(records);
  return () => {
    for (const bytes of set()) each(bytes);
  };
}

const sum = (sizes: readonly number[]): number => sizes.reduce((total, size) => total + size, 0);

interface MongodbBars {
  readonly atOnce: number;
  readonly oneByOne?: number;
  readonly bytes: number;
}

/** Calls and bytes against one version of @mongodb-js/zstd, level 3. */
async function* againstMongodb(
  row: string,
  { name, records }: RecordSet,
  dictionary: Dictionary,
  peer: MongodbZstd,
  bars: MongodbBars,
): AsyncGenerator<Measurement> {
  const what = `${row} ${name}, dictionary: compress`;
  const ours = fifty(records, (bytes) => compress(bytes, { dictionary }));
  const set = inTurn(records);
  const atOnce = await interleaved(ours, () =>
    Promise.all(set().map((bytes) => peer.compress(bytes, 3))),
  );
  yield speedCase(
    `${what}, calls/s / ${peer.name}, ${AT_ONCE} in flight`,
    bars.atOnce,
    atOnce,
    AT_ONCE,
  );
  if (bars.oneByOne !== undefined) {
    const oneByOne = await interleaved(ours, async () => {
      for (const bytes of set()) await peer.compress(bytes, 3);
    });
    yield speedCase(
      `${what}, calls/s / ${peer.name}, one at a time`,
      bars.oneByOne,
      oneByOne,
      AT_ONCE,
    );
  }
  const mine = sum(records.map((bytes) => compress(bytes, { dictionary }).length));
  const theirs = await Promise.all(records.map((bytes) => peer.compress(bytes, 3)));
  const bytes = sum(theirs.map(({ length }) => length));
  yield bytesCase(`${what}, bytes / ${peer.name}`, bars.bytes, mine, bytes);
}

/** Row 2: one call for fifty records against fifty calls. */
async function batch({ name, records }: RecordSet, dictionary: Dictionary): Promise<Measurement> {
  const set = records.slice(0, AT_ONCE);
  const arena = Buffer.concat(set);
  const lengths = Uint32Array.from(set, ({ length }) => length);
  const timed = await interleaved(
    () => compressBatch(arena, lengths, { dictionary }),
    () => {
      for (const bytes of set) compress(bytes, { dictionary });
    },
  );
  const what = `2 ${name}, dictionary: compressBatch of ${AT_ONCE}, records/s / compress`;
  return speedCase(what, 1.5, timed, AT_ONCE);
}

/** Row 4: zstd-napi with the same dictionary and reused contexts. */
async function* againstNapi(
  { name, records }: RecordSet,
  dictionary: Dictionary,
): AsyncGenerator<Measurement> {
  const peer = zstdNapi(dictionary.copy());
  if (!peer) return;
  const what = `4 ${name}, dictionary:`;
  const options = { dictionary };
  const room = Buffer.alloc(compressBound(Math.max(...records.map(({ length }) => length))));
  const packing = await interleaved(
    fifty(records, (bytes) => compressInto(bytes, room, options)),
    fifty(records, (bytes) => peer.compress(bytes)),
  );
  yield speedCase(`${what} compressInto, calls/s / zstd-napi`, 1.1, packing, AT_ONCE);
  const frames = records.map((bytes) => compress(bytes, options));
  const theirs = records.map((bytes) => peer.compress(bytes));
  const unpacking = await interleaved(
    fifty(frames, (frame) => decompressInto(frame, room, options)),
    fifty(theirs, (frame) => peer.decompress(frame)),
  );
  yield speedCase(`${what} decompressInto, calls/s / zstd-napi`, 1.4, unpacking, AT_ONCE);
}

/** Rows 1, 2 and 4. */
export async function* recordRows({ log, wants }: SuiteContext): AsyncGenerator<Measurement> {
  if (!['1', '2', '4'].some(wants)) return;
  log('training dictionaries on aws-sdk operations');
  const { small, large } = recordSets();
  const [smallDictionary, largeDictionary] = [small, large].map(trained);
  for (const peer of mongodbZstd()) {
    if (wants('1')) {
      const bars = { atOnce: 3, oneByOne: 4.5, bytes: 0.65 };
      yield* againstMongodb('1', large, largeDictionary!, peer, bars);
    }
    if (wants('2')) {
      const bars = { atOnce: 6, bytes: 0.45 };
      yield* againstMongodb('2', small, smallDictionary!, peer, bars);
    }
  }
  if (wants('2')) yield await batch(small, smallDictionary!);
  if (!wants('4')) return;
  yield* allocationRows(log);
  yield* againstNapi(small, smallDictionary!);
  yield* againstNapi(large, largeDictionary!);
}
