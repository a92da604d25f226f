/**
 * zstd of `node:zlib`, typed for Nodes that have it and absent on those that do not. What it can do is
 * found by doing: a version says nothing about a build.
 */
import zlib from 'node:zlib';

interface ZstdZlibOptions {
  readonly params?: Readonly<Record<number, number>>;
  readonly dictionary?: Uint8Array;
  readonly maxOutputLength?: number;
  readonly pledgedSrcSize?: number;
}

type Callback = (error: Error | null, result: Buffer) => void;

/** The zstd functions of `node:zlib`. */
export interface NodeZstd {
  zstdCompressSync(bytes: Uint8Array, options: ZstdZlibOptions): Buffer;
  zstdDecompressSync(bytes: Uint8Array, options: ZstdZlibOptions): Buffer;
  zstdCompress(bytes: Uint8Array, options: ZstdZlibOptions, done: Callback): void;
  zstdDecompress(bytes: Uint8Array, options: ZstdZlibOptions, done: Callback): void;
}

/** zstd's own numbers of its parameters (zstd.h). */
export const zstdParameter = {
  compressionLevel: 100,
  contentSizeFlag: 200,
  checksumFlag: 201,
  dictIDFlag: 202,
  windowLogMax: 100,
};

const SAMPLE = Buffer.from('dwcp probes by doing, dwcp probes by doing');
const SAMPLE_PREFIX = Buffer.from('0123456789 the quick brown fox jumps over the lazy dog 9876543210');
const SAMPLE_TARGET = Buffer.from('the quick brown fox jumps over the lazy dog, twice');
/** `SAMPLE_TARGET` compressed by libzstd 1.5.7 with `SAMPLE_PREFIX` as its prefix. */
const SAMPLE_DELTA = Buffer.from('28b52ffd2032750000382c207477696365010064530101', 'hex');

/** The functions and what they proved to do here. */
export interface NodeZstdProbe {
  readonly zstd: NodeZstd | undefined;
  readonly prefixDecode: boolean;
  readonly dictionaryEncode: boolean;
}

const NOTHING: NodeZstdProbe = { zstd: undefined, prefixDecode: false, dictionaryEncode: false };

function hasZstd(module: object): module is NodeZstd {
  return 'zstdCompressSync' in module && 'zstdDecompressSync' in module;
}

function succeeds(attempt: () => boolean): boolean {
  try {
    return attempt();
  } catch {
    return false;
  }
}

/** Tries `node:zlib`'s zstd on small vectors. */
export function probeNodeZstd(): NodeZstdProbe {
  const zstd: object = zlib;
  if (!hasZstd(zstd)) return NOTHING;
  const works = succeeds(() => {
    const packed = zstd.zstdCompressSync(SAMPLE, { pledgedSrcSize: SAMPLE.length });
    return zstd.zstdDecompressSync(packed, {}).equals(SAMPLE);
  });
  if (!works) return NOTHING;
  const prefixDecode = succeeds(() =>
    zstd.zstdDecompressSync(SAMPLE_DELTA, { dictionary: SAMPLE_PREFIX }).equals(SAMPLE_TARGET),
  );
  const dictionaryEncode = succeeds(() => {
    const dictionary = SAMPLE_PREFIX;
    const packed = zstd.zstdCompressSync(SAMPLE_TARGET, { dictionary });
    const plain = zstd.zstdCompressSync(SAMPLE_TARGET, {});
    const same = zstd.zstdDecompressSync(packed, { dictionary });
    return packed.length < plain.length && same.equals(SAMPLE_TARGET);
  });
  return { zstd, prefixDecode, dictionaryEncode };
}
