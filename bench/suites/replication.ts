/**
 * Replication against what it stands on: small keys against bare durable puts of the same records, with as
 * many at once, into the same kind of store; event-loop delay of large updates against one zstd-3 call
 * on the value. Three nodes in this process, over loopback, each with a store on disk.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { compress } from '../../lib/compression/index.ts';
import { local } from '../../lib/node/index.ts';
import type { LocalCluster } from '../../lib/node/index.ts';
import type { Keyspace } from '../../lib/replication/index.ts';
import { openStorage } from '../../lib/storage/index.ts';
import { iconReleases } from '../codec-data.ts';
import type { Measurement, Suite, SuiteContext } from '../suite.ts';

const KEYS = 5_000;
const RECORD_BYTES = 300;
const AT_ONCE = 64;
const ROUNDS = 3;
/** Quiet time between large updates, as between releases, ms. */
const PAUSE_MS = 150;

type Files = Keyspace<'lww', 'bytes'>;

/** A record of `RECORD_BYTES`, half text, half not compressible. */
function record(number: number): Buffer {
  const text = JSON.stringify({ id: number, name: `user ${number}`, region: 'eu', active: true });
  const bytes = Buffer.alloc(RECORD_BYTES, text);
  for (let i = RECORD_BYTES / 2; i < RECORD_BYTES; i++) {
    bytes[i] = Math.imul(number * 31 + i, 0x9e3779b1) >>> 24;
  }
  return bytes;
}

/** Records per second through `put`, `AT_ONCE` under way. */
async function throughput(put: (key: string, value: Buffer) => Promise<unknown>): Promise<number> {
  const values = Array.from({ length: KEYS }, (_, i) => record(i));
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let i = next++; i < KEYS; i = next++) await put(`key/${i}`, values[i]!);
  };
  const startMs = performance.now();
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return KEYS / ((performance.now() - startMs) / 1000);
}

/** Bare durable puts per second of the storage room. */
async function bare(path: string): Promise<number> {
  const { storage, close } = await openStorage({ path });
  const rate = await throughput((key, value) =>
    storage.batch([{ type: 'put', key: Buffer.from(key), value }]),
  );
  await close();
  return rate;
}

/** Resolves when a keyspace has seen `count` changes. */
function changes(files: Files, count: number): Promise<void> {
  let seen = 0;
  return new Promise((resolve) => {
    const stop = files.subscribe(() => {
      if (++seen < count) return;
      stop();
      resolve();
    });
  });
}

interface Rates {
  readonly bare: number;
  readonly put: number;
  readonly fresh: number;
  readonly wireBytes: number;
}

async function smallKeys(folder: string, round: number): Promise<Rates> {
  const before = await bare(join(folder, `bare-${round}`));
  const alone = await cluster(join(folder, `alone-${round}`), ['us']);
  const put = await throughput((key, value) => alone.in('us').keyspace('k').put(key, value));
  await alone.close();
  const three = await cluster(join(folder, `three-${round}`), ['us', 'eu', 'ap']);
  const [us, ...others] = three.nodes.map((node) => node.keyspace('k'));
  const sentBytes = (): number => three.in('us').status().peers[0]!.bytesOut;
  const sentBefore = sentBytes();
  const fresh = others.map((files) => changes(files, KEYS));
  const startMs = performance.now();
  await throughput((key, value) => us!.put(key, value));
  await Promise.all(fresh);
  const freshRate = KEYS / ((performance.now() - startMs) / 1000);
  const wireBytes = (sentBytes() - sentBefore) / KEYS;
  await three.close();
  const after = await bare(join(folder, `bare-${round}-again`));
  return { bare: (before + after) / 2, put, fresh: freshRate, wireBytes };
}

function cluster(folder: string, regions: readonly string[]): Promise<LocalCluster> {
  return local({ regions, node: ({ nodeId }) => ({ storage: { path: join(folder, nodeId) } }) });
}

/** The worst delay of the event loop in each of a row of large updates, ms; sorted. */
async function largeUpdates(folder: string): Promise<number[]> {
  const versions = iconReleases();
  const two = await cluster(folder, ['us', 'eu']);
  const [us, eu] = two.nodes.map((node) => node.keyspace('k'));
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const worst: number[] = [];
  for (let update = 0; update <= 12; update++) {
    const fresh = changes(eu!, 1);
    delay.reset();
    delay.enable();
    await us!.put('icons', versions[update % versions.length]!);
    await fresh;
    delay.disable();
    if (update > 0) worst.push(delay.max / 1e6);
    await sleep(PAUSE_MS);
  }
  await two.close();
  return worst.toSorted((a, b) => a - b);
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

function zstdMs(): number {
  const [value] = iconReleases();
  const times = [1, 2, 3].map(() => {
    const startMs = performance.now();
    compress(value!);
    return performance.now() - startMs;
  });
  return middle(times);
}

async function* run({ log }: SuiteContext): AsyncGenerator<Measurement> {
  const folder = mkdtempSync(join(tmpdir(), 'dwcp-bench-'));
  try {
    const rounds: Rates[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      log(`small keys, round ${round + 1} of ${ROUNDS}`);
      rounds.push(await smallKeys(folder, round));
    }
    const rate = (of: (rates: Rates) => number): string => middle(rounds.map(of)).toFixed(0);
    const better = 'higher';
    const perSecond = (of: (rates: Rates) => number): string =>
      `${rate(of)} / ${rate((each) => each.bare)} per second`;
    yield {
      name: `put of ${RECORD_BYTES} B, ${AT_ONCE} at once: per second / bare durable puts`,
      ratio: middle(rounds.map((each) => each.put / each.bare)),
      better,
      bar: 0.15,
      detail: perSecond((each) => each.put),
    };
    yield {
      name: `${RECORD_BYTES} B fresh on two peers, three nodes in one process: per second / bare durable puts`,
      ratio: middle(rounds.map((each) => each.fresh / each.bare)),
      better,
      bar: 0.03,
      detail: perSecond((each) => each.fresh),
    };
    const wireBytes = middle(rounds.map((each) => each.wireBytes));
    yield {
      name: `${RECORD_BYTES} B record: bytes on the wire per peer / ${RECORD_BYTES}`,
      ratio: wireBytes / RECORD_BYTES,
      better: 'lower',
      bar: 1.6,
      detail: `${wireBytes.toFixed(0)} / ${RECORD_BYTES} bytes`,
    };
    log('large updates');
    const worst = middle(await largeUpdates(join(folder, 'large')));
    const yardstick = zstdMs();
    yield {
      name: '8.4 MB update, writer and reader in one process: worst loop delay / zstd-3 of the value',
      ratio: worst / yardstick,
      better: 'lower',
      bar: 1,
      detail: `${worst.toFixed(1)} / ${yardstick.toFixed(1)} ms`,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Small and large updates against the storage and the codec below them. */
export const suite: Suite = {
  name: 'replication',
  about: 'small keys against bare durable puts, large updates against one zstd-3 call',
  peers: [],
  run,
};
