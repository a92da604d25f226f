/**
 * How the addon is found, and what happens when it is not: child processes with DWCP_PREBUILD naming a
 * folder whose addon is whole, missing, broken, foreign or from another version.
 */
import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import nodeGypBuild from 'node-gyp-build';
import type { NativeStatus } from '../../lib/native/contract.ts';
import { nativeStatus } from '../../lib/native/load.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'dwcp-load-'));
const addonAt = join(folder, 'build', 'Release', 'dwcp.node');
const built = /Addon loaded from (.+\.node) /.exec(nativeStatus().reason)?.[1];

test.after.always(() => rmSync(folder, { recursive: true, force: true }));

const entry = pathToFileURL(join(root, 'dist/lib/native/load.js')).href;
const script = `import(${JSON.stringify(entry)}).then(
  ({ native, nativeStatus }) => console.log(JSON.stringify({
    ...nativeStatus(), crc: native.codec.crc32c(Buffer.from('123456789')) })),
  (error) => console.log(JSON.stringify({ code: error.code, message: error.message })))`;

type Report = NativeStatus & { crc: number; code?: string; message?: string };

/** Loads the copy in a child and returns its status, or its error. */
async function load(env: Record<string, string> = {}, flags: string[] = []): Promise<Report> {
  const { DWCP_NATIVE: _, ...rest } = process.env;
  const args = [...flags, '--input-type=module', '-e', script];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    env: { ...rest, DWCP_PREBUILD: folder, ...env },
    timeout: 30_000,
  });
  return JSON.parse(stdout);
}

/** Puts a file where the addon belongs, or nothing. */
function place(content: Buffer | string | undefined): void {
  rmSync(join(folder, 'build'), { recursive: true, force: true });
  rmSync(join(folder, 'prebuilds'), { recursive: true, force: true });
  if (content === undefined) return;
  mkdirSync(dirname(addonAt), { recursive: true });
  writeFileSync(addonAt, content);
}

test.serial('nothing built ends in the portable tier and names the remedy', async (t) => {
  place(undefined);
  const status = await load();
  t.is(status.tier, 'portable');
  t.is(status.crc, 0xe3069283);
  t.is(status.attempts.length, 1);
  t.regex(status.reason, /no binary for .*npm run build/);
});

test.serial('--no-addons ends in the portable tier', async (t) => {
  place(undefined);
  const status = await load({}, ['--no-addons']);
  t.is(status.tier, 'portable');
  t.is(status.crc, 0xe3069283);
  t.regex(status.reason, /--no-addons/);
});

test.serial('DWCP_NATIVE=off does not try', async (t) => {
  place('not an addon');
  const status = await load({ DWCP_NATIVE: 'off' });
  t.is(status.tier, 'portable');
  t.deepEqual(status.attempts, []);
  t.regex(status.reason, /DWCP_NATIVE=off/);
});

test.serial('DWCP_NATIVE=require without an addon fails with a code and the reason', async (t) => {
  place(undefined);
  for (const flags of [[], ['--no-addons']]) {
    const error = await load({ DWCP_NATIVE: 'require' }, flags);
    t.is(error.code, 'ERR_DWCP_NATIVE_UNAVAILABLE');
    t.regex(error.message!, /DWCP_NATIVE=require/);
  }
});

test.serial('a broken file ends in the portable tier and is named', async (t) => {
  for (const content of ['', 'not an addon', Buffer.alloc(4_096, 0x7f)]) {
    place(content);
    const status = await load();
    t.is(status.tier, 'portable');
    t.is(status.attempts[0]?.path, addonAt);
    t.regex(status.attempts[0]!.error, /broken/);
    t.regex(status.reason, /npm run build/);
  }
});

if (built !== undefined && existsSync(built)) {
  const binary = readFileSync(built);
  const patch = (from: string, to: string): Buffer => {
    const patched = Buffer.from(binary);
    for (let at = patched.indexOf(from); at >= 0; at = patched.indexOf(from, at + 1)) {
      patched.write(to, at, 'latin1');
    }
    return patched;
  };

  test.serial('a whole file loads', async (t) => {
    place(binary);
    const status = await load({ DWCP_NATIVE: 'require' });
    t.is(status.tier, 'addon');
    t.deepEqual(status.attempts, []);
    t.is(status.crc, 0xe3069283);
  });

  test.serial('a prebuilt file loads, and stands in for a broken local build', async (t) => {
    place('not an addon');
    const shipped = join(folder, 'prebuilds', `${process.platform}-${process.arch}`);
    mkdirSync(shipped, { recursive: true });
    writeFileSync(join(shipped, 'dwcp.glibc.node'), binary);
    const both = await load();
    t.is(both.tier, 'addon');
    t.is(both.attempts[0]?.path, addonAt);
    rmSync(join(folder, 'build'), { recursive: true });
    const alone = await load();
    t.is(alone.tier, 'addon');
    t.deepEqual(alone.attempts, []);
  });

  test.serial('a file cut short anywhere is refused and does not kill the process', async (t) => {
    for (const share of [0.1, 0.5, 0.9, 0.999]) {
      place(binary);
      truncateSync(addonAt, Math.floor(binary.length * share));
      const status = await load();
      t.is(status.tier, 'portable', `${share}`);
      t.regex(status.attempts[0]!.error, /broken/);
    }
  });

  test.serial('a file for another CPU is named as such', async (t) => {
    const foreign = Buffer.from(binary);
    foreign.writeUInt16LE(process.arch === 'x64' ? 183 : 62, 18);
    place(foreign);
    const status = await load();
    t.is(status.tier, 'portable');
    t.regex(status.attempts[0]!.error, /another CPU/);
  });

  test.serial('a library from a newer system, or for another libc, is explained', async (t) => {
    place(patch('libstdc++.so.6\0', 'libc.musl.so.1\0'));
    const musl = await load();
    t.is(musl.tier, 'portable');
    t.regex(musl.attempts[0]!.error, /another libc/);
    place(patch('GLIBC_2.14\0', 'GLIBC_2.99\0'));
    const newer = await load();
    t.is(newer.tier, 'portable');
    t.regex(newer.attempts[0]!.error, /older than GLIBC_2\.99/);
  });

  test.serial('an addon that is not of this version is refused', async (t) => {
    const other = createRequire(import.meta.url).resolve('classic-level/package.json');
    place(readFileSync(nodeGypBuild.path(dirname(other))));
    const status = await load();
    t.is(status.tier, 'portable');
    t.regex(status.attempts[0]!.error, /another version of dwcp/);
  });
}
