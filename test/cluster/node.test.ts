/** `createNode` and `local` as a user meets them: lifetime, restart, identity, refusals, status. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { systemClock } from '../../lib/clock.ts';
import { createAuthority, issueCertificate } from '../../lib/crypto/certificates.ts';
import {
  createNode,
  local,
  nativeStatus,
  type DwcpNode,
  type NodeOptions,
} from '../../lib/index.ts';
import { systemRandom } from '../../lib/random.ts';
import { ioStatus } from '../../lib/transport/index.ts';

const hourMs = 3_600_000;

/** A node that the test closes. */
async function start(t: ExecutionContext, options: NodeOptions): Promise<DwcpNode> {
  const node = await createNode(options);
  t.teardown(() => node.close());
  return node;
}

function scratch(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'dwcp-node-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const until = (): AbortSignal => AbortSignal.timeout(10_000);

test('state, counters and replica id survive a restart', async (t) => {
  const path = join(scratch(t), 'state');
  const first = await createNode({ region: 'eu', storage: { path } });
  const { dot } = await first.keyspace('a', { codec: 'json' }).put('k', [1, 2]);
  const { replicaId } = first.status();
  await first.close();
  const second = await start(t, { region: 'eu', storage: { path } });
  const keyspace = second.keyspace('a', { codec: 'json' });
  t.deepEqual(await keyspace.get('k'), [1, 2]);
  t.is(second.status().replicaId, replicaId);
  const next = await keyspace.put('k', [3]);
  t.is(next.dot.seq, dot.seq + 1);
  t.throws(() => second.keyspace('a', { codec: 'bytes' }), { code: 'ERR_DWCP_POLICY' });
});

test('memory storage mints a new replica id at every start and says so', async (t) => {
  const [a, b] = [await start(t, { region: 'eu' }), await start(t, { region: 'eu' })];
  t.not(a.status().replicaId, b.status().replicaId);
  t.like(a.status().storage, { kind: 'memory', persistent: false });
});

test('a storage path that cannot be honoured is an error, never memory', async (t) => {
  const file = join(scratch(t), 'file');
  writeFileSync(file, 'not a folder');
  await t.throwsAsync(createNode({ region: 'eu', storage: { path: join(file, 'x') } }), {
    code: 'ERR_DWCP_STORAGE_UNAVAILABLE',
  });
});

test('a port in use is an error, and what was opened before is given back', async (t) => {
  const taken = await start(t, { region: 'eu' });
  const path = join(scratch(t), 'state');
  await t.throwsAsync(createNode({ region: 'eu', listen: taken.address!, storage: { path } }), {
    code: 'ERR_DWCP_CONNECT',
  });
  await t.notThrowsAsync(start(t, { region: 'eu', storage: { path } }));
});

test('plaintext off loopback is refused unless asked for by name', async (t) => {
  const listen = { host: '0.0.0.0', port: 0 };
  await t.throwsAsync(createNode({ region: 'eu', listen }), { code: 'ERR_DWCP_PLAINTEXT_REFUSED' });
  const node = await start(t, { region: 'eu', listen, allowPlaintext: true });
  t.regex(node.status().transport.reason, /plaintext was allowed/);
  const other = await start(t, { region: 'us', seeds: [{ ...node.address!, host: '127.0.0.1' }] });
  await other.linked(1, { signal: until() });
  t.is(other.status().peers[0]?.address, undefined, 'nobody is told to dial 0.0.0.0');
  const { peers, transport } = other.status();
  t.is(peers[0]?.tier, transport.tier);
  t.is(peers[0]?.tierReason, transport.reason);
  t.deepEqual(transport.attempts, ioStatus().attempts);
});

test('a linked node closes as soon as its calls are done: no stream of a peer holds it up', async (t) => {
  const first = await start(t, { nodeId: 'a', region: 'eu' });
  const second = await start(t, { nodeId: 'b', region: 'us', seeds: [first.address!] });
  await Promise.all([first.linked(1), second.linked(1)]);
  const beganMs = performance.now();
  await second.close();
  const tookMs = performance.now() - beganMs;
  t.true(tookMs < 500, `closing took ${Math.round(tookMs)} ms`);
});

test('close is idempotent, ends waits, and later calls say closed', async (t) => {
  const node = await createNode({ region: 'eu' });
  const waiting = node.linked(1);
  const keyspace = node.keyspace('a');
  await Promise.all([node.close(), node.close()]);
  await t.throwsAsync(waiting, { code: 'ERR_DWCP_CLOSED' });
  await t.throwsAsync(keyspace.put('k', Buffer.from('v')), { code: 'ERR_DWCP_CLOSED' });
  await t.throwsAsync(node.call('x', Buffer.alloc(0)), { code: 'ERR_DWCP_CLOSED' });
});

test('an identity turns on mutual TLS, and its names are the node’s', async (t) => {
  const now = systemClock.now();
  const validity = { random: systemRandom, notBeforeMs: now - hourMs, notAfterMs: now + hourMs };
  const authority = createAuthority({ name: 'test', ...validity });
  const identityOf = (region: string, nodeId: string): NonNullable<NodeOptions['identity']> => {
    const identity = { cluster: 'prod', region, nodeId };
    return { ...issueCertificate(authority, { identity, ...validity }), ca: authority.cert };
  };
  const a = await start(t, { region: 'eu', identity: identityOf('eu', 'eu-1') });
  const seeds = [a.address!];
  const b = await start(t, { region: 'us', identity: identityOf('us', 'us-1'), seeds });
  await b.linked(1, { signal: until() });
  t.is(b.nodeId, 'us-1');
  t.like(b.status().peers[0], { nodeId: 'eu-1', secure: true, tier: ioStatus().secured.tier });
  const seen = b.keyspace('s').watch();
  await a.keyspace('s').put('k', Buffer.from('secret'));
  const { value: change } = await seen.next();
  t.is(String(change?.value), 'secret');
  await t.throwsAsync(createNode({ region: 'us', identity: identityOf('eu', 'eu-2') }), {
    code: 'ERR_DWCP_IDENTITY',
    message: /region is us, but the certificate says eu/,
  });
});

test('an authorize hook keeps a keyspace and a service from a peer', async (t) => {
  const closed = new Set(['secret', 'admin']);
  const a = await start(t, {
    region: 'eu',
    nodeId: 'a',
    authorize: ({ peer, namespace }) => peer.nodeId !== 'b' || !closed.has(namespace),
  });
  const b = await start(t, { region: 'us', nodeId: 'b', seeds: [a.address!] });
  await b.linked(1, { signal: until() });
  a.handle('admin', () => Buffer.from('no'));
  a.handle('open', () => Buffer.from('yes'));
  const options = { deadlineMs: 3_000, idempotent: true };
  t.is(String(await b.call('open', Buffer.alloc(0), options)), 'yes');
  await t.throwsAsync(b.call('admin', Buffer.alloc(0), options), { code: 'ERR_DWCP_UNAUTHORIZED' });
  const open = b.keyspace('open').watch();
  b.keyspace('secret');
  await a.keyspace('secret').put('k', Buffer.from('hidden'));
  await a.keyspace('open').put('k', Buffer.from('shown'));
  await open.next();
  t.is(await b.keyspace('secret').get('k'), undefined);
});

test('local() starts a linked cluster; status names tiers, peers, regions and budgets', async (t) => {
  const cluster = await local({ regions: ['us', 'eu', 'ap'], nodesPerRegion: 2 });
  t.teardown(() => cluster.close());
  t.is(cluster.nodes.length, 6);
  t.throws(() => cluster.in('mars'), { code: 'ERR_DWCP_INVALID_ARG' });
  const status = cluster.in('us').status();
  t.is(status.peers.length, 5);
  const { tier: io } = ioStatus();
  t.true(status.peers.every(({ state, tier }) => state === 'alive' && tier === io));
  const alive = Object.fromEntries(status.regions.map((row) => [row.region, row.alive]));
  t.deepEqual(alive, { us: 2, eu: 2, ap: 2 });
  t.is(status.native.tier, nativeStatus().tier);
  t.true(status.native.reason.length > 10);
  t.true(status.budgets.length >= 8);
  t.true(status.budgets.every(({ limit, used }) => limit > 0 && used >= 0));
});

test('local() gives back every node when the mesh cannot form', async (t) => {
  const never = {
    tier: 'net',
    listen: () => Promise.resolve({ address: { host: 'nowhere', port: 1 }, close: async () => {} }),
    connect: () => new Promise<never>(() => {}),
  } as const;
  const options = { regions: ['us', 'eu'], transport: () => never, readyTimeoutMs: 200 };
  await t.throwsAsync(local(options), { code: 'ERR_DWCP_DEADLINE' });
  await t.throwsAsync(local({ regions: [] }), { code: 'ERR_DWCP_INVALID_ARG' });
});
