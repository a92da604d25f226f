/** What handlers, strangers and a lack of memory do to the batch API, on every tier. */
import { once } from 'node:events';
import { connect as connectSocket, type Socket } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import {
  connect,
  type ConnectOptions,
  encodePreface,
  FrameEncoder,
  FrameKind,
  ioStatus,
  listen,
  type ListenOptions,
  type Message,
  type MessageConnection,
  type MessageListener,
  type RetainedMessage,
} from '../../lib/transport/index.ts';
import { pause, until } from './hostile-peer.ts';

const loopback = { host: '127.0.0.1', port: 0 };
const nothing = (): void => {};
const encoder = new FrameEncoder({ maxPayloadBytes: 65_536, checksum: true });

/** A listener and connections to it that the test ends, whatever becomes of it. */
async function serve(
  t: ExecutionContext,
  options: Omit<ListenOptions, 'host' | 'port'>,
): Promise<MessageListener> {
  const server = await listen({ ...loopback, ...options });
  t.teardown(() => server.close());
  return server;
}

async function dial(
  t: ExecutionContext,
  { address }: MessageListener,
  options: Omit<ConnectOptions, 'host' | 'port'>,
): Promise<MessageConnection> {
  const connection = await connect({ ...address, ...options });
  t.teardown(() => connection.destroy());
  return connection;
}

function dialRaw(t: ExecutionContext, { address }: MessageListener): Socket {
  const socket = connectSocket(address.port, address.host).on('error', nothing);
  t.teardown(() => socket.destroy());
  return socket;
}

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
    const server = await serve(t, {
      onBatch: (batch) => {
        while (batch.next()) inOrder &&= batch.stream === heard++;
      },
    });
    const maxQueueBytes = 32 << 20;
    const dialer = await dial(t, server, { maxQueueBytes, onBatch: nothing });
    dialer.send(Buffer.alloc(0), { stream: heard });
    await until(() => heard === 1, 'the first');
    for (let i = 1; i < total; i++) dialer.send(Buffer.alloc(0), { stream: i });
    await until(() => heard === total, 'all messages', 50_000);
    t.true(inOrder);
  });

  test.serial(
    `${tier}: a small message does not wait until the one before it is acknowledged`,
    async (t) => {
      const rounds = 10;
      const gaps: number[] = [];
      let answers = 0;
      /** Times the second message of a pair, and answers it. */
      const receiver = (): ((message: Message) => void) => {
        let firstMs = 0;
        return ({ stream, connection }) => {
          if (stream === 1) firstMs = performance.now();
          else if (stream === 3) answers++;
          else {
            gaps.push(performance.now() - firstMs);
            connection.send(Buffer.alloc(10), { stream: 3 });
          }
        };
      };
      let accepted: MessageConnection | undefined;
      const onOpen = (connection: MessageConnection): void => {
        accepted = connection;
      };
      const server = await serve(t, { onOpen, onMessage: receiver() });
      const dialer = await dial(t, server, { onMessage: receiver() });
      await until(() => accepted !== undefined, 'the acceptor');
      for (const end of [dialer, accepted!]) {
        gaps.length = 0;
        for (let i = 0; i < rounds; i++) {
          end.send(Buffer.alloc(10), { stream: 1 });
          // A write of its own. Who has just answered delays its acknowledgement of the first by 40 ms.
          await pause(2);
          const before = answers;
          end.send(Buffer.alloc(10), { stream: 2 });
          await until(() => answers > before, 'an answer');
        }
        // On a busy machine some may take as long.
        const delayed = gaps.filter((ms) => ms > 30);
        const shown = gaps.map((ms) => ms.toFixed(1)).join(' ');
        t.true(delayed.length <= rounds / 2, `gaps, ms: ${shown}`);
      }
    },
  );

  test.serial(`${tier}: strangers are told to onRefused, each once`, async (t) => {
    const refused: string[] = [];
    const server = await serve(t, {
      onBatch: nothing,
      onRefused: (error) => refused.push(error.code),
    });
    for (const words of ['GET / HTTP/1.1\r\n\r\n', 'DWCP', '']) {
      const socket = dialRaw(t, server).resume();
      socket.end(words);
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
    const server = await serve(t, {
      onBatch: (batch) => {
        let count = 0;
        for (; batch.next(); count++) burn(0.1);
        batches.push(count);
        heard += count;
      },
    });
    const peer = dialRaw(t, server);
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
  });

  test.serial(
    `${tier}: kept messages use up the memory; reading stops, nothing is lost`,
    async (t) => {
      t.timeout(60_000);
      const kept: RetainedMessage[] = [];
      let keeps = true;
      let heard = 0;
      let inOrder = true;
      const server = await serve(t, {
        onMessage: (message) => {
          inOrder &&= message.stream === heard++;
          if (keeps) kept.push(message.retain());
        },
      });
      const peer = dialRaw(t, server).resume();
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
    },
  );
}
