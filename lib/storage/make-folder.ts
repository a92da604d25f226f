/** Making the folder of a store. */
import { dirname } from 'node:path';
import { mkdir } from './callback-files.ts';
import { hasCode } from './storage-errors.ts';

/**
 * Makes a folder and those above it that are missing. Step by step, because `recursive` never ends on Node 20 where the
 * parent is there and takes no folders, as in /proc.
 * @throws what mkdir throws
 */
export async function makeFolder(folder: string): Promise<void> {
  const parent = dirname(folder);
  try {
    await mkdir(folder);
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return;
    if (!hasCode(error, 'ENOENT') || parent === folder) throw error;
    await makeFolder(parent);
    await mkdir(folder).catch(ifNotThere);
  }
}

/** Somebody else may have made it meanwhile. */
function ifNotThere(error: unknown): void {
  if (!hasCode(error, 'EEXIST')) throw error;
}
