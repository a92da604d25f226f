/**
 * Suite `native`: what crossing into C++ buys, call by call, against the TypeScript tier and node:crypto.
 * tinybench times each call; the two sides alternate, and a case is the median of the rounds' ratios.
 */
import { createHash } from 'node:crypto';
import { Bench } from 'tinybench';
import { native } from '../../lib/native/load.ts';
import { native as portable } from '../../lib/native/portable.ts';
import { seededRandom } from '../../lib/random.ts';
import type { Measurement, Suite } from '../suite.ts';

const rounds = 7;
const roundMs = 40;

interface Case {
  readonly name: string;
  readonly bar: number;
  readonly ours: () => unknown;
  readonly peer: () => unknown;
}

function cases(): Case[] {
  const bytes = Buffer.from(seededRandom(1).bytes(1_000_000));
  const [frame, small] = [bytes.subarray(0, 65_536), bytes.subarray(0, 64)];
  const fast = native.codec;
  const slow = portable.codec;
  const sha256 = (): Buffer => createHash('sha256').update(bytes).digest();
  return [
    {
      name: 'CRC-32C of 64 KiB, calls/s / TypeScript tier',
      bar: 20,
      ours: () => fast.crc32c(frame),
      peer: () => slow.crc32c(frame),
    },
    {
      name: 'CRC-32C of 64 B, calls/s / TypeScript tier',
      bar: 0.5,
      ours: () => fast.crc32c(small),
      peer: () => slow.crc32c(small),
    },
    {
      name: 'XXH3-128 of 1 MB, calls/s / TypeScript tier',
      bar: 5,
      ours: () => fast.xxh3(bytes),
      peer: () => slow.xxh3(bytes),
    },
    {
      name: 'XXH3-128 of 1 MB, calls/s / SHA-256 of node:crypto',
      bar: 3,
      ours: () => fast.xxh3(bytes),
      peer: sha256,
    },
  ];
}

/** Median time of one call, ms, in one short round of tinybench. */
async function round(call: () => unknown): Promise<number> {
  const bench = new Bench({ time: roundMs, iterations: 3, warmup: false });
  bench.add('call', call);
  const [task] = await bench.run();
  const result = task?.result;
  if (result?.state !== 'completed') throw new Error('the round did not complete');
  return result.latency.p50;
}

async function compare({ name, bar, ours, peer }: Case): Promise<Measurement> {
  const samples: { readonly oursMs: number; readonly peerMs: number }[] = [];
  await round(ours);
  await round(peer);
  for (let i = 0; i < rounds; i += 1) {
    const first = i % 2 === 0 ? await round(ours) : undefined;
    const peerMs = await round(peer);
    samples.push({ oursMs: first ?? (await round(ours)), peerMs });
  }
  const ordered = samples.toSorted((a, b) => a.peerMs / a.oursMs - b.peerMs / b.oursMs);
  const { oursMs, peerMs } = ordered[Math.floor(rounds / 2)]!;
  const detail = `${(oursMs * 1_000).toFixed(2)} µs, ${(peerMs * 1_000).toFixed(2)} µs`;
  return { name, ratio: peerMs / oursMs, better: 'higher', bar, detail };
}

/** The suite `native`. */
export const suite: Suite = {
  name: 'native',
  about: `C++ calls of the ${native.tier} tier on seeded random bytes, timed by tinybench`,
  peers: [],
  async *run({ log }) {
    for (const each of cases()) {
      log(each.name);
      yield await compare(each);
    }
  },
};
