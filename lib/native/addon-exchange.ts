/** Plain zstd frames through the addon: arguments as they cross. */
import { dictionaryHandle } from './addon-dictionary.ts';
import type { DictionaryHandle } from './addon-dictionary.ts';
import { checkBytes, readExportOptions, readImportOptions } from './arguments.ts';
import type { ZstdExportOptions, ZstdImportOptions } from './contract.ts';

type Dictionary = DictionaryHandle | undefined;

/** Bytes, level, 1 for a checksum, dictionary. */
export type ExportRequest = readonly [Uint8Array, level: number, checksum: number, Dictionary];

/** Bytes, limits, dictionary. */
export type ImportRequest = readonly [
  Uint8Array,
  maxOutputBytes: number,
  maxWindowLog: number,
  Dictionary,
];

/** The functions of the addon. */
export interface ExchangeExports {
  zstdExport(...request: ExportRequest): Buffer;
  zstdExportAsync(...request: ExportRequest): Promise<Buffer>;
  zstdImport(...request: ImportRequest): Buffer;
  zstdImportAsync(...request: ImportRequest): Promise<Buffer>;
}

/** What crosses to the addon for an export. */
export function exportRequest(bytes: Uint8Array, options: ZstdExportOptions): ExportRequest {
  const { level, checksum, dictionary } = readExportOptions(options);
  checkBytes('bytes', bytes);
  return [bytes, level, checksum ? 1 : 0, dictionaryHandle(dictionary)];
}

/** What crosses to the addon for an import. */
export function importRequest(bytes: Uint8Array, options: ZstdImportOptions): ImportRequest {
  const { maxOutputBytes, maxWindowLog, dictionary } = readImportOptions(options);
  checkBytes('bytes', bytes);
  return [bytes, maxOutputBytes, maxWindowLog, dictionaryHandle(dictionary)];
}
