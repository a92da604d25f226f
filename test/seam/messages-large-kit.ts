/** Messages above one frame in the batch API, the same for every tier. */
import { once } from 'node:events';
import { connect as connectSocket } from 'node:net';
import test from 'ava';
import {
  connect,
  type ConnectOptions,
  type DwcpError,
  encodePreface,
  FrameEncoder,
  FrameKind,
  ioTransport,
  listen,
  type ListenOptions,
  type MessageConnection,
} from '../../lib/transport/index.ts';
import { until } from './hostile-peer.ts';

const MiB = 1024 * 1024;
const loopback = { host: '127.0.0.1', port: 0 };
const maxMessageBytes = 4 * MiB;

/** Bytes that tell where they stand. */
function pattern(sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  for (let at = 0; at + 4 <= sizeBytes; at += 4) bytes.writeUInt32LE(at ^ sizeBytes, at);
  return bytes;
}

/** A listener and one connection into it; both are gone at the end of the test. */
async function meet(
  t: { teardown(fn: () => Promise<void>): void },
  server: Omit<ListenOptions, 'host' | 'port'>,
  client: Omit<ConnectOptions, 'host' | 'port'> = { onMessage: () => {} },
): Promise<MessageConnection> {
  const listener = await listen({ ...loopback, maxMessageBytes, ...server });
  const connection = await connect({ ...listener.address, maxMessageBytes, ...client });
  t.teardown(async () => {
    connection.destroy();
    await listener.close();
  });
  return connection;
}

/** Raw frames into a listener. */
async function rawFrames(
  port: number,
  frames: readonly { flags: number; stream: number; sizeBytes: number }[],
): Promise<void> {
  const socket = connectSocket(port, '127.0.0.1').on('error', () => {});
  await once(socket, 'connect');
  const encoder = new FrameEncoder({ maxPayloadBytes: 65_536, checksum: true });
  socket.write(encodePreface());
  for (const { flags, stream, sizeBytes } of frames) {
    const payload = [Buffer.alloc(sizeBytes, stream)];
    socket.write(encoder.encode([{ kind: FrameKind.data, flags, channel: 0, stream, payload }]));
  }
  socket.resume();
  await once(socket, 'close');
}

