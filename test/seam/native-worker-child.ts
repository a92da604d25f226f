/**
 * Starts workers that run codec operations and terminates each in the middle; prints one JSON line. As a
 * worker it floods the pool with operations and reports once they are under way. With `exit` it does so itself
 * and leaves by process.exit.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Worker, isMainThread, parentPort } from 'node:worker_threads';
import { native } from '../../lib/native/load.ts';
import { sample } from './native-binding-kit.ts';

/** Rounds before memory is measured. */
const WARM_UP_ROUNDS = 20;

/** Keeps the thread pool and the thread itself busy until the end; calls `onBusy` once it is. */
function flood(onBusy: () => void): void {
  const bytes = sample(200_000, 1, 30);
  const prefix = sample(200_000, 2, 30);
  const { codec } = native;
  const frame = codec.zstdCompress(bytes, { level: 1, prefix });
  const limits = { sizeBytes: bytes.length, maxWindowLog: 27, prefix };
  let started = 0;
  const operate = async (): Promise<void> => {
    for (;;) {
      const work = [
        codec.zstdCompressAsync(bytes, { level: 3, prefix }),
        codec.zstdDecompressAsync(frame, limits),
        codec.xxh3Async(bytes),
      ];
      if (++started === 4) onBusy();
      await Promise.all(work);
      codec.zstdDecompress(frame, limits);
    }
  };
  for (let i = 0; i < 4; i += 1) void operate();
}

async function terminateOne(round: number): Promise<void> {
  const worker = new Worker(new URL(import.meta.url));
  await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  // Different moments of the work: from at once to a few operations later.
  if (round % 4 > 0) await delay(round % 4);
  await worker.terminate();
}

async function main(rounds: number): Promise<void> {
  let warm = 0;
  for (let round = 0; round < rounds; round += 1) {
    await terminateOne(round);
    if (round === WARM_UP_ROUNDS) {
      globalThis.gc?.();
      warm = process.memoryUsage.rss();
    }
  }
  globalThis.gc?.();
  const grownBytes = process.memoryUsage.rss() - warm;
  const works = native.codec.crc32c(Buffer.from('123456789')) === 0xe3069283;
  console.log(JSON.stringify({ tier: native.tier, rounds, grownBytes, works }));
}

/** Exits while the pool works. */
function exitWhenBusy(): void {
  flood(() => {
    console.log('busy');
    process.exit(0);
  });
}

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a MessagePort has none
if (!isMainThread) flood(() => parentPort!.postMessage('busy'));
else if (process.argv[2] === 'exit') exitWhenBusy();
else void main(Number(process.argv[2]));
