/** Replication when processes die, links stall, peers are slow and bytes are wrong. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { Channel } from '../../lib/links/link.ts';
import { seededRandom } from '../../lib/random.ts';
import { openStorage } from '../../lib/storage/index.ts';
import { partitioned, profiles, shapeTransport, SimulatedDisk } from '../../lib/testing/index.ts';
import type { LinkProfile, ShapedTransport } from '../../lib/testing/index.ts';
import { systemClock } from '../../lib/clock.ts';
import { netTransport } from '../../lib/transport/index.ts';
import { largeValue } from './replication-child.ts';
import { converged, eventually, startNode } from './replication-rig.ts';
import type { RigNode, RigOptions } from './replication-rig.ts';

const text = (value: string): Buffer => Buffer.from(value);

async function start(t: ExecutionContext, name: string, options?: RigOptions): Promise<RigNode> {
  const node = await startNode(name, options);
  t.teardown(() => node.close());
  return node;
}

async function folder(t: ExecutionContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'dwcp-replication-'));
  t.teardown(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** A transport whose links follow `profile`, changed with `set`. */
function shaped(profile: LinkProfile): ShapedTransport & { set(profile: LinkProfile): void } {
  let now = profile;
  const transport = shapeTransport(netTransport(), () => now);
  return Object.assign(transport, {
    set(next: LinkProfile) {
      now = next;
      transport.refresh();
    },
  });
}

