/** What a newly joined node costs: its time grows with the number of keys, and not faster. */
import test from 'ava';
import { systemClock } from '../../lib/clock.ts';
import { mesh, startNode } from './replication-rig.ts';

/** Until a node that joins has `count` keys of 300 B: time, and processor time of both nodes, ms. */
async function join(count: number): Promise<{ wallMs: number; cpuMs: number }> {
  const a = await startNode('a');
  const b = await startNode('b');
  try {
    const [from, to] = [a, b].map(({ replicator }) => replicator.keyspace('files'));
    const value = Buffer.alloc(300, 'x');
    await Promise.all(Array.from({ length: count }, (_, i) => from!.put(`key/${i}`, value)));
    let seen = 0;
    const fresh = new Promise<void>((resolve) => {
      to!.subscribe(() => void (++seen === count && resolve()));
    });
    const startMs = systemClock.monotonic();
    const before = process.cpuUsage();
    mesh([a, b]);
    await fresh;
    const { user, system } = process.cpuUsage(before);
    return { wallMs: systemClock.monotonic() - startMs, cpuMs: (user + system) / 1000 };
  } finally {
    await Promise.all([a.close(), b.close()]);
  }
}

test('a node that joins gets 20,000 keys in a time that grows with their number', async (t) => {
  t.timeout(110_000);
  await join(1_000);
  const few = await join(5_000);
  const many = await join(20_000);
  const figures = `5,000 keys: ${JSON.stringify(few)}, 20,000: ${JSON.stringify(many)}`;
  t.log(figures);
  t.true(many.wallMs < 60_000, figures);
  // Quadratic growth would be sixteenfold. Processor time, because neighbours do not change it.
  t.true(many.cpuMs / few.cpuMs <= 6, figures);
});
