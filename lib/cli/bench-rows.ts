/**
 * The rows of `dwcp bench`: what versions 2…N of the visitor's file cost under each way of sending
 * them, with the codec times measured here. A row that this tier cannot run says why.
 */
import { gunzipSync, gzipSync } from 'node:zlib';
import zlib from 'node:zlib';
import { Baseline, codecName, decodeFrame, encodeDelta, encodeFull } from '../compression/index.ts';
import { systemClock } from '../clock.ts';
import { native } from '../native/load.ts';

const windowLog = 27;
const windowBytes = 2 ** windowLog;
const zstdLevel = 3;
/** zstd.h: ZSTD_c_compressionLevel, windowLog, enableLongDistanceMatching; ZSTD_e_flush. */
const zstdParameters = { 100: zstdLevel, 101: windowLog, 160: 1 };
const zstdFlush = 1;

/** What one way of sending cost. */
export interface BenchRow {
  readonly name: string;
  /** Why there are no figures. */
  readonly unavailable?: string;
  /** Bytes of each version, the first included. */
  readonly bytes: readonly number[];
  /** Mean time to encode and decode one of the versions 2…N, ms. */
  readonly encodeMs: number;
  readonly decodeMs: number;
}

interface ZstdStream extends NodeJS.ReadWriteStream {
  flush(kind: number, done: () => void): void;
}

/** `node:zlib` as it is from Node 22.15 on; the floor does not have the stream. */
interface ZstdZlib {
  readonly gzipSync: unknown;
  readonly createZstdCompress?: (options: object) => ZstdStream;
}

const zstdZlib: ZstdZlib = zlib;

interface Timed<T> {
  readonly value: T;
  readonly ms: number;
}

async function timed<T>(work: () => T | Promise<T>): Promise<Timed<T>> {
  const start = systemClock.monotonic();
  const value = await work();
  return { value, ms: systemClock.monotonic() - start };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

function missing(name: string, unavailable: string): BenchRow {
  return { name, unavailable, bytes: [], encodeMs: 0, decodeMs: 0 };
}

async function perValue(
  name: string,
  versions: readonly Buffer[],
  encode: (value: Buffer, index: number) => Buffer | Promise<Buffer>,
  decode: (coded: Buffer, index: number) => Buffer | Promise<Buffer>,
): Promise<BenchRow> {
  const bytes: number[] = [];
  const encodeMs: number[] = [];
  const decodeMs: number[] = [];
  for (const [index, value] of versions.entries()) {
    const coded = await timed(() => encode(value, index));
    const back = await timed(() => decode(coded.value, index));
    if (!back.value.equals(value))
      throw new Error(`${name} did not give version ${index + 1} back`);
    bytes.push(coded.value.length);
    encodeMs.push(coded.ms);
    decodeMs.push(back.ms);
  }
  const [encoding, decoding] = [mean(encodeMs.slice(1)), mean(decodeMs.slice(1))];
  return { name, bytes, encodeMs: encoding, decodeMs: decoding };
}

function zstdRow(versions: readonly Buffer[]): Promise<BenchRow> | BenchRow {
  const name = `zstd -${zstdLevel} per value`;
  if (!native.codec.abilities.zstd) {
    return missing(name, `no zstd on the ${native.tier} tier of Node ${process.versions.node}`);
  }
  return perValue(
    name,
    versions,
    (value) => native.codec.zstdCompress(value, { level: zstdLevel }),
    (coded, index) =>
      native.codec.zstdDecompress(coded, {
        sizeBytes: versions[index]!.length,
        maxWindowLog: windowLog,
      }),
  );
}

/** One stream over all versions, flushed after each: what a long-lived compressed link would carry. */
async function streamRow(versions: readonly Buffer[]): Promise<BenchRow> {
  const name = 'zstd -3, one 128 MB-window stream';
  const { createZstdCompress } = zstdZlib;
  if (createZstdCompress === undefined) return historyRow(name, versions);
  const stream = createZstdCompress({ params: zstdParameters });
  let sizeBytes = 0;
  stream.on('data', (part: Buffer) => (sizeBytes += part.length));
  const bytes: number[] = [];
  const encodeMs: number[] = [];
  for (const value of versions) {
    const before = sizeBytes;
    const { ms } = await timed(
      () =>
        new Promise<void>((resolve, reject) => {
          stream.once('error', reject);
          stream.write(value);
          stream.flush(zstdFlush, () => {
            stream.removeListener('error', reject);
            setImmediate(resolve);
          });
        }),
    );
    bytes.push(sizeBytes - before);
    encodeMs.push(ms);
  }
  stream.end();
  return { name, bytes, encodeMs: mean(encodeMs.slice(1)), decodeMs: Number.NaN };
}

/** The same through the addon: each version against all earlier ones as its prefix. */
async function historyRow(name: string, versions: readonly Buffer[]): Promise<BenchRow> {
  if (!native.codec.abilities.prefixEncode) {
    return missing(name, 'needs the addon, or a Node with zstd in node:zlib');
  }
  const codec = native.codec;
  const prefixes = versions.map((_, index) => {
    const history = Buffer.concat(versions.slice(0, index));
    return index === 0 ? undefined : history.subarray(Math.max(0, history.length - windowBytes));
  });
  return perValue(
    `${name} (each against all earlier)`,
    versions,
    (value, index) => codec.zstdCompress(value, { level: zstdLevel, prefix: prefixes[index] }),
    (coded, index) =>
      codec.zstdDecompress(coded, {
        sizeBytes: versions[index]!.length,
        maxWindowLog: windowLog,
        prefix: prefixes[index],
      }),
  );
}

async function dwcpRow(versions: readonly Buffer[]): Promise<BenchRow> {
  const bases: Baseline[] = [];
  let codec = '';
  const row = await perValue(
    'dwcp',
    versions,
    async (value, index) => {
      const base = bases[index - 1];
      const encoded = base ? await encodeDelta(base, value) : await encodeFull(value);
      codec = codecName(encoded.codec);
      // A running node knows the digest of what it holds.
      bases.push(Baseline.of(value, encoded.digest));
      return encoded.frame;
    },
    async (coded, index) => (await decodeFrame(coded, {}, bases[index - 1])).bytes,
  );
  return {
    ...row,
    name: `dwcp (${codec === 'prefix' || codec === 'chunk' ? `${codec} delta` : codec})`,
  };
}

/** Runs every row over the versions, one after another; `progress` names the row at work. */
export async function benchRows(
  versions: readonly Buffer[],
  progress: (name: string) => void,
): Promise<BenchRow[]> {
  const rows: [string, () => Promise<BenchRow> | BenchRow][] = [
    [
      'raw',
      () => ({ name: 'raw', bytes: versions.map((v) => v.length), encodeMs: 0, decodeMs: 0 }),
    ],
    [
      'gzip',
      () =>
        perValue(
          'gzip -6 per value',
          versions,
          (v) => gzipSync(v),
          (c) => gunzipSync(c),
        ),
    ],
    ['zstd', () => zstdRow(versions)],
    ['zstd stream', () => streamRow(versions)],
    ['dwcp', () => dwcpRow(versions)],
  ];
  const done: BenchRow[] = [];
  for (const [name, run] of rows) {
    progress(name);
    done.push(await run());
  }
  return done;
}
