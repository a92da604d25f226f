/** `dwcp ca`: a root, certificates that real handshakes accept, revocation, and files that nobody else reads. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { readRevoked } from '../../lib/cli/authority.ts';
import { createNode, type DwcpNode, type NodeIdentity } from '../../lib/index.ts';

const main = fileURLToPath(new URL('../../lib/cli/main.js', import.meta.url));

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function dwcp(cwd: string, ...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [main, ...args], { cwd }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'dwcp-ca-'));
  t.teardown(() => rmSync(path, { recursive: true }));
  return path;
}

function identity(at: string, node: string, root = join(at, 'dwcp-ca', 'ca.pem')): NodeIdentity {
  const read = (name: string): string => readFileSync(name, 'utf8');
  return {
    cert: read(join(at, `${node}.pem`)),
    key: read(join(at, `${node}.key`)),
    ca: read(root),
  };
}

async function start(
  t: ExecutionContext,
  region: string,
  own: NodeIdentity,
  seed?: DwcpNode,
): Promise<DwcpNode> {
  const seeds = seed ? [seed.address!] : [];
  const node = await createNode({ region, identity: own, seeds });
  t.teardown(() => node.close());
  return node;
}

test('a root and two certificates make a cluster; a revoked one is out of it', async (t) => {
  const at = folder(t);
  for (const args of [
    ['init', '--cluster', 'prod'],
    ['issue', 'eu/eu-1'],
    ['issue', 'us/us-1'],
  ]) {
    const { code, stderr } = await dwcp(at, 'ca', ...args);
    t.is(code, 0, stderr);
  }
  const eu = await start(t, 'eu', identity(at, 'eu-1'));
  const us = await start(t, 'us', identity(at, 'us-1'), eu);
  await us.linked(1, { signal: AbortSignal.timeout(5_000) });
  t.is(eu.status().cluster, 'prod');
  t.true(us.status().peers[0]?.secure);

  const revoked = await dwcp(at, 'ca', 'revoke', 'us/us-1');
  t.is(revoked.code, 0, revoked.stderr);
  const list = await dwcp(at, 'ca', 'list', '--json');
  t.deepEqual(
    list.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { uri: string; state: string })
      .map(({ uri, state }) => [uri, state]),
    [
      ['dwcp://prod/eu/eu-1', 'good'],
      ['dwcp://prod/us/us-1', 'revoked'],
    ],
  );
  const down = new Promise((resolve) => eu.once('peerDown', resolve));
  eu.setRevoked(readRevoked(readFileSync(join(at, 'dwcp-ca', 'revoked.txt'), 'utf8')));
  await down;
  t.is(eu.status().security.gate?.closedRevoked, 1);
});

test('keys are for their owner alone, and nothing is overwritten', async (t) => {
  const at = folder(t);
  await dwcp(at, 'ca', 'init', '--cluster', 'prod');
  await dwcp(at, 'ca', 'issue', 'eu/eu-1');
  const modes = ['dwcp-ca/ca.key', 'eu-1.key', 'dwcp-ca'].map(
    (name) => statSync(join(at, name)).mode & 0o777,
  );
  t.deepEqual(modes, [0o600, 0o600, 0o700]);
  const files = ['dwcp-ca/ca.key', 'dwcp-ca/ca.pem', 'eu-1.key', 'eu-1.pem'];
  const before = files.map((name) => readFileSync(join(at, name), 'utf8'));
  for (const args of [
    ['init', '--cluster', 'other'],
    ['issue', 'us/eu-1'],
  ]) {
    const { code, stderr } = await dwcp(at, 'ca', ...args);
    t.is(code, 2);
    t.regex(stderr, /is there already, and is not overwritten/);
  }
  // The certificate stands alone: the key made with it is taken back.
  rmSync(join(at, 'eu-1.key'));
  t.is((await dwcp(at, 'ca', 'issue', 'us/eu-1')).code, 2);
  t.throws(() => statSync(join(at, 'eu-1.key')));
  files.splice(2, 1);
  before.splice(2, 1);
  t.deepEqual(
    files.map((name) => readFileSync(join(at, name), 'utf8')),
    before,
  );
  t.is((await dwcp(at, 'ca', 'list')).stdout.trim().split('\n').length, 1);
});

test('wrong use is told, with what is wrong', async (t) => {
  const at = folder(t);
  await dwcp(at, 'ca', 'init', '--cluster', 'prod', '--days', '30');
  const wrong: readonly [readonly string[], RegExp][] = [
    [[], /one of init, issue, list, revoke/],
    [['renew'], /one of init/],
    [['init'], /--cluster/],
    [['init', '--cluster', 'a/b', '--dir', 'x'], /--cluster must be/],
    [['issue'], /REGION\/NODE/],
    [['issue', 'eu-1'], /REGION\/NODE/],
    [['issue', 'eu/../x'], /REGION\/NODE/],
    [['issue', `eu/${'n'.repeat(64)}`], /REGION\/NODE/],
    [['issue', 'eu/eu-1', '--days', '31'], /outlives the root/],
    [['issue', 'eu/eu-1', '--days', '0'], /--days/],
    [['issue', 'eu/eu-1', '--dir', 'nowhere'], /holds no authority/],
    [['list', 'x'], /too many/],
    [['revoke', 'eu/eu-1'], /no good certificate/],
    [['revoke', 'ab'.repeat(32)], /no good certificate/],
  ];
  const ended = await Promise.all(wrong.map(([args]) => dwcp(at, 'ca', ...args)));
  for (const [i, { code, stderr }] of ended.entries()) {
    t.is(code, 2, `${wrong[i]![0].join(' ')}: ${stderr}`);
    t.regex(stderr, wrong[i]![1]);
  }
});

test('a node command reads its certificate, revocations and rights again on SIGHUP', async (t) => {
  const at = folder(t);
  await dwcp(at, 'ca', 'init', '--cluster', 'prod');
  for (const name of ['eu/eu-1', 'us/us-1']) await dwcp(at, 'ca', 'issue', name);
  const args = ['--cert', 'eu-1.pem', '--key', 'eu-1.key', '--ca', 'dwcp-ca/ca.pem', '--json'];
  const revoked = ['--revoked', 'dwcp-ca/revoked.txt'];
  const child = execFile(process.execPath, [main, 'node', '--region', 'eu', ...args, ...revoked], {
    cwd: at,
  });
  t.teardown(() => child.kill());
  const lines: string[] = [];
  const waiting = new Map<RegExp, (line: string) => void>();
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    for (const line of text.split('\n').filter((each) => each !== '')) {
      lines.push(line);
      for (const [pattern, found] of waiting) if (pattern.test(line)) found(line);
    }
  });
  const said = (pattern: RegExp): Promise<string> =>
    new Promise((resolve) => {
      const known = lines.find((line) => pattern.test(line));
      if (known) resolve(known);
      else waiting.set(pattern, resolve);
    });
  const [, port] = /:(\d+)"/.exec(await said(/listens on/))!;
  const us = await createNode({
    region: 'us',
    identity: identity(at, 'us-1'),
    seeds: [`127.0.0.1:${port}`],
  });
  t.teardown(() => us.close());
  await us.linked(1, { signal: AbortSignal.timeout(5_000) });
  const down = new Promise((resolve) => us.once('peerDown', resolve));
  await dwcp(at, 'ca', 'revoke', 'us/us-1');
  child.kill('SIGHUP');
  await down;
  await said(/read again/);
  rmSync(join(at, 'eu-1.pem'));
  child.kill('SIGHUP');
  t.regex(await said(/nothing changed/), /eu-1\.pem/);
});
