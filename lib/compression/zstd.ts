/**
 * Plain zstd frames (RFC 8878), for exchange with other programs: `zstd` on a command line, browsers, databases.
 * They carry no dwcp header; whoever reads them must know what they are.
 */
import { throwIfAborted, untilAborted } from '../abort.ts';
import { DwcpError, invalidArg } from '../errors.ts';
import { resolveLimits } from '../limits.ts';
import type { CodecLimits } from '../limits.ts';
import type {
  CodecBinding,
  NativeBinding,
  ZstdExportOptions,
  ZstdImportOptions,
} from '../native/contract.ts';
import { dictionaryOn } from './dictionary.ts';
import type { Dictionary, DictionaryChoice } from './dictionary.ts';
import { inputBuffer } from './payload.ts';
import { bindingOf } from './tier.ts';
import { DEFAULT_LEVEL } from './types.ts';

/** Options of {@link exportZstd}. */
export interface ExportOptions {
  /** zstd level, -50 to 19. Default 3. */
  readonly level?: number | undefined;
  /** Whether the frame ends in a checksum of the content, which readers verify. Default true. */
  readonly checksum?: boolean | undefined;
  /** What content like this has in common; the frame names it when it was trained. */
  readonly dictionary?: Dictionary | undefined;
  /** The tier to use; the loaded one if absent. */
  readonly native?: NativeBinding | undefined;
}

/** Options of {@link exportZstdAsync}. */
export interface ExportAsyncOptions extends ExportOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Options of {@link importZstd}. */
export interface ImportOptions extends DictionaryChoice {
  /** What the content may take; `maxOps` means nothing here. */
  readonly limits?: Partial<CodecLimits> | undefined;
  /** The tier to use; the loaded one if absent. */
  readonly native?: NativeBinding | undefined;
}

/** Options of {@link importZstdAsync}. */
export interface ImportAsyncOptions extends ImportOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Up to this size the ratio of content to frames is nobody's concern, bytes. */
const RATIO_FREE_BYTES = 1024 * 1024;
const ZSTD_MAGIC = 0xfd2fb528;
const ID_BYTES = [0, 1, 2, 4] as const;

/**
 * Compresses `content` into one zstd frame that any zstd reads.
 * @throws ERR_DWCP_INVALID_ARG, ERR_DWCP_FRAME_CODEC where this tier has no zstd
 * @example writeFileSync('state.json.zst', exportZstd(state, { level: 9 })); // zstd -d state.json.zst
 */
export function exportZstd(content: Uint8Array, options: ExportOptions = {}): Buffer {
  const binding = bindingOf(options.native);
  return binding.zstdExport(inputBuffer('content', content), exportOptions(binding, options));
}

/**
 * As {@link exportZstd}, off the event loop; `content` is borrowed until it settles.
 * @throws ERR_DWCP_ABORTED, and what {@link exportZstd} throws
 * @example const frame = await exportZstdAsync(state, { level: 19, signal });
 */
export async function exportZstdAsync(
  content: Uint8Array,
  options: ExportAsyncOptions = {},
): Promise<Buffer> {
  throwIfAborted(options.signal);
  const binding = bindingOf(options.native);
  const settings = exportOptions(binding, options);
  const task = binding.zstdExportAsync(inputBuffer('content', content), settings);
  return untilAborted(task, options.signal);
}

/**
 * The content of zstd frames from any program: one or several end to end, skippable ones among them, with or
 * without content size and checksum. Memory grows with real output. The result is the caller's own.
 * @throws ERR_DWCP_CODEC, ERR_DWCP_OUTPUT_LIMIT, ERR_DWCP_WINDOW_LIMIT, ERR_DWCP_FRAME_CHECKSUM,
 * ERR_DWCP_DICTIONARY_MISMATCH, ERR_DWCP_INVALID_ARG
 * @example importZstd(readFileSync('dump.zst'), { limits: { maxOutputBytes: 1 << 20 } })
 */
export function importZstd(frames: Uint8Array, options: ImportOptions = {}): Buffer {
  const binding = bindingOf(options.native);
  const bytes = inputBuffer('frames', frames);
  return binding.zstdImport(bytes, importOptions(binding, bytes, options));
}

/**
 * As {@link importZstd}, off the event loop; `frames` is borrowed until it settles.
 * @throws ERR_DWCP_ABORTED, and what {@link importZstd} throws
 * @example const content = await importZstdAsync(upload, { signal });
 */
export async function importZstdAsync(
  frames: Uint8Array,
  options: ImportAsyncOptions = {},
): Promise<Buffer> {
  throwIfAborted(options.signal);
  const binding = bindingOf(options.native);
  const bytes = inputBuffer('frames', frames);
  const task = binding.zstdImportAsync(bytes, importOptions(binding, bytes, options));
  return untilAborted(task, options.signal);
}

function exportOptions(
  binding: CodecBinding,
  { level = DEFAULT_LEVEL, checksum = true, dictionary }: ExportOptions,
): ZstdExportOptions {
  if (!Number.isInteger(level) || level < -50 || level > 19) {
    invalidArg('options.level', 'an integer from -50 to 19', level);
  }
  return { level, checksum, dictionary: dictionary && dictionaryOn(binding, dictionary) };
}

function importOptions(
  binding: CodecBinding,
  bytes: Buffer,
  options: ImportOptions,
): ZstdImportOptions {
  const { maxOutputBytes, maxRatio, maxWindowLog } = resolveLimits({
    codec: options.limits ?? {},
  }).codec;
  const byRatio = Math.max(RATIO_FREE_BYTES, Math.floor(bytes.length * maxRatio));
  const dictionary = dictionaryFor(bytes, options);
  return {
    maxOutputBytes: Math.min(maxOutputBytes, byRatio, 0x7fff_ffff),
    maxWindowLog,
    dictionary: dictionary && dictionaryOn(binding, dictionary),
  };
}

/** The dictionary that the first frame names, else the one given for frames that name none. */
function dictionaryFor(bytes: Buffer, choice: DictionaryChoice): Dictionary | undefined {
  const id = firstDictionaryId(bytes);
  if (id === 0 || choice.dictionary?.id === id) return choice.dictionary;
  const found = choice.dictionaries?.find((candidate) => candidate.id === id);
  if (found) return found;
  throw new DwcpError(
    'ERR_DWCP_DICTIONARY_MISMATCH',
    `the zstd frame was made with dictionary ${id}, which was not given`,
    { detail: { dictionaryId: id } },
  );
}

/** The id in the header of the frame at the front; 0 for none. What is no frame is left to the decoder. */
function firstDictionaryId(bytes: Buffer): number {
  if (bytes.length < 6 || bytes.readUInt32LE(0) !== ZSTD_MAGIC) return 0;
  const descriptor = bytes[4]!;
  const size = ID_BYTES[descriptor & 3]!;
  const at = (descriptor & 0x20) === 0 ? 6 : 5;
  return size === 0 || bytes.length < at + size ? 0 : bytes.readUIntLE(at, size);
}
