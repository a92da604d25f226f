/** Membership over real links: a mesh from one seed, leaving, coming back, malformed gossip. */
import test from 'ava';
import { systemClock } from '../../lib/clock.ts';
import { Channel } from '../../lib/links/link.ts';
import type { NodeLinks } from '../../lib/links/link.ts';
import { seeds } from '../../lib/membership/discovery.ts';
import { Membership } from '../../lib/membership/membership.ts';
import { systemRandom } from '../../lib/random.ts';
import type { Address } from '../../lib/transport/frame-pipe.ts';
import { anyPort, helloOf, linked, linksOf, settled, until } from '../fakes/node-rig.ts';

interface Node {
  readonly links: NodeLinks;
  readonly membership: Membership;
  readonly address: Address;
}

async function start(nodeId: string, seed?: Address, incarnation = 1): Promise<Node> {
  const links = linksOf(helloOf(nodeId, { incarnation }));
  const address = await links.listen(anyPort);
  const membership = new Membership({
    links,
    self: { nodeId, incarnation, region: 'eu', address },
    clock: systemClock,
    random: systemRandom,
    discovery: seeds(seed === undefined ? [] : [seed]),
  });
  return { links, membership, address };
}

async function stop(...nodes: readonly Node[]): Promise<void> {
  for (const { membership } of nodes) membership.close();
  await Promise.all(nodes.map(({ links }) => links.close(50)));
}

test('a mesh of six forms from one seed in under two seconds', async (t) => {
  const startMs = systemClock.monotonic();
  const seed = await start('n0');
  const others = await Promise.all([1, 2, 3, 4, 5].map((i) => start(`n${i}`, seed.address)));
  const nodes = [seed, ...others];
  const links = nodes.map((node) => node.links);
  await settled(links, 'full mesh', () => links.every((one) => one.all().length === 5));
  const tookMs = systemClock.monotonic() - startMs;
  t.true(tookMs < 2_000, `took ${Math.round(tookMs)} ms`);
  t.log(`mesh of six in ${Math.round(tookMs)} ms`);
  for (const { membership } of nodes) t.is(membership.members().length, 5);
  t.is(
    links.reduce((sum, one) => sum + one.stats().replaced, 0),
    0,
  );
  await stop(...nodes);
});

test('a node that leaves in order is told to all and not dialled again', async (t) => {
  const a = await start('a');
  const b = await start('b', a.address);
  const c = await start('c', a.address);
  const all = [a.links, b.links, c.links];
  await settled(all, 'full mesh', () => all.every((one) => one.all().length === 2));
  const left = [a, b].map(({ membership }) =>
    until<string>(2_000, 'leave', (done) => membership.once('leave', (m) => done(m.nodeId))),
  );
  await c.membership.leave();
  await stop(c);
  t.deepEqual(await Promise.all(left), ['c', 'c']);
  t.deepEqual(
    a.membership.members().map(({ nodeId }) => nodeId),
    ['b'],
  );
  await settled([a.links, b.links], 'no link to c', () => !a.links.get('c') && !b.links.get('c'));
  // Only the seed is still dialled: c's address, which b had dialled, was forgotten.
  t.is(a.links.stats().addresses, 0);
  t.is(b.links.stats().addresses, 1);
  await stop(a, b);
});

test('a node that comes back with a new incarnation joins again', async (t) => {
  const a = await start('a');
  const b = await start('b', a.address);
  await linked(a.links, 'b');
  await b.membership.leave();
  await stop(b);
  const joined = until<number>(2_000, 'join', (done) =>
    a.membership.on('join', (member) => done(member.incarnation)),
  );
  const again = await start('b', a.address, 2);
  t.is(await joined, 2);
  await stop(a, again);
});

test('an address change is gossiped, also through third nodes', async (t) => {
  const a = await start('a');
  const b = await start('b', a.address);
  await linked(b.links, 'a');
  const updated = until<string>(2_000, 'update', (done) =>
    b.membership.on('update', (member) => done(member.region)),
  );
  await until<void>(2_000, 'a known to b', (done) =>
    b.membership.get('a') === undefined ? b.membership.once('join', () => done()) : done(),
  );
  a.membership.announce({ address: a.address, region: 'us' });
  t.is(await updated, 'us');
  await stop(a, b);
});

test('a discovery names whom to dial, learns of this node, and its vanished addresses are let go', async (t) => {
  const a = await start('a');
  const links = linksOf(helloOf('b'));
  let found: (addresses: readonly Address[]) => void = () => t.fail('not watched');
  const announced: string[] = [];
  let ended = false;
  const membership = new Membership({
    links,
    self: { nodeId: 'b', incarnation: 1, region: 'eu', address: undefined },
    clock: systemClock,
    random: systemRandom,
    discovery: {
      watch: (onAddresses) => {
        found = onAddresses;
        return () => (ended = true);
      },
      announce: ({ nodeId, region }, signal) => {
        announced.push(`${nodeId} ${region}`);
        signal.addEventListener('abort', () => announced.push('withdrawn'));
        return Promise.reject(new Error('a discovery that is down harms nothing'));
      },
    },
  });
  found([a.address]);
  await linked(links, 'a');
  found([]);
  await settled([links], 'the link to go', () => links.stats().addresses === 0);
  membership.announce({ address: undefined, region: 'us' });
  membership.close();
  t.deepEqual(announced, ['b eu', 'withdrawn', 'b us', 'withdrawn']);
  t.true(ended);
  await links.close(0);
  await stop(a);
});

test('malformed gossip costs its stream, not the link and not the table', async (t) => {
  const a = await start('a');
  const rogue = linksOf(helloOf('rogue'));
  rogue.dial(a.address);
  const link = await linked(rogue, 'a');
  for (const bad of ['not json', '{"members":[{"nodeId":"a/b"}]}', '{"members":7}']) {
    const stream = link.open(Channel.membership);
    const closed = until<unknown>(2_000, 'reset', (done) => stream.onClose(done));
    await stream.send(Buffer.from(bad));
    t.like(await closed, { code: 'ERR_DWCP_STREAM_RESET' });
  }
  t.is(a.membership.snapshot().rejected, 3);
  t.is(a.membership.members().length, 0);
  t.is(rogue.get('a'), link);
  await stop(a);
  await rogue.close(0);
});
