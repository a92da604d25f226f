/**
 * Starts workers that echo over the I/O engine and terminates each in mid-transfer; prints one JSON line. With
 * `exit` it transfers itself and leaves by process.exit. The tier comes from DWCP_IO.
 */
import { readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker, isMainThread, parentPort } from 'node:worker_threads';
import {
  FrameKind,
  type FramePipe,
  ioStatus,
  ioTransport,
  type OutgoingFrame,
} from '../../lib/transport/index.ts';

/** Rounds before memory is measured. */
const warmUpRounds = 10;

const frame = (payload: Uint8Array): OutgoingFrame => ({
  kind: FrameKind.data,
  flags: 0,
  channel: 1,
  stream: 1,
  payload: [payload],
});

/** Sends back whatever comes, and tells of the `calls`-th batch. */
function echo(pipe: FramePipe, calls: number, onBusy: () => void): void {
  let count = 0;
  pipe.start({
    onFrames: (frames) => {
      if (++count === calls) onBusy();
      pipe.send(frames.map(({ payload }) => frame(payload)));
    },
    onWritable: () => {},
    onClose: () => {},
  });
}

/** Keeps eight connections busy in both directions until the end; calls `onBusy` once they are. */
async function flood(onBusy: () => void): Promise<void> {
  const transport = ioTransport();
  const listener = await transport.listen({ host: '127.0.0.1', port: 0 }, (pipe) =>
    echo(pipe, Infinity, () => {}),
  );
  for (let i = 0; i < 8; i++) {
    const pipe = await transport.connect(listener.address, {});
    echo(pipe, 5, i === 7 ? onBusy : () => {});
    pipe.send([frame(Buffer.alloc(i % 2 === 0 ? 64 : 65_536)), frame(Buffer.alloc(64))]);
  }
}

async function terminateOne(round: number): Promise<void> {
  const worker = new Worker(new URL(import.meta.url));
  await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  if (round % 4 > 0) await delay(round % 4);
  await worker.terminate();
}

const openFiles = (): number => readdirSync('/proc/self/fd').length;

async function main(rounds: number): Promise<void> {
  let warm = 0;
  let files = 0;
  for (let round = 0; round < rounds; round++) {
    await terminateOne(round);
    if (round !== warmUpRounds) continue;
    globalThis.gc?.();
    warm = process.memoryUsage.rss();
    files = openFiles();
  }
  globalThis.gc?.();
  const grownBytes = process.memoryUsage.rss() - warm;
  const grownFiles = openFiles() - files;
  console.log(JSON.stringify({ rounds, tier: ioStatus().tier, grownBytes, grownFiles }));
}

/** Exits in mid-transfer. */
function exitWhenBusy(): void {
  void flood(() => {
    console.log('busy');
    process.exit(0);
  });
}

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a MessagePort has none
if (!isMainThread) void flood(() => parentPort!.postMessage('busy'));
else if (process.argv[2] === 'exit') exitWhenBusy();
else void main(Number(process.argv[2]));
