/**
 * What C++ offers to TypeScript, typed exactly. Two implementations: the addon and `portable.ts`.
 * Rules of the seam: callers validate first; the binding re-checks types and bounds; scalars are
 * coerced before buffer pointers are taken; no JavaScript runs while native code holds a pointer.
 */

import type { IoBinding } from './io-contract.ts';

/** Which implementation answers. */
export type NativeTier = 'addon' | 'portable';

/**
 * Work the codec binding does in compiled code on this tier and Node version: what `Hello` announces and
 * what is chosen for new frames. What one tier wrote every tier reads: zstd frames of both sorts and
 * XXH3-128 are decoded and verified everywhere, in TypeScript where nothing faster is there.
 */
export interface CodecAbilities {
  /** Makes plain zstd frames, and reads them fast. */
  readonly zstd: boolean;
  /** Can make zstd frames against a prefix. */
  readonly prefixEncode: boolean;
  /** Reads zstd frames made against a prefix fast. */
  readonly prefixDecode: boolean;
  /** Makes zstd frames with a dictionary. */
  readonly dictionaryEncode: boolean;
  /** Reads them fast. */
  readonly dictionaryDecode: boolean;
  /** Computes XXH3-128 at the speed of memory, off the event loop when asked to. */
  readonly fastXxh3: boolean;
  /** Can make and index for deltas of the engine. */
  readonly deltaEncode: boolean;
  /** Reads them fast; every tier reads them. */
  readonly deltaDecode: boolean;
}

/**
 * A zstd dictionary, digested. Collected with its object, or released before; calls in flight keep it.
 * The addon holds a copy of its bytes in native memory and one digested form per level used.
 */
export interface ZstdDictionary {
  /** What frames made with it carry; never 0. */
  readonly id: number;
  /** Memory held; 0 once released, bytes. */
  readonly sizeBytes: number;
  /** Gives the memory back; calls in flight finish first, later ones throw ERR_DWCP_CLOSED. */
  release(): void;
}

/** Parameters of one zstd compression. */
export interface ZstdCompressOptions {
  /** zstd level, -50 to 19. */
  readonly level: number;
  /** Raw prefix the frame may refer to; long-distance matching is then on. */
  readonly prefix?: Uint8Array | undefined;
  /** A dictionary of this binding, in place of a prefix; its id is left out of the zstd frame. */
  readonly dictionary?: ZstdDictionary | undefined;
}

/** Parameters of one zstd decompression; every one is a limit that is checked before allocation. */
export interface ZstdDecompressOptions {
  /** Exact decoded size, already checked against the caller's limits, bytes. */
  readonly sizeBytes: number;
  /** Largest window accepted, log2 bytes. */
  readonly maxWindowLog: number;
  /** The prefix the frame was made against. */
  readonly prefix?: Uint8Array | undefined;
  /** The dictionary the frame was made with. */
  readonly dictionary?: ZstdDictionary | undefined;
}

/** Parameters of making a zstd frame for other programs. */
export interface ZstdExportOptions {
  /** zstd level, -50 to 19. */
  readonly level: number;
  /** Whether the frame ends in a checksum of the content. */
  readonly checksum: boolean;
  /** A dictionary of this binding; the frame names it when it was trained. */
  readonly dictionary?: ZstdDictionary | undefined;
}

/** Limits of reading zstd frames of other programs. */
export interface ZstdImportOptions {
  /** Largest size of all content together, bytes. */
  readonly maxOutputBytes: number;
  /** Largest window accepted, log2 bytes. */
  readonly maxWindowLog: number;
  /** The dictionary frames were made with. */
  readonly dictionary?: ZstdDictionary | undefined;
}

/** Parameters of training a dictionary. */
export interface TrainingOptions {
  /** Largest size of the dictionary, 1 KiB to 1 MiB. */
  readonly sizeBytes: number;
  /** zstd level that records will be compressed at. */
  readonly level: number;
}

/** What training gave. */
export interface DictionaryTraining {
  /** Undefined when none makes the records held out from training smaller. */
  readonly dictionary: Buffer | undefined;
  /** Size of those records compressed with it, bytes. */
  readonly heldOutBytes: number;
  /** Size of them compressed without, bytes. */
  readonly heldOutPlainBytes: number;
}

/** Speed against size of a delta: 0 fast, 1 balanced, 2 max. */
export type DeltaEffort = 0 | 1 | 2;

/** Parameters of making one delta. */
export interface DeltaEncodeOptions {
  readonly effort: DeltaEffort;
  /** Give up when more than this stays unmatched, bytes. */
  readonly maxLiteralBytes: number;
}

/** Parameters of reading one delta; every one is a limit that is checked before allocation. */
export interface DeltaDecodeOptions {
  /** Exact decoded size, already checked against the caller's limits, bytes. */
  readonly sizeBytes: number;
  /** Largest zstd window accepted, log2 bytes. */
  readonly maxWindowLog: number;
  /** Most operations accepted. */
  readonly maxOps: number;
  /** XXH3-128 of the content, 16 bytes, when it is to be verified: ERR_DWCP_FRAME_CHECKSUM if it differs. */
  readonly xxh3?: Uint8Array | undefined;
}

