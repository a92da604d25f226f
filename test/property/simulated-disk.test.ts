/** The simulated disk against a model: what power loss, death and I/O errors may take, and what not. */
import { isDeepStrictEqual } from 'node:util';
import test from 'ava';
import * as fc from 'fast-check';
import { systemClock } from '../../lib/clock.ts';
import { seededRandom } from '../../lib/random.ts';
import { OrderedMap } from '../../lib/storage/ordered-map.ts';
import type { Storage, StorageOp, StorageRange } from '../../lib/storage/storage.ts';
import { SimulatedDisk } from '../../lib/testing/simulated-disk.ts';

const everything: StorageRange = { gte: Buffer.alloc(0), lt: Buffer.alloc(9, 0xff) };
const key = fc.uint8Array({ minLength: 1, maxLength: 2 });
const op: fc.Arbitrary<StorageOp> = fc.oneof(
  fc.record({ type: fc.constant('put' as const), key, value: fc.uint8Array({ maxLength: 3 }) }),
  fc.record({ type: fc.constant('delete' as const), key }),
);

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function applied(batches: readonly (readonly StorageOp[])[]): Map<string, string> {
  const model = new Map<string, string>();
  for (const one of batches.flat()) {
    if (one.type === 'put') model.set(hex(one.key), hex(one.value));
    else model.delete(hex(one.key));
  }
  return model;
}

async function content(storage: Storage): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const [k, v] of storage.scan(everything)) found.set(hex(k), hex(v));
  return found;
}

const byKey = ([a]: [string, string], [b]: [string, string]): number => (a < b ? -1 : 1);

test('power loss keeps every durable batch, and of the rest whole batches from the start', async (t) => {
  const batches = fc.array(fc.record({ ops: fc.array(op), durable: fc.boolean() }));
  const property = fc.asyncProperty(batches, fc.nat(), async (list, seed) => {
    const disk = new SimulatedDisk({ random: seededRandom(seed), clock: systemClock });
    const { storage } = await disk.open();
    for (const { ops, durable } of list) await storage.batch(ops, { durable });
    disk.losePower();
    const again = await disk.open();
    const found = await content(again.storage);
    const durable = list.findLastIndex((batch) => batch.durable) + 1;
    const possible = Array.from({ length: list.length - durable + 1 }, (_, extra) =>
      applied(list.slice(0, durable + extra).map(({ ops }) => ops)),
    );
    if (!possible.some((model) => isDeepStrictEqual(model, found))) throw new Error('torn');
  });
  await t.notThrowsAsync(fc.assert(property, { numRuns: 150 }));
});

/** What five rounds of unsynced writes and power loss leave. */
async function lossyRounds(): Promise<Map<string, string>[]> {
  const disk = new SimulatedDisk({ random: seededRandom(3), clock: systemClock });
  const seen: Map<string, string>[] = [];
  for (let round = 0; round < 5; round += 1) {
    const { storage } = await disk.open();
    for (let n = 0; n < 5; n += 1) {
      const ops: StorageOp[] = [{ type: 'put', key: Buffer.of(round, n), value: Buffer.of(1) }];
      await storage.batch(ops, { durable: false });
    }
    disk.losePower();
    const after = await disk.open();
    seen.push(await content(after.storage));
    await after.close();
  }
  return seen;
}

test('the same seed loses the same batches', async (t) => {
  const first = await lossyRounds();
  t.deepEqual(first, await lossyRounds());
  t.true(new Set(first.map(({ size }) => size)).size > 1);
});

test('power loss ends what is under way, and the old holder stays dead', async (t) => {
  const disk = new SimulatedDisk({ random: seededRandom(1), clock: systemClock, syncMs: 1 });
  const before = await disk.open();
  const ops: StorageOp[] = [{ type: 'put', key: Buffer.of(1), value: Buffer.of(1) }];
  const writing = before.storage.batch(ops);
  const blob = before.blobs.put('ab'.repeat(16), Buffer.of(1));
  const closed = { code: 'ERR_DWCP_CLOSED' };
  await Promise.all([
    t.throwsAsync(writing, closed),
    t.throwsAsync(blob, closed),
    Promise.resolve().then(() => disk.losePower()),
  ]);
  const after = await disk.open();
  await t.throwsAsync(before.storage.get(Buffer.of(1)), closed);
  await t.throwsAsync(before.storage.batch(ops), closed);
  await before.close();
  await after.storage.batch(ops);
  t.is((await content(after.storage)).size, 1);
});

test('death of the process keeps what was written; I/O errors are coded and pass', async (t) => {
  const disk = new SimulatedDisk({ random: seededRandom(1), clock: systemClock });
  const before = await disk.open();
  const ops: StorageOp[] = [{ type: 'put', key: Buffer.of(1), value: Buffer.of(1) }];
  disk.failWrites(1);
  await t.throwsAsync(before.storage.batch(ops), { code: 'ERR_DWCP_STORAGE' });
  disk.failReads(1);
  await t.throwsAsync(before.storage.get(Buffer.of(1)), { code: 'ERR_DWCP_STORAGE' });
  t.is((await content(before.storage)).size, 0);
  await before.storage.batch(ops, { durable: false });
  disk.killHolder();
  const after = await disk.open();
  t.is((await content(after.storage)).size, 1);
});

test('the ordered map is a sorted map: pages, reverse, across many blocks', (t) => {
  const bound = fc.uint8Array({ maxLength: 2 });
  const range = fc.record({ gte: bound, lt: bound, reverse: fc.boolean() });
  const ops = fc.array(op, { minLength: 1, maxLength: 4000, size: 'max' });
  const property = fc.property(ops, range, fc.nat({ max: 1500 }), (list, part, limit) => {
    const map = new OrderedMap();
    map.apply(list);
    const model = applied([list]);
    if (map.size !== model.size) throw new Error('size');
    const [gte, lt] = [hex(part.gte), hex(part.lt)];
    const inRange = [...model].filter(([k]) => k >= gte && k < lt).toSorted(byKey);
    const expected = (part.reverse ? inRange.toReversed() : inRange).slice(0, limit);
    const found = map.page(part, limit).map(([k, v]) => [hex(k), hex(v)]);
    if (!isDeepStrictEqual(found, expected)) throw new Error('page');
    for (const one of list.slice(0, 50)) {
      const value = map.get(one.key);
      if ((value && hex(value)) !== model.get(hex(one.key))) throw new Error('get');
    }
    if (map.clone().page(part, limit).length !== expected.length) throw new Error('clone');
  });
  t.notThrows(() => fc.assert(property, { numRuns: 60 }));
});
