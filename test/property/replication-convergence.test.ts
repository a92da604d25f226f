/**
 * Random writes on three nodes while links are cut at random: afterwards every node holds the same
 * versions with the same bytes, and every acknowledged write stands or was seen by what replaced it.
 */
import test from 'ava';
import { containsDot } from '../../lib/conflict/dot-ranges.ts';
import type { Dot } from '../../lib/conflict/index.ts';
import { DwcpError } from '../../lib/errors.ts';
import { seededRandom } from '../../lib/random.ts';
import type { Random } from '../../lib/random.ts';
import type { Keyspace } from '../../lib/replication/index.ts';
import { SimulatedNetwork } from '../../lib/testing/index.ts';
import { converged, eventually, mesh, startNode } from '../cluster/replication-rig.ts';
import type { RigNode } from '../cluster/replication-rig.ts';

type Files = Keyspace<'lww' | 'siblings', 'bytes'>;

interface Acked {
  readonly key: string;
  readonly dot: Dot;
}

const pick = <T>(random: Random, items: readonly T[]): T =>
  items[Math.floor(random.next() * items.length)]!;

/** One random write, sometimes with a context that has grown old. */
async function write(random: Random, files: Files, round: number): Promise<Acked> {
  const key = `k${Math.floor(random.next() * 8)}`;
  const { context, value } = await files.getEntry(key);
  const options = random.next() < 0.4 ? { context } : {};
  if (random.next() < 0.1) return { key, ...(await files.delete(key, options)) };
  const big = random.next() < 0.3;
  const bytes = big && value ? Buffer.from(value) : Buffer.alloc(big ? 20_000 : 20);
  bytes.write(`round ${round}`, Math.floor(random.next() * (bytes.length - 12)));
  return { key, ...(await files.put(key, bytes, options)) };
}

async function wreak(nodes: readonly RigNode[], keyspaces: readonly Files[], random: Random) {
  const pending: Promise<Acked>[] = [];
  for (let round = 0; round < 150; round++) {
    const writing = write(random, pick(random, keyspaces), round);
    pending.push(writing);
    if (random.next() < 0.5) await writing;
    if (random.next() > 0.1) continue;
    const cut = pick(random, nodes).links.all();
    if (cut.length > 0) pick(random, cut).close(new DwcpError('ERR_DWCP_LINK_DOWN', 'cut'));
  }
  return Promise.all(pending);
}

async function holdsAll(files: Files, acked: readonly Acked[]): Promise<boolean> {
  for (const { key, dot } of acked) {
    if (!containsDot((await files.getEntry(key)).context, dot)) return false;
  }
  return true;
}

for (const policy of ['lww', 'siblings'] as const) {
  for (const seed of [1, 2, 3]) {
    test(`${policy}: nodes converge and nothing acknowledged is lost (seed ${seed})`, async (t) => {
      const random = seededRandom(seed);
      const network = new SimulatedNetwork();
      const limits = { state: { inlineValueBytes: 4_096, maxChain: 4, maxSiblings: 500 } };
      const nodes = await Promise.all(
        ['a', 'b', 'c'].map((name) => startNode(name, { transport: network.transport(), limits })),
      );
      t.teardown(async () => {
        await Promise.all(nodes.map((node) => node.close()));
      });
      const keyspaces = nodes.map(({ replicator }) => replicator.keyspace('files', { policy }));
      mesh(nodes);
      const acked = await wreak(nodes, keyspaces, random);
      const seen = (): Set<number> =>
        new Set(nodes.map(({ replicator }) => replicator.stats().namespaces['files']!.writesSeen));
      await eventually('every write seen', () => seen().has(acked.length) && seen().size === 1);
      // `writesSeen` counts to the highest write of a replica; one before it may still be under way.
      for (const each of keyspaces) {
        await eventually('every acknowledged write seen', () => holdsAll(each, acked), 30_000);
      }
      await converged(keyspaces);
      for (const each of keyspaces) {
        for (const { key, dot } of acked) {
          const { context } = await each.getEntry(key);
          t.true(containsDot(context, dot), `${key} ${dot.replica}:${dot.seq}`);
        }
      }
    });
  }
}
