/** Identity, revocation and rights of running nodes, over real sockets and node:tls. */
import { X509Certificate } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import {
  createAuthority,
  type Credentials,
  issueCertificate,
} from '../../lib/crypto/certificates.ts';
import { createNode, type DwcpNode, type NodeIdentity, type NodeOptions } from '../../lib/index.ts';
import { systemRandom as random } from '../../lib/random.ts';

const now = Date.now();
const valid = { notBeforeMs: now - 86_400_000, notAfterMs: now + 86_400_000 };
const oldRoot = createAuthority({ name: 'old root', random, ...valid });
const newRoot = createAuthority({ name: 'new root', random, ...valid });
const both = oldRoot.cert + newRoot.cert;

function issue(nodeId: string, by: Credentials = oldRoot, ca = by.cert): NodeIdentity {
  const identity = { cluster: 'prod', region: 'eu', nodeId };
  return { ...issueCertificate(by, { identity, random, ...valid }), ca };
}

async function start(
  t: ExecutionContext,
  identity: NodeIdentity,
  more: Partial<NodeOptions> = {},
): Promise<DwcpNode> {
  const node = await createNode({ region: 'eu', identity, ...more });
  t.teardown(() => node.close());
  return node;
}

/** Nodes that know each other, each linked to all others. */
async function mesh(t: ExecutionContext, ...identities: NodeIdentity[]): Promise<DwcpNode[]> {
  const nodes: DwcpNode[] = [];
  for (const identity of identities) {
    const seeds = nodes.map((node) => node.address!);
    nodes.push(await start(t, identity, { seeds }));
  }
  const signal = AbortSignal.timeout(10_000);
  await Promise.all(nodes.map((node) => node.linked(nodes.length - 1, { signal })));
  return nodes;
}

