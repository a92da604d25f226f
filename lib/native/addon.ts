/**
 * The module behind `#native` where Node loads addons: finds the addon (a local build first, then the
 * shipped prebuilds), and falls back to the portable tier, keeping every failure with a reason a person
 * can act on. `DWCP_NATIVE`: `off` does not try; `prefer` (default) falls back; `require` makes load.ts
 * throw instead of falling back. `DWCP_PREBUILD` names a folder to take build/ and prebuilds/ from.
 */
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import nodeGypBuild from 'node-gyp-build';
import { ADDON_CONTRACT, AddonCodec, type AddonExports } from './addon-codec.ts';
import { addonIo } from './addon-io.ts';
import type { LoadAttempt, NativeBinding, NativeModule, NativeStatus } from './contract.ts';
import { addonFileProblem } from './elf.ts';
import { native as portable, status as portableStatus } from './portable.ts';

const CHECK_INPUT = Buffer.from('123456789');
const CHECK_CRC32C = 0xe3069283;

const packageRoot = nearestPackage(dirname(fileURLToPath(import.meta.url)));

/** What to do about a binary that does not fit: only a working copy can build one. */
const remedy = existsSync(join(packageRoot, 'scripts', 'build.mjs'))
  ? 'rebuild with `npm run build`, which needs a C++20 compiler'
  : 'reinstall dwcp, or go on with the portable tier';

/** The nearest folder upwards with a package.json: the package root, in the repository and installed. */
function nearestPackage(start: string): string {
  let folder = start;
  while (!existsSync(join(folder, 'package.json')) && dirname(folder) !== folder) {
    folder = dirname(folder);
  }
  return folder;
}

/** This platform as binaries are named for it. */
function platformName(): string {
  const musl = process.platform === 'linux' && existsSync('/etc/alpine-release');
  return `${process.platform}-${process.arch}${musl ? ' with musl' : ''}`;
}

/** Addon files worth trying, best first, without repeats. */
function candidates(root: string, attempts: LoadAttempt[]): string[] {
  const found: string[] = [];
  try {
    found.push(nodeGypBuild.path(root));
  } catch {
    const error = `no binary for ${platformName()} in build/Release or prebuilds; ${remedy}`;
    attempts.push({ path: root, error });
  }
  const shipped = join(root, 'prebuilds', `${process.platform}-${process.arch}`);
  if (found[0] !== undefined && !found[0].startsWith(shipped) && existsSync(shipped)) {
    const files = readdirSync(shipped).filter((file) => file.endsWith('.node'));
    found.push(...files.map((file) => join(shipped, file)));
  }
  return found;
}

/** The loader's message, in words that name the remedy. */
function explain(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const newer = /version `?(GLIBC(?:XX)?_[\d.]+)'? not found/.exec(text);
  if (newer) {
    return `this system's C or C++ library is older than ${newer[1]}; upgrade it, or ${remedy}`;
  }
  if (/ld-linux|ld-musl|libc\.musl|libc\.so\.6/.test(text)) {
    return `built for another libc (glibc and musl do not mix); ${remedy} (${text})`;
  }
  if (/invalid ELF header|file too short|wrong ELF class/.test(text)) {
    return `the file is broken or for another CPU; ${remedy} (${text})`;
  }
  return text;
}

/** Loads one file and proves it works; throws when it does not. */
function open(path: string): AddonExports {
  const problem = addonFileProblem(path);
  if (problem !== undefined) throw new Error(`${problem}; ${remedy}`);
  const addon: AddonExports = createRequire(import.meta.url)(path);
  if (addon.contract !== ADDON_CONTRACT) {
    throw new Error(`the binary is from another version of dwcp; ${remedy}`);
  }
  if (addon.crc32c(CHECK_INPUT, 0) !== CHECK_CRC32C) {
    throw new Error('the binary computes a wrong CRC-32C on this CPU');
  }
  return addon;
}

function fallBack(reason: string, attempts: readonly LoadAttempt[]): NativeModule {
  return { native: portable, status: { ...portableStatus, reason, attempts } };
}

function load(): NativeModule {
  if (process.env['DWCP_NATIVE'] === 'off') {
    return fallBack('Portable tier: DWCP_NATIVE=off.', []);
  }
  const attempts: LoadAttempt[] = [];
  for (const path of candidates(process.env['DWCP_PREBUILD'] || packageRoot, attempts)) {
    try {
      const addon = open(path);
      const codec = new AddonCodec(addon);
      const reason = `Addon loaded from ${path} (CRC-32C by ${addon.crc32cVia}).`;
      const { zstdVersion } = addon;
      return {
        native: {
          tier: 'addon',
          codec,
          io: process.platform === 'linux' ? addonIo(addon) : undefined,
          makePages: (bytes, from, to) => addon.makePages(bytes, from, to),
          memoryBytes: () => addon.memoryBytes(),
        },
        status: { tier: 'addon', reason, attempts, zstdVersion },
      };
    } catch (error) {
      attempts.push({ path, error: explain(error) });
    }
  }
  const why = attempts.map(({ path, error }) => `${path}: ${error}`).join('; ');
  return fallBack(`Portable tier, because the addon did not load. ${why}.`, attempts);
}

const loaded = load();

/** The binding in use. */
export const native: NativeBinding = loaded.native;

/** Which tier that is, and why. */
export const status: NativeStatus = loaded.status;
