/**
 * Keeps classic-level's library mapped for the life of the process. LevelDB starts a background thread for
 * compactions that nothing joins. When the last worker that loaded the library ends, Node unloads it, and
 * that thread runs on in memory that is gone: the whole process dies. Loading it once with RTLD_NODELETE
 * prevents the unloading.
 */
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname } from 'node:path';

/** RTLD_NODELETE of Linux, glibc and musl; Node names the other flags only. */
const noDelete = 0x1000;

let pinned = false;

/** Pins the library, once per thread; harmless when it is not there. */
export function pinClassicLevel(): void {
  if (pinned || process.platform !== 'linux') return;
  pinned = true;
  const require = createRequire(import.meta.url);
  try {
    const resolve = require('node-gyp-build') as { path(folder: string): string };
    const file = resolve.path(dirname(require.resolve('classic-level')));
    process.dlopen({ exports: {} }, file, constants.dlopen.RTLD_LAZY | noDelete);
  } catch {
    // A library that cannot be loaded is reported by opening the store.
  }
}
