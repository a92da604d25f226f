/** A cluster changes its release node by node, under calls: mixed wire versions link and serve each other. */
import test from 'ava';
import type { DwcpError } from '../../lib/errors.ts';
import type { Hello, NodeLinks } from '../../lib/links/link.ts';
import {
  createRpc,
  defineService,
  serverStream,
  systemClock as clock,
  systemRandom as random,
  unary,
  type Rpc,
} from '../../lib/rpc/index.ts';
import type { Address } from '../../lib/transport/frame-pipe.ts';
import { anyPort, helloOf, linked, linksOf, refused } from '../fakes/node-rig.ts';

const service = defineService({
  name: 'numbers',
  methods: {
    double: unary<number, number>({ idempotent: true }),
    count: serverStream<number, number>(),
  },
});

interface Release {
  readonly links: NodeLinks;
  readonly rpc: Rpc;
  readonly address: Address;
  close(): Promise<void>;
}

/** A node of a release that speaks these versions. */
async function start(
  nodeId: string,
  [wireMin, wireMax]: readonly [number, number],
  incarnation = 1,
  at: Address = anyPort,
): Promise<Release> {
  const hello: Hello = helloOf(nodeId, { wireMin, wireMax, incarnation });
  const links = linksOf(hello);
  const rpc = createRpc({ links, self: { nodeId, region: 'eu' }, clock, random });
  rpc.serve(service, {
    double: (n) => 2 * n,
    *count(n) {
      for (let i = 1; i <= n; i += 1) yield i;
    },
  });
  const address = await links.listen(at);
  const close = async (): Promise<void> => {
    await rpc.close(2_000);
    await links.close(200);
  };
  return { links, rpc, address, close };
}

async function collect(items: AsyncIterable<number>): Promise<number[]> {
  const all: number[] = [];
  for await (const item of items) all.push(item);
  return all;
}

async function serving(rpc: Rpc, name: string, nodes: number): Promise<void> {
  const endMs = performance.now() + 5_000;
  while (rpc.serving(name).filter((id) => id !== 'caller').length < nodes) {
    if (performance.now() > endMs) throw new Error(`${nodes} nodes never served ${name}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('node after node of release 1 becomes release 2: no call fails, streams work as soon as they can', async (t) => {
  const names = ['n1', 'n2', 'n3'];
  const nodes = await Promise.all(names.map((name) => start(name, [1, 1])));
  const caller = linksOf(helloOf('caller'));
  const rpc = createRpc({ links: caller, self: { nodeId: 'caller', region: 'eu' }, clock, random });
  for (const { address } of nodes) caller.dial(address);
  await serving(rpc, 'numbers/double', 3);
  const client = service.client(rpc);
  // Only release 1 serves it: refused before anything is sent.
  await t.throwsAsync(collect(client.count(3)), { code: 'ERR_DWCP_FRAME_VERSION' });

  let [running, calls] = [true, 0];
  const failed: unknown[] = [];
  const load = Promise.all(
    Array.from({ length: 4 }, async () => {
      while (running) {
        const doubled = await client.double(calls).catch((error: unknown) => {
          failed.push(error);
          return undefined;
        });
        if (doubled !== undefined) calls += 1;
        await new Promise((resolve) => setImmediate(resolve));
      }
    }),
  );
  for (const [i, name] of names.entries()) {
    const before = calls;
    const up = new Promise((resolve) =>
      caller.on('up', ({ peer }) => peer.nodeId === name && peer.wireMax === 2 && resolve(peer)),
    );
    const { address } = nodes[i]!;
    await nodes[i]!.close();
    nodes[i] = await start(name, [1, 2], 2, address);
    await up;
    await serving(rpc, 'numbers/double', 3);
    // One node of the new release is enough.
    t.deepEqual(await collect(client.count(3)), [1, 2, 3]);
    t.true(calls > before);
  }
  running = false;
  await load;
  t.deepEqual(failed, []);
  await rpc.close();
  await caller.close(100);
  await Promise.all(nodes.map((node) => node.close()));
});

test('a release that left version 1 behind refuses it, links with its neighbours, and counts why', async (t) => {
  const [old, between, next] = [
    await start('old', [1, 1]),
    await start('between', [1, 2]),
    await start('next', [2, 3]),
  ];
  between.links.dial(old.address);
  between.links.dial(next.address);
  await Promise.all([linked(between.links, 'old'), linked(between.links, 'next')]);
  t.is(await service.client(between.rpc).double(4), 8);
  const both: Promise<DwcpError>[] = [refused(old.links), refused(next.links)];
  old.links.dial(next.address);
  for (const error of await Promise.all(both)) {
    t.is(error.code, 'ERR_DWCP_HANDSHAKE');
    t.regex(error.message, /no common wire version/);
  }
  for (const { links } of [old, next]) {
    t.true((links.stats().refusedByCode['ERR_DWCP_HANDSHAKE'] ?? 0) > 0);
    t.is(links.all().length, 1);
  }
  await Promise.all([old, between, next].map((node) => node.close()));
});
