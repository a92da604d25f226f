/**
 * Records on the portable tier. A record's payload is the inside of the only block of a zstd frame, so that
 * `node:zlib`, or the decoder in TypeScript, can work on the frame around it. Where this Node makes no
 * zstd, records are written as they are.
 */
import { DwcpError, invalidArg, isDwcpError } from '../errors.ts';
import { checkApart, checkBytes } from './arguments.ts';
import { recordError } from './addon-error.ts';
import type { CodecBinding, RecordBatch, RecordBinding, ZstdDictionary } from './contract.ts';
import {
  MAX_RECORD_BYTES,
  MAX_RECORD_HEADER_BYTES,
  readRecordHeader,
  writeRecordHeader,
} from './record-frame.ts';
import type { ReadRecordHeader, RecordHeader } from './record-frame.ts';

const MAX_WINDOW_LOG = 27;
/** zstd's magic, and a descriptor for one segment whose size takes four bytes (RFC 8878, 3.1.1). */
const FRAME_START = Buffer.from('28b52ffda0', 'hex');
const BLOCK_AT = FRAME_START.length + 4;
const BLOCK_HEADER_BYTES = 3;
/** A last block, compressed: the low three bits of its header. */
const LAST_COMPRESSED = 0b101;
/** Without a dictionary less than this does not get smaller, bytes. */
const RAW_BELOW_BYTES = 32;

/** {@link RecordBinding} over a portable codec. */
export class PortableRecords implements RecordBinding {
  readonly #codec: CodecBinding;

  constructor(codec: CodecBinding) {
    this.#codec = codec;
  }

  encode(
    content: Uint8Array,
    whole: Uint8Array,
    level: number,
    checked: boolean,
    dictionary: ZstdDictionary | undefined,
    at = 0,
  ): number {
    checkBytes('target', whole);
    const target = whole.subarray(at);
    checkPair(content, target);
    const contentBytes = content.length;
    if (contentBytes > MAX_RECORD_BYTES) {
      invalidArg('content', `at most ${MAX_RECORD_BYTES} bytes`, contentBytes);
    }
    const checksum = checked ? this.#codec.crc32c(content) : undefined;
    const block = this.#block(content, level, dictionary);
    const header: RecordHeader = block
      ? { coded: true, contentBytes, dictionaryId: dictionary?.id, checksum }
      : { coded: false, contentBytes, dictionaryId: undefined, checksum };
    const payload = block ?? content;
    const front = new Uint8Array(MAX_RECORD_HEADER_BYTES);
    const headerBytes = writeRecordHeader(front, header);
    if (headerBytes + payload.length > target.length) {
      throw new DwcpError('ERR_DWCP_OUTPUT_LIMIT', 'The frame does not fit into the target.');
    }
    target.set(front.subarray(0, headerBytes));
    target.set(payload, headerBytes);
    return headerBytes + payload.length;
  }

  async encodeAsync(...request: Parameters<RecordBinding['encode']>): Promise<number> {
    return this.encode(...request);
  }

  decode(
    frame: Uint8Array,
    target: Uint8Array,
    maxOutputBytes: number,
    dictionary: ZstdDictionary | undefined,
  ): number {
    checkPair(frame, target);
    const header = readRecordHeader(frame);
    const { coded, contentBytes, dictionaryId, checksum, headerBytes } = header;
    checkSize(frame, header, maxOutputBytes);
    if (contentBytes > target.length) {
      throw new DwcpError('ERR_DWCP_OUTPUT_LIMIT', 'The content does not fit into the target.');
    }
    if (dictionaryId !== undefined && dictionaryId !== dictionary?.id) {
      throw new DwcpError('ERR_DWCP_DICTIONARY_MISMATCH');
    }
    const payload = frame.subarray(headerBytes);
    const named = dictionaryId === undefined ? undefined : dictionary;
    const content = coded ? this.#content(payload, contentBytes, named) : payload;
    if (checksum !== undefined && this.#codec.crc32c(content) !== checksum) {
      throw new DwcpError('ERR_DWCP_FRAME_CHECKSUM', 'The content does not match its checksum.');
    }
    target.set(content);
    return contentBytes;
  }

  encodeBatch(
    batch: RecordBatch,
    level: number,
    checked: boolean,
    dictionary: ZstdDictionary | undefined,
  ): number {
    return each(batch, (record, target) =>
      this.encode(record, target, level, checked, dictionary),
    );
  }

  async encodeBatchAsync(...request: Parameters<RecordBinding['encodeBatch']>): Promise<number> {
    return this.encodeBatch(...request);
  }

  decodeBatch(
    batch: RecordBatch,
    maxOutputBytes: number,
    dictionaries: readonly ZstdDictionary[],
  ): number {
    return each(batch, (frame, target, done) => {
      const { dictionaryId } = readRecordHeader(frame);
      const dictionary = dictionaries.find(({ id }) => id === dictionaryId);
      return this.decode(frame, target, maxOutputBytes - done, dictionary);
    });
  }