async function until(t: ExecutionContext, what: string, holds: () => boolean): Promise<void> {
  const endMs = performance.now() + 5_000;
  while (!holds()) {
    if (performance.now() > endMs) return void t.fail(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const codeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'ok',
    (error: { code: string }) => error.code,
  );

test('certificates and roots rotate under load: no call fails, no link falls', async (t) => {
  const names = ['a', 'b', 'c'];
  const nodes = await mesh(t, ...names.map((name) => issue(name)));
  let down = 0;
  for (const node of nodes) {
    node.on('peerDown', () => (down += 1));
    node.handle('echo', (payload) => payload);
  }
  const keyspaces = nodes.map((node) => node.keyspace('state', { codec: 'json' }));
  await until(t, 'announcements', () => nodes.every((node) => node.serving('echo').length === 3));
  let [running, calls, puts] = [true, 0, 0];
  const failed: unknown[] = [];
  const load = nodes.flatMap((node, i) => [
    (async () => {
      while (running) {
        const payload = Buffer.from(`${calls}`);
        const reply = await node.call('echo', payload, { local: false }).catch((error: unknown) => {
          failed.push(error);
          return payload;
        });
        if (!reply.equals(payload)) failed.push(new Error('another reply'));
        calls += 1;
      }
    })(),
    (async () => {
      while (running) {
        await keyspaces[i]!.put(`${i}`, puts);
        puts += 1;
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    })(),
  ]);
  const steps: ((name: string) => NodeIdentity)[] = [
    (name) => issue(name, oldRoot, both),
    (name) => issue(name, newRoot, both),
    (name) => issue(name, newRoot),
  ];
  for (const step of steps) {
    for (const [i, node] of nodes.entries()) {
      const before = calls;
      node.setIdentity(step(names[i]!));
      await until(t, 'calls between the steps', () => calls > before + 50);
    }
  }
  running = false;
  await Promise.all(load);
  t.deepEqual(failed, []);
  t.is(down, 0);
  t.log(`${calls} calls and ${puts} puts during 9 rotations: 0 failed, 0 links lost`);
  // The new root is what counts now, for links that are made from here on.
  const seeds = [nodes[0]!.address!];
  const late = await start(t, issue('d', newRoot), { seeds });
  await late.linked(3, { signal: AbortSignal.timeout(5_000) });
  const old = await start(t, issue('e', oldRoot, both), { seeds });
  const refused = new Promise((resolve) => old.once('linkRefused', resolve));
  t.like(await refused, { error: { code: 'ERR_DWCP_CONNECT' } });
  await until(t, 'the refusal here', () => {
    return (nodes[0]!.status().security.refusedInbound['ERR_DWCP_IDENTITY'] ?? 0) > 0;
  });
  t.like(nodes[0]!.status().security.certificate, { uri: 'dwcp://prod/eu/a' });
});

test('a revoked peer loses its links within a second and is refused from then on', async (t) => {
  const [a, b, c] = await mesh(t, issue('a'), issue('b'), issue('c'));
  for (const node of [a!, b!, c!]) node.handle('echo', (payload) => payload);
  const startMs = performance.now();
  const lost = [a!, c!].map(
    (node) =>
      new Promise<{ nodeId: string; atMs: number; code: string | undefined }>((resolve) =>
        node.once('peerDown', ({ nodeId, error }) =>
          resolve({ nodeId, atMs: performance.now() - startMs, code: error?.code }),
        ),
      ),
  );
  const refused = new Promise<number>((resolve) =>
    a!.once('linkRefused', () => resolve(performance.now() - startMs)),
  );
  a!.setRevoked(['dwcp://prod/eu/b']);
  c!.setRevoked(['dwcp://prod/eu/b']);
  for (const { nodeId, atMs, code } of await Promise.all(lost)) {
    t.is(nodeId, 'b');
    t.is(code, 'ERR_DWCP_IDENTITY');
    t.true(atMs < 1_000, `${atMs} ms`);
  }
  const refusedMs = await refused;
  t.true(refusedMs < 1_000, `refused after ${refusedMs} ms`);
  t.is(await codeOf(b!.call('echo', Buffer.from('x'), { local: false })), 'ERR_DWCP_NO_ENDPOINT');
  t.is(await codeOf(a!.call('echo', Buffer.from('x'), { local: false })), 'ok');
  t.like(a!.status().security.gate, { revoked: 1, closedRevoked: 1 });
  t.true(a!.status().security.gate!.refusedRevoked > 0);
  a!.setRevoked([]);
  c!.setRevoked([]);
  await b!.linked(2, { signal: AbortSignal.timeout(8_000) });
  t.log(`links gone and a new handshake refused within ${refusedMs.toFixed(0)} ms`);
});

test('a leaked key is revoked by fingerprint; its node goes on with a new certificate', async (t) => {
  const leaked = issue('b');
  const [a, b] = await mesh(t, issue('a'), leaked);
  const down = new Promise((resolve) => a!.once('peerDown', resolve));
  b!.setIdentity(issue('b'));
  a!.setRevoked([new X509Certificate(leaked.cert).fingerprint256]);
  await down;
  await a!.linked(1, { signal: AbortSignal.timeout(5_000) });
  const thief = await start(t, leaked, { seeds: [a!.address!] });
  const refusal = new Promise((resolve) => thief.once('linkRefused', resolve));
  t.like(await refusal, { error: { code: 'ERR_DWCP_CONNECT' } });
});

test('rights hold for links, calls and keyspaces, and change while the node runs', async (t) => {
  const calls = { peers: 'dwcp://prod/eu/b', verbs: ['call'], namespaces: ['shop/*'] } as const;
  const a = await start(t, issue('a'), { rights: [calls] });
  for (const service of ['shop/buy', 'admin']) a.handle(service, () => Buffer.from(service));
  const seeds = [a.address!];
  const [b, c] = [await start(t, issue('b'), { seeds }), await start(t, issue('c'), { seeds })];
  const signal = AbortSignal.timeout(10_000);
  await b.linked(1, { signal });
  t.is(await codeOf(b.call('shop/buy', Buffer.alloc(0))), 'ok');
  t.is(await codeOf(b.call('admin', Buffer.alloc(0))), 'ERR_DWCP_UNAUTHORIZED');
  const refused = new Promise((resolve) => c.once('linkRefused', resolve));
  t.like(await refused, { error: { code: 'ERR_DWCP_UNAUTHORIZED' } });
  const [here, there] = [a, b].map((node) => node.keyspace('flags', { codec: 'json' }));
  await there!.put('from-b', true);
  await here!.put('from-a', true);
  const reads = { peers: 'dwcp://prod/*/b', verbs: ['state.read'], namespaces: ['flags'] } as const;
  const arrived = (async () => {
    for await (const { key } of there!.watch()) if (key === 'from-a') return;
  })();
  const relinked = new Promise((resolve) => b.once('peerUp', resolve));
  a.setRights([calls, reads]);
  await relinked;
  await arrived;
  // b may read, and not write.
  t.falsy(await here!.get('from-b'));
  t.is(await codeOf(b.call('shop/buy', Buffer.alloc(0))), 'ok');
  t.throws(() => a.setRights([{ ...calls, peers: 'b' }]), { code: 'ERR_DWCP_INVALID_ARG' });
  t.is(a.status().security.rights, 2);
  t.true(a.status().security.unauthorized > 0);
  a.setRights(undefined);
  await c.linked(1, { signal });
});

test('what does not belong to this node is refused, and changes nothing', async (t) => {
  const a = await start(t, issue('a'));
  const { certificate } = a.status().security;
  t.throws(() => a.setIdentity(issue('b')), { code: 'ERR_DWCP_IDENTITY' });
  t.throws(() => a.setIdentity({ ...issue('a'), key: issue('a').key }), {
    code: 'ERR_DWCP_IDENTITY',
  });
  t.throws(() => a.setIdentity({ ...issue('a'), ca: '' }), { code: 'ERR_DWCP_INVALID_ARG' });
  t.deepEqual(a.status().security.certificate, certificate);
  const plain = await createNode({ region: 'eu' });
  t.teardown(() => plain.close());
  t.throws(() => plain.setIdentity(issue('a')), { code: 'ERR_DWCP_IDENTITY' });
  t.throws(() => plain.setRevoked([]), { code: 'ERR_DWCP_INVALID_ARG' });
  await t.throwsAsync(createNode({ region: 'eu', revoked: ['dwcp://prod/eu/b'] }), {
    code: 'ERR_DWCP_INVALID_ARG',
    message: /options\.revoked/,
  });
  await t.throwsAsync(createNode({ region: 'eu', rights: [{} as never] }), {
    code: 'ERR_DWCP_INVALID_ARG',
    message: /rights\[0\]/,
  });
});

test('a peer gets calls only for services that it may serve', async (t) => {
  const peers = 'dwcp://prod/eu/b';
  const a = await start(t, issue('a'), {
    rights: [{ peers, verbs: ['serve'], namespaces: ['shop/*'] }],
  });
  const b = await start(t, issue('b'), { seeds: [a.address!] });
  let stolen = 0;
  b.handle('shop/buy', () => Buffer.from('bought'));
  b.handle('payments', () => {
    stolen += 1;
    return Buffer.alloc(0);
  });
  await b.linked(1, { signal: AbortSignal.timeout(10_000) });
  t.is(await codeOf(a.call('shop/buy', Buffer.alloc(0))), 'ok');
  t.is(await codeOf(a.call('payments', Buffer.alloc(0))), 'ERR_DWCP_NO_ENDPOINT');
  t.is(stolen, 0);
  const relinked = new Promise((resolve) => b.once('peerUp', resolve));
  a.setRights([{ peers, verbs: ['serve'] }]);
  await relinked;
  t.is(await codeOf(a.call('payments', Buffer.alloc(0))), 'ok');
  t.is(stolen, 1);
});
