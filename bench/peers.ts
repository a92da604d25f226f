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

/** libzstd as a C program uses it (bench/peers/native/zstd_calls.cc). Results below 0 are errors. */
export interface ZstdCalls {
  compress(src: Uint8Array, dst: Uint8Array, level: number): number;
  decompress(src: Uint8Array, dst: Uint8Array): number;
  streamStart(level: number, windowLog: number): number;
  streamWrite(src: Uint8Array, dst: Uint8Array): number;
}

const built = fileURLToPath(new URL('../../bench/peers/native/build/Release', import.meta.url));

/** The current LTS of Node, whose zlib has zstd with dictionaries; from the packages of test/runtimes. */
export const ltsNode: string = fileURLToPath(
  new URL('../../test/runtimes/node_modules/node-24/bin/node', import.meta.url),
);

/** The allocator's calls, counted in a process that preloads this file. */
export const mallocCount: string = `${built}/malloc_count.node`;

/** Undefined when it did not build. */
export function zstdCalls(): ZstdCalls | undefined {
  const path = `${built}/zstd_calls.node`;
  return existsSync(path) ? (require(path) as ZstdCalls) : undefined;
}

/** `@mongodb-js/zstd`: asynchronous only, a level and nothing else. */
export interface MongodbZstd {
  readonly name: string;
  readonly compress: (bytes: Buffer, level?: number) => Promise<Buffer>;
  readonly decompress: (frame: Buffer) => Promise<Buffer>;
}

/** Version 7, its own C++ over our libzstd, and 1 as published; those that are here. */
export function mongodbZstd(): MongodbZstd[] {
  return ['7', '1'].flatMap((major) => {
    try {
      const { compress, decompress } = loadPeer(`mongodb-zstd-${major}`) as MongodbZstd;
      return [{ name: `@mongodb-js/zstd ${major}`, compress, decompress }];
    } catch {
      return [];
    }
  });
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
    loadDictionary(dictionary: Buffer): void;
    compress(bytes: Buffer): Buffer;
  };
  readonly Decompressor: new () => {
    loadDictionary(dictionary: Buffer): void;
    decompress(frame: Buffer): Buffer;
  };
}

/** zstd-napi with reused contexts, its fastest form; undefined when it did not build. */
export function zstdNapi(dictionary?: Buffer): ZstdPeer | undefined {
  if (!existsSync(builtZstdNapi)) return undefined;
  const { Compressor, Decompressor } = require('zstd-napi') as ZstdNapi;
  const compressor = new Compressor();
  compressor.setParameters({ compressionLevel: 3 });
  const decompressor = new Decompressor();
  if (dictionary) {
    compressor.loadDictionary(dictionary);
    decompressor.loadDictionary(dictionary);
  }
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