test('kill -9 between acknowledgement and read loses nothing', async (t) => {
  const path = await folder(t);
  const script = fileURLToPath(new URL('replication-child.js', import.meta.url));
  const child = spawn(process.execPath, [script, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  let acked = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    acked = Number(line);
    if (acked === 25) child.kill('SIGKILL');
  }
  t.deepEqual(await exited, [null, 'SIGKILL']);
  const node = await start(t, 'again', { open: await openStorage({ path }) });
  const files = node.replicator.keyspace('files');
  const small = Number((await files.get('small'))?.toString());
  t.true(small === acked || small === acked + 1, `${small} after ${acked} was acknowledged`);
  const large = await files.get('large');
  t.true([acked, acked + 1].some((n) => large?.equals(largeValue(n))));
});

test('a node that restarts resumes from its vector: only what it lacks is sent', async (t) => {
  const path = await folder(t);
  const a = await start(t, 'a');
  let b = await startNode('b', { open: await openStorage({ path }) });
  const from = a.replicator.keyspace('files');
  a.links.dial(b.address);
  const bytes = Buffer.from(seededRandom(2).bytes(200_000));
  await from.put('big', bytes);
  for (let i = 0; i < 20; i++) await from.put(`k${i}`, text(`v${i}`));
  await converged([from, b.replicator.keyspace('files')]);
  await b.close();
  bytes.write('changed while b was down');
  await from.put('big', bytes);
  await from.put('new', text('new'));
  await from.delete('k3');
  b = await start(t, 'b', { open: await openStorage({ path }) });
  const to = b.replicator.keyspace('files');
  a.links.dial(b.address);
  await converged([from, to]);
  t.true((await to.get('big'))?.equals(bytes));
  const { received } = b.replicator.stats().peers[0]!;
  t.is(received.deltaCount, 1);
  t.is(received.fullCount, 1);
  t.is(received.tombstones, 1);
});

test('a partition heals: both sides go on, both writes are found afterwards', async (t) => {
  const transport = shaped(profiles.none);
  const limits = { link: { handshakeTimeoutMs: 500 } };
  const a = await start(t, 'a', { transport, limits });
  const b = await start(t, 'b', { limits });
  const [left, right] = [a, b].map(({ replicator }) => replicator.keyspace('files'));
  a.links.dial(b.address);
  await left!.put('k', text('before'));
  await converged([left!, right!]);
  transport.set(partitioned(profiles.none));
  const watch = right!.watch('k');
  await left!.put('k', text('left'));
  await right!.put('k', text('right'));
  await left!.put('only-left', text('1'));
  await right!.put('only-right', text('2'));
  transport.set(profiles.none);
  await eventually('both sides', () => left!.conflicts > 0 && right!.conflicts > 0);
  await converged([left!, right!]);
  t.is((await left!.get('only-right'))?.toString(), '2');
  t.is((await right!.get('only-left'))?.toString(), '1');
  const winner = (await left!.get('k'))!.toString();
  for (const each of [left!, right!]) {
    for await (const record of each.audit({ key: 'k' })) {
      const loser = (await record.loserValue())!.toString();
      t.deepEqual([winner, loser].toSorted(), ['left', 'right']);
    }
  }
  await watch.return?.();
});

test('a stalled peer costs a bounded amount, then gets the latest of every key', async (t) => {
  const transport = shaped(profiles.none);
  const maxInFlightBytes = 1_000_000;
  const a = await start(t, 'a', { transport, limits: { state: { maxInFlightBytes } } });
  const b = await start(t, 'b');
  const [from, to] = [a, b].map(({ replicator }) => replicator.keyspace('files'));
  a.links.dial(b.address);
  await from!.put('k', text('start'));
  await converged([from!, to!]);
  transport.set({ outbound: { stalled: true }, inbound: { stalled: true } });
  const blob = Buffer.from(seededRandom(4).bytes(60_000));
  let peak = 0;
  for (let i = 0; i < 120; i++) {
    blob.write(`round ${i}`);
    await from!.put(`k${i % 40}`, blob);
    const { session } = a.replicator.stats().peers[0]!;
    peak = Math.max(peak, session!.inFlightBytes);
    t.true(session!.waitingKeys <= 41);
  }
  await eventually('updates in flight', () => {
    peak = Math.max(peak, a.replicator.stats().peers[0]!.session!.inFlightBytes);
    return peak > 0;
  });
  t.true(peak > 0 && peak <= maxInFlightBytes + 32 * 61_000, `${peak} bytes in flight`);
  transport.set(profiles.none);
  await converged([from!, to!]);
  t.true((await to!.get('k39'))!.subarray(0, 9).toString() === 'round 119');
});

test('damaged and foreign bytes on a state stream are refused; replication goes on', async (t) => {
  const [a, b] = [await start(t, 'a'), await start(t, 'b')];
  const [from, to] = [a, b].map(({ replicator }) => replicator.keyspace('files'));
  a.links.dial(b.address);
  await from!.put('k', text('1'));
  await converged([from!, to!]);
  const random = seededRandom(6);
  const [link] = a.links.all();
  for (let i = 0; i < 300; i++) {
    const stream = link!.open(Channel.state);
    stream.onMessage(() => undefined);
    stream.onClose(() => undefined);
    const garbage = Buffer.from(random.bytes(1 + Math.floor(random.next() * 200)));
    if (i % 2 === 0) garbage[0] = 1;
    stream.send(garbage, { end: true }).catch(() => undefined);
  }
  await from!.put('k', text('2'));
  await eventually('update', async () => (await to!.get('k'))?.toString() === '2');
  t.is(a.links.all().length, 1);
});

test('a store that cannot write takes nothing and acknowledges nothing', async (t) => {
  const disk = new SimulatedDisk({ random: seededRandom(1), clock: systemClock });
  const a = await start(t, 'a');
  const b = await start(t, 'b', { open: await disk.open() });
  const [from, to] = [a, b].map(({ replicator }) => replicator.keyspace('files'));
  a.links.dial(b.address);
  await from!.put('k', text('1'));
  await converged([from!, to!]);
  disk.failWrites(1_000);
  await from!.put('k', text('2'));
  await eventually('nack', () => a.replicator.stats().peers[0]!.nacksReceived > 0);
  t.is((await to!.get('k'))?.toString(), '1');
  t.is(a.replicator.stats().peers[0]!.session!.synced, false);
});

test('a store restored from an old copy takes a new replica id and gets its writes back', async (t) => {
  const disk = new SimulatedDisk({ random: seededRandom(1), clock: systemClock });
  const a = await startNode('a', { open: await disk.open() });
  const b = await start(t, 'b');
  const to = b.replicator.keyspace('files');
  a.links.dial(b.address);
  await a.replicator.keyspace('files').put('k', text('old'));
  const copy = new SimulatedDisk({ random: seededRandom(1), clock: systemClock });
  const copied = await copy.open();
  const every = { gte: Buffer.of(0), lt: Buffer.of(255) };
  for await (const [key, value] of a.open.storage.scan(every)) {
    await copied.storage.batch([{ type: 'put', key, value }]);
  }
  await a.replicator.keyspace('files').put('k', text('new'));
  await eventually('at b', async () => (await to.get('k'))?.toString() === 'new');
  const { replicaId } = a.replicator;
  await a.close();
  const restored = await start(t, 'a', { open: copied });
  const files = restored.replicator.keyspace('files');
  t.is(restored.replicator.replicaId, replicaId);
  restored.links.dial(b.address);
  await eventually('returned', async () => (await files.get('k'))?.toString() === 'new');
  t.not(restored.replicator.replicaId, replicaId);
  await files.put('k', text('newer'));
  await eventually('at b', async () => (await to.get('k'))?.toString() === 'newer');
});
