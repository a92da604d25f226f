/**
 * Where the demo's versions come from: the visitor's files; else the releases installed beside this
 * package; else the cache; else npm, into the cache, within a timeout; else generated data, and then
 * the demo says so.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { native } from '../../native/load.ts';
import { reasonOf, UsageError } from '../command.ts';
import { dataFile, dataPackage, releases } from './default-data.ts';
import { generateVersions } from './generated-data.ts';

const fetchTimeoutMs = 60_000;

/** One version of the value. */
export interface InputVersion {
  readonly name: string;
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  /** What zstd -3 makes of it; undefined where this tier cannot tell. */
  readonly zstd3Bytes: number | undefined;
}

/** The versions and where they came from. */
export interface Inputs {
  readonly versions: readonly InputVersion[];
  readonly origin: 'files' | 'releases' | 'generated';
  readonly note: string;
}

/** SHA-256 of bytes, hex. */
export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function zstd3Of(bytes: Buffer, sha256: string): number | undefined {
  const { abilities } = native.codec;
  if (abilities.zstd) return native.codec.zstdCompress(bytes, { level: 3 }).length;
  return releases.find((release) => release.sha256 === sha256)?.zstd3Bytes;
}

async function versionOf(name: string, path: string): Promise<InputVersion> {
  const bytes = await readFile(path);
  const sha256 = sha256Of(bytes);
  return { name, path, sizeBytes: bytes.length, sha256, zstd3Bytes: zstd3Of(bytes, sha256) };
}

/** Paths of the releases under a folder with node_modules, if all are there and are what they should be. */
async function releasesAt(resolve: (name: string) => string): Promise<InputVersion[] | undefined> {
  const found: InputVersion[] = [];
  for (const [index, release] of releases.entries()) {
    try {
      const version = await versionOf(release.version, resolve(`icons-${index + 1}/${dataFile}`));
      if (version.sha256 !== release.sha256) return undefined;
      found.push(version);
    } catch {
      return undefined;
    }
  }
  return found;
}

function cacheFolder(): string {
  const base = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  return join(base, 'dwcp', 'icons');
}

/** Installs the releases into the cache through the ordinary npm client, without scripts. */
async function fetchReleases(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'package.json'), '{"private":true}\n');
  const specs = releases.map((r, index) => `icons-${index + 1}@npm:${dataPackage}@${r.version}`);
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'];
  const running = promisify(execFile)('npm', ['install', ...flags, ...specs], {
    cwd: folder,
    timeout: fetchTimeoutMs,
    killSignal: 'SIGKILL',
  });
  const end = (): void => void running.child.kill('SIGKILL');
  process.once('exit', end);
  try {
    await running;
  } finally {
    process.removeListener('exit', end);
  }
}

/** What npm complained of, in one line. */
function npmReason(error: unknown): string {
  const { stderr = '', killed = false } = error as { stderr?: string; killed?: boolean };
  if (killed) return `npm did not finish within ${fetchTimeoutMs / 1000} s`;
  const complaint = /npm error (?!code|errno|syscall)(.+)/.exec(stderr)?.[1];
  return complaint ?? reasonOf(error).split('\n')[0]!;
}

async function defaultInputs(folder: string, say: (text: string) => void): Promise<Inputs> {
  const note = `${releases.length} releases of ${dataPackage}, ${releases[0]!.version} to ${releases.at(-1)!.version}`;
  const require = createRequire(import.meta.url);
  const cache = cacheFolder();
  const inCache = (name: string): string => join(cache, 'node_modules', name);
  const here = (await releasesAt((name) => require.resolve(name))) ?? (await releasesAt(inCache));
  if (here) return { versions: here, origin: 'releases', note };
  say(`fetching ${note} through npm (1.3 MB each) into ${cache}`);
  let reason = 'what came has other content than expected';
  try {
    await fetchReleases(cache);
    const fetched = await releasesAt(inCache);
    if (fetched) return { versions: fetched, origin: 'releases', note };
  } catch (error) {
    reason = npmReason(error);
  }
  return {
    versions: await generatedInputs(folder),
    origin: 'generated',
    note: `generated data, because the icon releases could not be fetched: ${reason}`,
  };
}

async function generatedInputs(folder: string): Promise<InputVersion[]> {
  await mkdir(folder, { recursive: true });
  const versions: InputVersion[] = [];
  for (const [index, bytes] of generateVersions(releases.length).entries()) {
    const path = join(folder, `generated-${index + 1}.json`);
    await writeFile(path, bytes);
    versions.push(await versionOf(`generated ${index + 1}`, path));
  }
  return versions;
}

/**
 * Resolves the demo's input.
 * @param files the visitor's own versions; empty for the default data
 * @param folder scratch folder for generated data
 * @param say tells the visitor about a wait
 */
export async function resolveInputs(
  files: readonly string[],
  folder: string,
  say: (text: string) => void,
): Promise<Inputs> {
  if (files.length === 0) return defaultInputs(folder, say);
  if (files.length < 2) throw new UsageError('--data needs at least two versions of a file');
  const versions = await Promise.all(files.map((path) => versionOf(path, path)));
  return { versions, origin: 'files', note: `your ${files.length} files` };
}
