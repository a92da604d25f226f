/**
 * The tarball a user installs: packed here, installed where no compiler, make or python exists, with and
 * without install scripts, and run on every Node we support, from ESM and from CommonJS, on both tiers.
 */
import { execFile, execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, realpathSync } from 'node:fs';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { nativeStatus } from '../../lib/index.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../..', import.meta.url));
/** Without a compiler here there is no binary to pack; the same tarball then runs on the portable tier. */
const { tier } = nativeStatus();
const scratch = mkdtempSync(join(tmpdir(), 'dwcp-install-'));
const nodes = [process.execPath, ...(process.env['DWCP_TEST_NODES'] ?? '').split(':')].filter(
  Boolean,
);

/** What a user would try first: the codec, then two nodes that share a key and a call. */
const body = `
const { createNode, nativeStatus } = dwcp;
const before = Buffer.from('x'.repeat(50_000) + 'a'), after = Buffer.from('x'.repeat(50_000) + 'b');
const base = compression.Baseline.of(before);
const delta = await compression.diff(base, after);
if (!after.equals(await compression.patch(base, delta))) throw new Error('patch differs');
if (delta.length > 500) throw new Error('delta of ' + delta.length + ' bytes');
const a = await createNode({ region: 'eu', listen: { host: '127.0.0.1', port: 0 } });
const b = await createNode({ region: 'us', listen: { host: '127.0.0.1', port: 0 }, seeds: [a.address] });
const options = { policy: 'lww', codec: 'json' };
const arrived = (async () => {
  for await (const change of b.keyspace('config', options).watch()) return change.value;
})();
await a.keyspace('config', options).put('limits', { perSecond: 10 });
const seen = await arrived;
if (seen.perSecond !== 10) throw new Error('wrong value ' + JSON.stringify(seen));
b.handle('echo', (payload) => payload);
const reply = await a.call('echo', Buffer.from('hello'), { deadlineMs: 5000, idempotent: true });
if (reply.toString() !== 'hello') throw new Error('wrong reply');
await a.close();
await b.close();
console.log(JSON.stringify(nativeStatus()));
`;

const programs = {
  'use.mjs': `import * as dwcp from 'dwcp';\nimport * as compression from 'dwcp/compression';\n${body}`,
  'use.cjs': `const dwcp = require('dwcp');\nconst compression = require('dwcp/compression');
(async () => {${body}})().catch((error) => { console.error(error); process.exit(1); });`,
};

/** A PATH that holds node and a shell, and nothing that could build anything. */
function barePath(): string {
  const bin = join(scratch, 'bin');
  mkdirSync(bin, { recursive: true });
  for (const [name, target] of [
    ['node', process.execPath],
    ['sh', '/bin/sh'],
  ] as const) {
    if (!existsSync(join(bin, name))) symlinkSync(realpathSync(target), join(bin, name));
  }
  return bin;
}

function npmCli(): string {
  const fromNpm = process.env['npm_execpath'];
  if (fromNpm?.endsWith('npm-cli.js')) return fromNpm;
  return realpathSync(execFileSync('sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).trim());
}

/** A copy of the tree to pack from: building a binary clears build/, which other tests run on. */
function copyTree(): string {
  const left = /^(?:\.git|coverage|node_modules|build-.*)$/;
  const copy = join(scratch, 'tree');
  mkdirSync(copy);
  const inner = /\/node_modules(?:\/|$)/;
  for (const name of readdirSync(root).filter((entry) => !left.test(entry))) {
    const filter = (path: string): boolean => !inner.test(path.slice(root.length));
    const options = { recursive: true, preserveTimestamps: true, filter };
    cpSync(join(root, name), join(copy, name), options);
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

function pack(): string {
  const tree = copyTree();
  if (tier === 'addon') {
    execFileSync(process.execPath, [join(tree, 'scripts', 'prebuild.mjs')], {
      cwd: tree,
      stdio: 'pipe',
    });
  }
  const args = [npmCli(), 'pack', '--silent', '--pack-destination', scratch];
  execFileSync(process.execPath, args, { cwd: tree, encoding: 'utf8' });
  return join(
    scratch,
    readdirSync(scratch).find((name) => name.endsWith('.tgz'))!,
  );
}

async function install(tarball: string, name: string, flags: readonly string[]): Promise<string> {
  const folder = join(scratch, name);
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, private: true }));
  const env = { ...process.env, PATH: barePath(), npm_config_ignore_scripts: 'false' };
  await run(process.execPath, [npmCli(), 'install', ...flags, tarball], { cwd: folder, env });
  for (const [file, program] of Object.entries(programs))
    writeFileSync(join(folder, file), program);
  return folder;
}

interface Status {
  readonly tier: string;
  readonly reason: string;
  readonly attempts: readonly { readonly path: string; readonly error: string }[];
}

async function use(
  node: string,
  folder: string,
  file: string,
  flags: readonly string[] = [],
): Promise<Status> {
  // A user's machine has none of the settings of a coverage run.
  const { DWCP_PREBUILD: _p, DWCP_NATIVE: _n, NODE_V8_COVERAGE: _c, ...env } = process.env;
  const { stdout } = await run(node, [...flags, file], { cwd: folder, env, timeout: 60_000 });
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as Status;
}

let plain = '';
let scriptless = '';

test.before(async (t) => {
  t.timeout(300_000);
  const tarball = pack();
  plain = await install(tarball, 'plain', []);
  scriptless = await install(tarball, 'scriptless', ['--ignore-scripts']);
});

test.after.always(() => rmSync(scratch, { recursive: true, force: true }));

for (const node of nodes) {
  const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
  for (const file of Object.keys(programs)) {
    test.serial(
      `installed without a compiler, ${file} runs on the ${tier} tier on Node ${version}`,
      async (t) => {
        t.timeout(120_000);
        for (const folder of [plain, scriptless]) {
          const status = await use(node, folder, file);
          t.is(status.tier, tier, status.reason);
        }
      },
    );
  }

  test.serial(`--no-addons ends in the portable tier on Node ${version}`, async (t) => {
    t.timeout(120_000);
    const status = await use(node, scriptless, 'use.mjs', ['--no-addons']);
    t.is(status.tier, 'portable');
    t.true(status.reason.length > 10);
  });

  test.serial(`a broken addon file ends in the portable tier on Node ${version}`, async (t) => {
    t.timeout(120_000);
    const folder = join(scratch, `broken-${version}`);
    cpSync(scriptless, folder, { recursive: true });
    const prebuilds = join(folder, 'node_modules', 'dwcp', 'prebuilds');
    const binary =
      readdirSync(prebuilds, { recursive: true })
        .map(String)
        .find((name) => name.endsWith('.node')) ?? 'linux-x64/dwcp.glibc.node';
    mkdirSync(join(prebuilds, dirname(binary)), { recursive: true });
    writeFileSync(join(prebuilds, binary), 'not an ELF file');
    const status = await use(node, folder, 'use.cjs');
    t.is(status.tier, 'portable');
    t.true(status.attempts.some(({ path }) => path.includes(dirname(binary))));
  });
}

test('the tarball carries types, sources and what binary there is, and nothing of the tests', (t) => {
  const folder = join(plain, 'node_modules', 'dwcp');
  const files = readdirSync(folder, { recursive: true }).map(String);
  t.is(
    files.some((file) => /^prebuilds\/linux-x64\/.*\.node$/.test(file)),
    tier === 'addon',
  );
  t.true(files.includes('dist/lib/index.d.ts'));
  t.true(files.includes('lib/index.ts'));
  t.false(files.some((file) => /^(?:test|bench|dist\/test|build)\//.test(file)));
});