  async decodeBatchAsync(...request: Parameters<RecordBinding['decodeBatch']>): Promise<number> {
    return this.decodeBatch(...request);
  }

  batchContentBytes(arena: Uint8Array, lengths: Uint32Array, maxOutputBytes: number): number {
    checkBytes('arena', arena);
    let total = 0;
    eachRecord(arena, lengths, (frame) => {
      const header = readRecordHeader(frame);
      checkSize(frame, header, maxOutputBytes - total);
      total += header.contentBytes;
    });
    return total;
  }

  /** The inside of the only block of a zstd frame of `content`; undefined when it is no smaller. */
  #block(
    content: Uint8Array,
    level: number,
    dictionary: ZstdDictionary | undefined,
  ): Uint8Array | undefined {
    const { zstd } = this.#codec.abilities;
    if (dictionary === undefined && (!zstd || content.length < RAW_BELOW_BYTES)) return undefined;
    if (content.length === 0) return undefined;
    const block = onlyBlock(this.#codec.zstdCompress(content, { level, dictionary }));
    return block && block.length < content.length ? block : undefined;
  }

  #content(
    payload: Uint8Array,
    sizeBytes: number,
    dictionary: ZstdDictionary | undefined,
  ): Uint8Array {
    const frame = Buffer.allocUnsafe(BLOCK_AT + BLOCK_HEADER_BYTES + payload.length);
    FRAME_START.copy(frame);
    frame.writeUInt32LE(sizeBytes, FRAME_START.length);
    frame.writeUIntLE((payload.length << 3) | LAST_COMPRESSED, BLOCK_AT, BLOCK_HEADER_BYTES);
    frame.set(payload, BLOCK_AT + BLOCK_HEADER_BYTES);
    try {
      const options = { sizeBytes, maxWindowLog: MAX_WINDOW_LOG, dictionary };
      return this.#codec.zstdDecompress(frame, options);
    } catch (cause) {
      if (!isDwcpError(cause) || isDwcpError(cause, 'ERR_DWCP_FRAME_CODEC')) throw cause;
      const damaged = 'record frame: the payload is damaged';
      throw new DwcpError('ERR_DWCP_FRAME_CORRUPT', damaged, { cause });
    }
  }
}

/** The inside of the block of `frame`, a zstd frame of this process, unless there are several. */
function onlyBlock(frame: Buffer): Uint8Array | undefined {
  const descriptor = frame[4]!;
  const oneSegment = (descriptor >> 5) & 1;
  const sizeBytes = [oneSegment, 2, 4, 8][descriptor >> 6]!;
  const idBytes = [0, 1, 2, 4][descriptor & 3]!;
  const at = 5 + (1 - oneSegment) + idBytes + sizeBytes;
  const block = frame.readUIntLE(at, BLOCK_HEADER_BYTES);
  const whole = at + BLOCK_HEADER_BYTES + (block >> 3) === frame.length;
  if ((block & 7) !== LAST_COMPRESSED || !whole) return undefined;
  return frame.subarray(at + BLOCK_HEADER_BYTES);
}

function checkPair(input: Uint8Array, target: Uint8Array): void {
  checkBytes('bytes', input);
  checkBytes('target', target);
  checkApart('target', target, input);
}

function checkSize(frame: Uint8Array, header: ReadRecordHeader, maxOutputBytes: number): void {
  const { coded, contentBytes, headerBytes } = header;
  if (contentBytes > maxOutputBytes) {
    throw new DwcpError('ERR_DWCP_OUTPUT_LIMIT', 'The decoded size is above maxOutputBytes.');
  }
  if (coded || frame.length - headerBytes === contentBytes) return;
  throw new DwcpError('ERR_DWCP_FRAME_CORRUPT', 'record frame: raw sizes differ');
}

type PerRecord = (record: Uint8Array, target: Uint8Array, done: number) => number;

function each({ arena, lengths, target, targetLengths }: RecordBatch, run: PerRecord): number {
  checkPair(arena, target);
  checkLengths('targetLengths', targetLengths);
  let done = 0;
  eachRecord(arena, lengths, (record, index) => {
    if (index >= targetLengths.length) {
      invalidArg('targetLengths', 'a length for each record', targetLengths.length);
    }
    const size = run(record, target.subarray(done), done);
    targetLengths[index] = size;
    done += size;
  });
  return done;
}

function eachRecord(
  arena: Uint8Array,
  lengths: Uint32Array,
  run: (record: Uint8Array, index: number) => void,
): void {
  checkLengths('lengths', lengths);
  let at = 0;
  for (const [index, length] of lengths.entries()) {
    try {
      if (length > arena.length - at) invalidArg('lengths', 'within the arena', length);
      run(arena.subarray(at, at + length), index);
    } catch (error) {
      throw isDwcpError(error) ? recordError(error.code, error.message, index) : error;
    }
    at += length;
  }
}

function checkLengths(path: string, lengths: unknown): void {
  if (!(lengths instanceof Uint32Array)) invalidArg(path, 'a Uint32Array', lengths);
}