/** A base known by the hashes of its blocks alone, which may be forged. */
export interface BlockMatchOptions {
  /** What `blockHashes` gave for the base. */
  readonly hashes: Uint8Array;
  /** Block size the hashes were made with. */
  readonly blockBytes: number;
  /** Size of the base, bytes. */
  readonly baseBytes: number;
}

/** The match index of one delta base, in native memory. Collected with its object, or released before. */
export interface DeltaIndex {
  /** Native memory held; 0 once released, bytes. */
  readonly sizeBytes: number;
  /** Gives the memory back; calls in flight finish first, later ones throw ERR_DWCP_CLOSED. */
  release(): void;
}

/** Records end to end in one arena, and where to put what becomes of them. */
export interface RecordBatch {
  readonly arena: Uint8Array;
  /** Size of each record in the arena, bytes; what lies behind the last is ignored. */
  readonly lengths: Uint32Array;
  readonly target: Uint8Array;
  /** Size of each result in the target; at least as many as there are records. */
  readonly targetLengths: Uint32Array;
}

/**
 * Records of up to 64 KiB in the short form of the codec frame (`record-frame.ts`), straight into the
 * caller's memory; inputs and targets share none. Calls return the bytes written and allocate nothing on
 * the addon. `dictionary` is what is written with, or what a frame may name. Errors are those of frames,
 * ERR_DWCP_OUTPUT_LIMIT when a result does not fit (the target of a single record is then as it was) and
 * ERR_DWCP_DICTIONARY_MISMATCH; those of a batch carry the index of the record in `detail.record`.
 */
export interface RecordBinding {
  /** Writes from `at` on, by default the front. */
  encode(
    content: Uint8Array,
    target: Uint8Array,
    level: number,
    checked: boolean,
    dictionary: ZstdDictionary | undefined,
    at?: number,
  ): number;
  encodeAsync(
    content: Uint8Array,
    target: Uint8Array,
    level: number,
    checked: boolean,
    dictionary: ZstdDictionary | undefined,
  ): Promise<number>;
  decode(
    frame: Uint8Array,
    target: Uint8Array,
    maxOutputBytes: number,
    dictionary: ZstdDictionary | undefined,
  ): number;
  encodeBatch(
    batch: RecordBatch,
    level: number,
    checked: boolean,
    dictionary: ZstdDictionary | undefined,
  ): number;
  encodeBatchAsync(
    batch: RecordBatch,
    level: number,
    checked: boolean,
    dictionary: ZstdDictionary | undefined,
  ): Promise<number>;
  /** `maxOutputBytes` bounds the records together. */
  decodeBatch(
    batch: RecordBatch,
    maxOutputBytes: number,
    dictionaries: readonly ZstdDictionary[],
  ): number;
  decodeBatchAsync(
    batch: RecordBatch,
    maxOutputBytes: number,
    dictionaries: readonly ZstdDictionary[],
  ): Promise<number>;
  /** Decoded size that frames claim together, held against the limit. */
  batchContentBytes(arena: Uint8Array, lengths: Uint32Array, maxOutputBytes: number): number;
}

/**
 * The codec part of the addon. Inputs are borrowed until the call returns or the promise settles and
 * must not be changed meanwhile; outputs belong to the caller. Errors are `DwcpError`s:
 * ERR_DWCP_CODEC, ERR_DWCP_OUTPUT_LIMIT, ERR_DWCP_WINDOW_LIMIT, ERR_DWCP_INVALID_ARG, and
 * ERR_DWCP_FRAME_CODEC for what {@link CodecAbilities} rules out.
 */
