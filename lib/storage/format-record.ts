/**
 * The record a store's folder starts with: format version and the rung that wrote it. Read before
 * anything else is opened, so that an unknown format is refused untouched and a store written by
 * one rung is never shadowed by an empty one of another.
 */
import { join } from 'node:path';
import { DwcpError } from '../errors.ts';
import { readFile } from './callback-files.ts';
import { writeDurably } from './durable-files.ts';
import { hasCode } from './storage-errors.ts';

/** The version this build writes and reads. */
const storageFormat = 1;

/** The rungs that keep state on disk. */
export type DurableKind = 'level' | 'sqlite';

const fileName = 'FORMAT';
const maxRecordBytes = 256;

/**
 * The rung that wrote the folder, or undefined for a folder without a store.
 * @throws ERR_DWCP_STORAGE_CORRUPT for another version or a record that cannot be read as one.
 */
export async function readFormat(folder: string): Promise<DurableKind | undefined> {
  let text: string;
  try {
    const bytes = await readFile(join(folder, fileName));
    text = bytes.subarray(0, maxRecordBytes).toString('utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  const match = /^dwcp store, format (\d+), kind (\w+)\n$/.exec(text);
  if (match === null) throw corruptFormat(folder, 'its FORMAT file cannot be read');
  const [, version, kind] = match;
  if (Number(version) !== storageFormat) {
    throw corruptFormat(folder, `it has format ${version}, this build reads ${storageFormat}`);
  }
  if (kind !== 'level' && kind !== 'sqlite') {
    throw corruptFormat(folder, `it was written by unknown store ${kind}`);
  }
  return kind;
}

/** Marks an empty folder as a store. Durable when the promise resolves. */
export async function writeFormat(folder: string, kind: DurableKind): Promise<void> {
  const file = join(folder, fileName);
  const record = Buffer.from(`dwcp store, format ${storageFormat}, kind ${kind}\n`);
  await writeDurably(file, `${file}.${process.pid}.tmp`, record);
}

/** The error of a folder whose content is not what its record says. */
export function corruptFormat(folder: string, why: string): DwcpError {
  return new DwcpError(
    'ERR_DWCP_STORAGE_CORRUPT',
    `the store in ${folder} was not opened: ${why}`,
    {
      detail: { path: folder },
    },
  );
}
