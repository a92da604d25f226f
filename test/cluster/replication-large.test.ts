/** The demo's own case: successive releases of an 8.4 MB file over loopback sockets. */
import test from 'ava';
import { converged, eventually, icons, mesh, startNode } from './replication-rig.ts';

test('successive releases of an 8 MB file travel as deltas, every digest equal', async (t) => {
  const nodes = await Promise.all(['a', 'b', 'c'].map((name) => startNode(name)));
  t.teardown(async () => {
    await Promise.all(nodes.map((node) => node.close()));
  });
  const files = nodes.map((node) => node.replicator.keyspace('files'));
  mesh(nodes);
  await eventually('links', () => nodes.every(({ links }) => links.all().length === 2));
  await files[0]!.put('icons', icons(1));
  await converged(files);
  const [peer] = nodes[0]!.replicator.stats().peers;
  const [link] = nodes[0]!.links.all();
  const before = link!.stats();
  const full = peer!.sent.fullWireBytes;
  t.true(full < 1_300_000, `${full} bytes for the first value`);
  for (const release of [2, 3, 4, 5, 6] as const) {
    await files[0]!.put('icons', icons(release));
    await eventually('acknowledgements', () =>
      nodes[0]!.replicator.stats().peers.every(({ session }) => session?.synced),
    );
  }
  await converged(files);
  t.true((await files[2]!.get('icons'))?.equals(icons(6)));
  const after = nodes[0]!.replicator.stats();
  for (const { sent } of after.peers) {
    t.is(sent.fullCount, 1);
    t.is(sent.deltaCount, 5);
  }
  t.is(after.frameCache.encoded, 0, 'what was stored is what is sent');
  const now = link!.stats();
  const wire = now.bytesOut + now.bytesIn - before.bytesOut - before.bytesIn;
  const zstd = 5 * full;
  t.log(`wire ${wire} of zstd-3 about ${zstd}: ${(wire / zstd).toFixed(5)}`);
  t.true(wire <= 0.012 * zstd, `${wire} wire bytes`);
});