/** Declares the tests for the tier this process runs on. */
export function largeMessages(tier: 'uring' | 'epoll' | 'net'): void {
  test(`${tier}: messages of any size up to the limit come back whole and in order`, async (t) => {
    const sizes = [0, 1, 65_535, 65_536, 65_537, 131_072, MiB, 7, 3 * MiB + 1, 4 * MiB];
    const heard: { bytes: Buffer; channel: number; stream: number; flags: number }[] = [];
    const connection = await meet(
      t,
      {
        onBatch: (batch) => {
          while (batch.next()) batch.forward();
        },
      },
      {
        onMessage: (message) => {
          const { channel, stream, flags, sizeBytes } = message;
          const bytes = message.copy();
          t.is(sizeBytes, bytes.length);
          t.is(message.byteAt(sizeBytes - 1), bytes.at(-1) ?? 0);
          heard.push({ bytes, channel, stream, flags });
        },
      },
    );
    for (const [i, size] of sizes.entries()) {
      connection.send(pattern(size), { channel: 3, stream: i + 1, flags: 0x40 });
    }
    await until(() => heard.length === sizes.length, 'all of them');
    for (const [i, size] of sizes.entries()) {
      const { bytes, ...head } = heard[i]!;
      t.true(bytes.equals(pattern(size)), `${size} bytes`);
      t.deepEqual(head, { channel: 3, stream: i + 1, flags: 0x41 });
    }
  });

  test(`${tier}: a message goes into the memory its receiver names`, async (t) => {
    const target = Buffer.alloc(MiB);
    const heard: Buffer[] = [];
    const begun: number[] = [];
    const connection = await meet(t, {
      target: ({ stream }) => {
        begun.push(stream);
        return stream === 1 ? target : undefined;
      },
      onMessage: (message) => void heard.push(message.retain().payload),
    });
    connection.send(pattern(MiB - 3), { stream: 1 });
    connection.send(pattern(100_000), { stream: 2 });
    await until(() => heard.length === 2, 'both');
    t.true(heard[0]!.buffer === target.buffer);
    t.true(heard[0]!.equals(pattern(MiB - 3)));
    t.false(heard[1]!.buffer === target.buffer);
    t.true(heard[1]!.equals(pattern(100_000)));
    t.deepEqual(begun, [1, 2]);
  });

  test(`${tier}: a message that does not fit its target, or the limit, ends its connection`, async (t) => {
    const closes: (DwcpError | undefined)[] = [];
    let heard = 0;
    const server = await listen({
      ...loopback,
      maxMessageBytes: MiB,
      target: ({ stream }) => (stream === 1 ? Buffer.alloc(100_000) : undefined),
      onMessage: () => void heard++,
      onClose: (_, error) => void closes.push(error),
    });
    const part = { flags: 0, sizeBytes: 65_536 };
    await rawFrames(
      server.address.port,
      [1, 1].map((stream) => ({ ...part, stream })),
    );
    await rawFrames(
      server.address.port,
      Array.from({ length: 17 }, () => ({ ...part, stream: 2 })),
    );
    await until(() => closes.length === 2, 'both ends');
    t.deepEqual(
      closes.map((error) => [error?.code, error?.detail]),
      [
        ['ERR_DWCP_LIMIT', { limit: 'maxMessageBytes', bytes: 100_000 }],
        ['ERR_DWCP_LIMIT', { limit: 'maxMessageBytes', bytes: MiB }],
      ],
    );
    t.is(heard, 0);
    const connection = await connect({
      ...server.address,
      maxMessageBytes: MiB,
      onMessage: () => {},
    });
    t.throws(() => connection.send(Buffer.alloc(MiB + 1)), { code: 'ERR_DWCP_LIMIT' });
    connection.send(Buffer.alloc(MiB));
    await until(() => heard === 1, 'a message that fits');
    connection.destroy();
    await server.close();
  });

  test(`${tier}: a frame between the parts of a message ends the connection`, async (t) => {
    const closes: (DwcpError | undefined)[] = [];
    const server = await listen({
      ...loopback,
      maxMessageBytes,
      onMessage: () => t.fail('nothing was complete'),
      onClose: (_, error) => void closes.push(error),
    });
    await rawFrames(server.address.port, [
      { flags: 0, stream: 1, sizeBytes: 10 },
      { flags: 1, stream: 2, sizeBytes: 10 },
    ]);
    await until(() => closes.length === 1, 'the end');
    t.is(closes[0]?.code, 'ERR_DWCP_PROTOCOL');
    await server.close();
  });

  test(`${tier}: a handler that skips a batch does not tear later messages apart`, async (t) => {
    const heard: number[] = [];
    const connection = await meet(t, {
      onBatch: (batch) => {
        // Looks at one message at most.
        if (batch.next()) heard.push(batch.sizeBytes);
      },
    });
    const sizes = [200_000, 300_001, 400_002];
    for (const size of sizes) {
      connection.send(Buffer.alloc(size));
      await until(() => connection.bufferedBytes === 0, 'it to leave');
      await until(() => heard.at(-1) === size, `the message of ${size} bytes`);
    }
    t.deepEqual(heard, sizes);
  });

  test(`${tier}: large sends hold back at the high-water mark, drain, and refuse beyond the cap`, async (t) => {
    let drained = 0;
    let received = 0;
    const connection = await meet(
      t,
      { onMessage: (message) => void (received += message.sizeBytes) },
      { onMessage: () => {}, onDrain: () => void drained++, maxQueueBytes: 8 * MiB },
    );
    const big = Buffer.alloc(4 * MiB, 1);
    let sent = 0;
    const refused = t.throws(() => {
      for (; sent < 64; sent++) connection.send(big);
    });
    t.like(refused, { code: 'ERR_DWCP_LIMIT', detail: { limit: 'maxQueueBytes' } });
    t.true(connection.bufferedBytes <= 8 * MiB + 64 * 1024);
    await until(() => received === sent * big.length, 'what was taken');
    await until(() => drained > 0, 'the drain');
    t.false(connection.closed);
    t.true(connection.send(Buffer.of(1)));
  });

  test(`${tier}: what is not data is one frame, and a longer one touches nobody's memory`, async (t) => {
    const held: { readonly payload: Uint8Array; release(): void }[] = [];
    const onBatch: ListenOptions['onBatch'] = (batch) => {
      while (batch.next()) held.push(batch.retain());
    };
    const connection = await meet(t, { onBatch });
    for (let i = 0; i < 40; i++) connection.send(Buffer.alloc(60_000, 7));
    await until(() => held.length === 40, 'the messages');
    for (const message of held.splice(0, 6)) message.release();
    const long = Buffer.alloc(MiB, 0xee);
    for (const kind of [FrameKind.chunk, FrameKind.bundle]) {
      t.throws(() => connection.send(long, { kind }), { code: 'ERR_DWCP_LIMIT' });
    }
    t.true(held.every(({ payload }) => payload.every((byte) => byte === 7)));
    t.false(connection.closed);
    for (const message of held) message.release();
  });

  test(`${tier}: frames of another size than the wire's are refused as a limit`, async (t) => {
    const options = { ...loopback, onMessage: () => {}, limits: { maxFramePayloadBytes: MiB } };
    await t.throwsAsync(listen(options), { code: 'ERR_DWCP_INVALID_ARG' });
    await t.throwsAsync(connect({ ...options, port: 9 }), { code: 'ERR_DWCP_INVALID_ARG' });
    t.throws(() => ioTransport({ limits: options.limits }), { code: 'ERR_DWCP_INVALID_ARG' });
  });

  test(`${tier}: a limit that no queue could hold is refused`, async (t) => {
    const options = { ...loopback, onMessage: () => {}, maxMessageBytes: 32 * MiB };
    await t.throwsAsync(listen(options), { code: 'ERR_DWCP_INVALID_ARG' });
  });
}
