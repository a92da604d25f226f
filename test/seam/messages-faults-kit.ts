/** What handlers, strangers and a lack of memory do to the batch API, on every tier. */
import { once } from 'node:events';
import { connect as connectSocket } from 'node:net';
import test from 'ava';
import {
  connect,
  encodePreface,
  FrameEncoder,
  FrameKind,
  ioStatus,
  listen,
  type RetainedMessage,
} from '../../lib/transport/index.ts';
import { until } from './hostile-peer.ts';

const loopback = { host: '127.0.0.1', port: 0 };
const nothing = (): void => {};
const encoder = new FrameEncoder({ maxPayloadBytes: 65_536, checksum: true });

/** Keeps the event loop for so long. */
function burn(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** Declares the tests for the tier this process runs on. */
export function messageFaults(tier: 'uring' | 'epoll' | 'net'): void {
  test.serial(`${tier}: a million tiny messages in one tick all arrive, in order`, async (t) => {
    t.timeout(60_000);
    const total = 1_000_000;
    let heard = 0;
    let inOrder = true;
    const server = await listen({
      ...loopback,
      onBatch: (batch) => {
        while (batch.next()) inOrder &&= batch.stream === heard++;
      },
    });
    const maxQueueBytes = 32 << 20;
    const dialer = await connect({ ...server.address, maxQueueBytes, onBatch: nothing });
    for (let i = 0; i < total; i++) dialer.send(Buffer.alloc(0), { stream: i });
    await until(() => heard === total, 'all messages', 50_000);
    t.true(inOrder);
    dialer.destroy();
    await server.close();
  });

  test.serial(`${tier}: strangers are told to onRefused, each once`, async (t) => {
    const refused: string[] = [];
    const server = await listen({
      ...loopback,
      onBatch: nothing,
      onRefused: (error) => refused.push(error.code),
    });
    for (const words of ['GET / HTTP/1.1\r\n\r\n', 'DWCP', '']) {
      const socket = connectSocket(server.address.port, '127.0.0.1').resume();
      socket.on('error', nothing).end(words);
      await once(socket, 'close');
    }
    await until(() => refused.length >= 3, 'three refusals');
    t.deepEqual(refused, ['ERR_DWCP_FRAME_MAGIC', 'ERR_DWCP_FRAME_CORRUPT', 'ERR_DWCP_HANDSHAKE']);
    await server.close();
    t.is(refused.length, 3);
  });

  if (tier === 'net') return;

  test.serial(`${tier}: a slow handler gets few messages at once, and timers run`, async (t) => {
    const total = 4_000;
    const batches: number[] = [];
    let timers = 0;
    let heard = 0;
    const server = await listen({
      ...loopback,
      onBatch: (batch) => {
        let count = 0;
        for (; batch.next(); count++) burn(0.1);
        batches.push(count);
        heard += count;
      },
    });
    const peer = connectSocket(server.address.port, '127.0.0.1');
    const frame = { kind: FrameKind.data, flags: 0, channel: 1, stream: 1, payload: [] };
    const frames = encoder.encode(Array.from({ length: total }, () => frame));
    const ticking = setInterval(() => timers++, 1);
    peer.write(Buffer.concat([encodePreface(), frames]));
    await until(() => heard === total, 'all messages');
    clearInterval(ticking);
    // The first ones measure the handler; after them a batch is what it manages in a tick.
    const settled = batches.slice(8);
    t.true(Math.max(...settled) <= 64, `batches of ${batches.slice(0, 40).join(', ')}`);
    t.true(timers >= batches.length / 4, `${timers} timers beside ${batches.length} batches`);
    peer.destroy();
    await server.close();
  });

  test.serial(
    `${tier}: kept messages use up the memory; reading stops, nothing is lost`,
    async (t) => {
      t.timeout(60_000);
      const kept: RetainedMessage[] = [];
      let keeps = true;
      let heard = 0;
      let inOrder = true;
      const server = await listen({
        ...loopback,
        onMessage: (message) => {
          inOrder &&= message.stream === heard++;
          if (keeps) kept.push(message.retain());
        },
      });
      const peer = connectSocket(server.address.port, '127.0.0.1').resume();
      peer.write(encodePreface());
      const total = 1_500;
      let sent = 0;
      const sending = (async () => {
        for (const payload = [Buffer.alloc(60_000, 7)]; sent < total; sent++) {
          const frame = { kind: FrameKind.data, flags: 0, channel: 1, stream: sent, payload };
          if (!peer.write(encoder.encode([frame]))) await once(peer, 'drain');
        }
      })();
      const before = ioStatus().engine!.slabRefusals;
      await until(() => ioStatus().engine!.slabRefusals > before, 'the end of the memory');
      t.true(heard < total, `${heard} of ${total} were read`);
      const { slabsUsed, regions } = ioStatus().engine!;
      t.true(regions <= 32, `${regions} regions of 2 MiB`);
      t.true(slabsUsed <= 512 * 0.75 + 1, `${slabsUsed} slabs`);
      t.true(kept.every(({ payload }) => payload.length === 60_000 && payload[59_999] === 7));
      keeps = false;
      for (const message of kept) message.release();
      await until(() => heard === total, 'the rest', 30_000);
      await sending;
      t.true(inOrder);
      peer.destroy();
      await server.close();
    },
  );
}
