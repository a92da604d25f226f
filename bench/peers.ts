/** Loads peers from bench/peers, typed as far as the suites use them. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import zlib from 'node:zlib';

const require = createRequire(new URL('../../bench/peers/package.json', import.meta.url));

/** A package of bench/peers, by its name there. */
export function loadPeer(name: string): unknown {
  return require(name);
}

const builtZstdNapi = fileURLToPath(
  new URL('../../bench/peers/node_modules/zstd-napi/build/Release/binding.node', import.meta.url),
);

/** A synchronous zstd at level 3. */
export interface ZstdPeer {
  readonly name: string;
  compress(bytes: Buffer): Buffer;
  decompress(frame: Buffer): Buffer;
}

interface ZstdNapi {
  readonly Compressor: new () => {
    setParameters(parameters: { compressionLevel: number }): void;
    compress(bytes: Buffer): Buffer;
  };
  readonly Decompressor: new () => { decompress(frame: Buffer): Buffer };
}

/** zstd-napi with reused contexts, its fastest form; undefined when it did not build. */
export function zstdNapi(): ZstdPeer | undefined {
  if (!existsSync(builtZstdNapi)) return undefined;
  const { Compressor, Decompressor } = require('zstd-napi') as ZstdNapi;
  const compressor = new Compressor();
  compressor.setParameters({ compressionLevel: 3 });
  const decompressor = new Decompressor();
  return {
    name: 'zstd-napi',
    compress: (bytes) => compressor.compress(bytes),
    decompress: (frame) => decompressor.decompress(frame),
  };
}

interface ZlibZstd {
  readonly zstdCompressSync?: (bytes: Buffer) => Buffer;
  readonly zstdDecompressSync?: (frame: Buffer) => Buffer;
}

/** Node's own zstd, where this Node has it. */
export function nodeZstd(): ZstdPeer | undefined {
  const { zstdCompressSync, zstdDecompressSync } = zlib as ZlibZstd;
  if (!zstdCompressSync || !zstdDecompressSync) return undefined;
  return { name: 'node:zlib', compress: zstdCompressSync, decompress: zstdDecompressSync };
}
