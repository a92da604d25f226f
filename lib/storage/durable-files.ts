/**
 * Files that are whole or absent after a power loss: written aside, synced, renamed, folder synced.
 */
import { dirname } from 'node:path';
import { close, fsync, open, rename, rm, writeFile } from './callback-files.ts';

/** Makes the entries of a folder durable. Windows has no such call and needs none. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folderFd = await open(folder, 'r');
  try {
    await fsync(folderFd);
  } finally {
    await close(folderFd);
  }
}

/** Writes `file` through `temporary`, which must lie in the same folder. */
export async function writeDurably(
  file: string,
  temporary: string,
  bytes: Uint8Array,
): Promise<void> {
  try {
    const fd = await open(temporary, 'w', 0o600);
    try {
      await writeFile(fd, bytes);
      await fsync(fd);
    } finally {
      await close(fd);
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(dirname(file));
}