export interface CodecBinding {
  readonly abilities: CodecAbilities;
  /** CRC-32C (Castagnoli, RFC 3720) of `bytes`, continuing from `seed`. */
  crc32c(bytes: Uint8Array, seed?: number): number;
  /** 16-byte XXH3-128, big-endian canonical form. */
  xxh3(bytes: Uint8Array): Buffer;
  xxh3Async(bytes: Uint8Array): Promise<Buffer>;
  zstdCompress(bytes: Uint8Array, options: ZstdCompressOptions): Buffer;
  zstdCompressAsync(bytes: Uint8Array, options: ZstdCompressOptions): Promise<Buffer>;
  zstdDecompress(bytes: Uint8Array, options: ZstdDecompressOptions): Buffer;
  zstdDecompressAsync(bytes: Uint8Array, options: ZstdDecompressOptions): Promise<Buffer>;
  /**
   * As the forms above into the front of `target`, which shares no memory with `bytes`; the size is
   * returned. ERR_DWCP_OUTPUT_LIMIT when it does not fit. After a failure what is in `target` is undefined.
   */
  zstdCompressInto(bytes: Uint8Array, target: Uint8Array, options: ZstdCompressOptions): number;
  zstdCompressIntoAsync(
    bytes: Uint8Array,
    target: Uint8Array,
    options: ZstdCompressOptions,
  ): Promise<number>;
  zstdDecompressInto(bytes: Uint8Array, target: Uint8Array, options: ZstdDecompressOptions): number;
  zstdDecompressIntoAsync(
    bytes: Uint8Array,
    target: Uint8Array,
    options: ZstdDecompressOptions,
  ): Promise<number>;
  readonly records: RecordBinding;
  /**
   * A dictionary of a copy of `bytes`: trained by zstd, or raw content. `id` names it, not 0.
   * @throws ERR_DWCP_DICTIONARY_INVALID when the bytes are no usable dictionary
   */
  zstdDictionary(bytes: Uint8Array, id: number): ZstdDictionary;
  /** A frame that any zstd reads. */
  zstdExport(bytes: Uint8Array, options: ZstdExportOptions): Buffer;
  zstdExportAsync(bytes: Uint8Array, options: ZstdExportOptions): Promise<Buffer>;
  /**
   * The content of one or more frames of any zstd, with or without sizes, checksums, dictionary ids and
   * skippable frames. Memory grows with real output.
   * @throws ERR_DWCP_DICTIONARY_MISMATCH, ERR_DWCP_FRAME_CHECKSUM besides the codes of this interface
   */
  zstdImport(bytes: Uint8Array, options: ZstdImportOptions): Buffer;
  zstdImportAsync(bytes: Uint8Array, options: ZstdImportOptions): Promise<Buffer>;
  /**
   * Trains a dictionary on a copy of `samples`, evenly thinned where they are more than this tier looks
   * at. The same samples give the same dictionary. The addon makes one with entropy tables, the portable
   * tier raw content.
   */
  dictionaryTrain(samples: readonly Uint8Array[], options: TrainingOptions): DictionaryTraining;
  dictionaryTrainAsync(
    samples: readonly Uint8Array[],
    options: TrainingOptions,
  ): Promise<DictionaryTraining>;
  /** Indexes `base` for any number of deltas; `base` is not kept. */
  deltaIndex(base: Uint8Array): DeltaIndex;
  deltaIndexAsync(base: Uint8Array): Promise<DeltaIndex>;
  /** A delta of `next` against `base`, whose index `index` is; undefined when too little matches. */
  deltaEncode(
    index: DeltaIndex,
    base: Uint8Array,
    next: Uint8Array,
    options: DeltaEncodeOptions,
  ): Buffer | undefined;
  deltaEncodeAsync(
    index: DeltaIndex,
    base: Uint8Array,
    next: Uint8Array,
    options: DeltaEncodeOptions,
  ): Promise<Buffer | undefined>;
  /**
   * What the delta was made of; also throws ERR_DWCP_LIMIT and ERR_DWCP_FRAME_VERSION. Verified here by
   * `xxh3`, content costs less than when it is read again for that.
   */
  deltaDecode(delta: Uint8Array, base: Uint8Array, options: DeltaDecodeOptions): Buffer;
  deltaDecodeAsync(
    delta: Uint8Array,
    base: Uint8Array,
    options: DeltaDecodeOptions,
  ): Promise<Buffer>;
  /** Hashes of the blocks of `bytes`, 8 bytes each; `blockBytes` is a power of two from 64 to 65,536. */
  blockHashes(bytes: Uint8Array, blockBytes: number): Buffer;
  blockHashesAsync(bytes: Uint8Array, blockBytes: number): Promise<Buffer>;
  /**
   * What of `content` lies in a base: literal bytes, copied bytes and base offset, three 32-bit numbers of
   * this machine's order per operation. Bytes behind the last copy have none.
   */
  blockMatch(content: Uint8Array, base: BlockMatchOptions): Buffer;
  blockMatchAsync(content: Uint8Array, base: BlockMatchOptions): Promise<Buffer>;
}

/** One attempt to load the addon and how it ended. */
export interface LoadAttempt {
  readonly path: string;
  readonly error: string;
}

/** Which tier runs and why. */
export interface NativeStatus {
  readonly tier: NativeTier;
  /** One sentence a person can act on. */
  readonly reason: string;
  readonly attempts: readonly LoadAttempt[];
  /** zstd version in use, or undefined where there is none. */
  readonly zstdVersion: string | undefined;
}

/** Everything behind `#native`. */
export interface NativeBinding {
  readonly tier: NativeTier;
  readonly codec: CodecBinding;
  /** The I/O engine; undefined where there is none. */
  readonly io: IoBinding | undefined;
  /**
   * Makes the pages of fresh memory from `fromBytes` to `toBytes` on a pool thread, large ones where the kernel
   * has them, and returns at once. Their content stays, whoever writes meanwhile. Ranges end to end leave none out; what
   * is no whole large page of 2 MiB, or cannot be made ahead here, is made by the first write as ever.
   */
  makePages(bytes: Uint8Array, fromBytes: number, toBytes: number): void;
  /** Memory the addon holds for contexts, pools and match indexes, bytes. */
  memoryBytes(): number;
}

/** What a module behind the `#native` import exports. */
export interface NativeModule {
  readonly native: NativeBinding;
  readonly status: NativeStatus;
}
