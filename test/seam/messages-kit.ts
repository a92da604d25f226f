/** The contract of the batch API: what every tier must do. */
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect as connectSocket, createServer, type Socket } from 'node:net';
import test from 'ava';
import {
  type Batch,
  connect,
  type DwcpError,
  encodePreface,
  type FrameKind,
  FrameEncoder,
  type FramePipe,
  ioStatus,
  listen,
  type Message,
  type MessageConnection,
  type MessageHandlers,
  type MessageListener,
  netTransport,
  type RetainedMessage,
} from '../../lib/transport/index.ts';

const loopback = { host: '127.0.0.1', port: 0 };
const nothing = (): void => {};

/** Resolves when told to; for handlers to end a test. */
class Signal<T = void> {
  readonly done: Promise<T>;
  fire: (value: T) => void = nothing;

  constructor() {
    this.done = new Promise((resolve) => {
      this.fire = resolve;
    });
  }
}

const echo = (batch: Batch): void => {
  while (batch.next()) batch.forward();
};

const serve = (handlers: MessageHandlers, framed = true): Promise<MessageListener> =>
  listen({ ...loopback, framed, ...handlers });

const dial = (
  { address }: MessageListener,
  handlers: MessageHandlers,
  framed = true,
): Promise<MessageConnection> => connect({ ...address, framed, ...handlers });

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function until(condition: () => boolean, timeoutMs = 10_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error('it did not happen in time');
    await turn();
  }
}

/** A plain socket to a listener. */
async function rawSocket({ address }: MessageListener): Promise<Socket> {
  const socket = connectSocket(address.port, address.host).on('error', nothing);
  await once(socket, 'connect');
  return socket;
}

const openFiles = (): number => readdirSync('/proc/self/fd').length;

/** Declares the tests for the tier this process runs on. */
export function messagesContract(tier: 'uring' | 'epoll' | 'net'): void {
  const engine = tier !== 'net';

  test(`${tier}: the tier is the one that was asked for, and says why`, async (t) => {
    const { tier: running, reason, engine: counters } = ioStatus();
    t.is(running, tier);
    t.true(reason.length > 0);
    t.is(counters !== undefined, engine);
    const server = await serve({ onBatch: echo });
    t.is(server.tier, tier);
    await server.close();
  });

  test(`${tier}: frames are echoed with their heads, of every size, in order`, async (t) => {
    const server = await serve({ onBatch: echo });
    const sizes = [0, 1, 64, 1023, 1024, 1025, 4096, 65_535, 65_536, 3];
    const heard: [FrameKind, number, number, number, Buffer][] = [];
    const all = new Signal();
    const connection = await dial(server, {
      onMessage: (m) => {
        heard.push([m.kind, m.flags, m.channel, m.stream, m.copy()]);
        t.is(m.sizeBytes, m.view().length);
        t.is(m.byteAt(0), m.view()[0] ?? 0);
        if (heard.length === sizes.length) all.fire();
      },
    });
    for (const [i, size] of sizes.entries()) {
      connection.send(Buffer.alloc(size, i + 1), { flags: 0x41, channel: 7, stream: i + 9 });
    }
    await all.done;
    t.deepEqual(
      heard,
      sizes.map((size, i) => [1, 0x41, 7, i + 9, Buffer.alloc(size, i + 1)]),
    );
    connection.destroy();
    await server.close();
  });

  test(`${tier}: plain bytes are echoed, chunk by chunk`, async (t) => {
    const server = await serve({ onBatch: echo }, false);
    const sent = Buffer.alloc(1_000_000, 'abcdefghijk');
    const parts: Buffer[] = [];
    let size = 0;
    const connection = await dial(
      server,
      {
        onMessage: (m) => {
          parts.push(m.copy());
          size += m.sizeBytes;
        },
      },
      false,
    );
    connection.send(sent);
    await until(() => size === sent.length);
    t.true(Buffer.concat(parts).equals(sent));
    connection.destroy();
    await server.close();
  });

  test(`${tier}: node:net pipes and the batch API speak the same bytes`, async (t) => {
    const server = await serve({ onBatch: echo });
    const pipe: FramePipe = await netTransport().connect(server.address, {});
    const heard = new Signal<Buffer>();
    pipe.start({
      onFrames: (frames) => heard.fire(Buffer.from(frames[0]!.payload)),
      onWritable: nothing,
      onClose: nothing,
    });
    pipe.send([{ kind: 1, flags: 0, channel: 2, stream: 3, payload: [Buffer.from('same')] }]);
    t.is((await heard.done).toString(), 'same');
    pipe.destroy();
    await server.close();
  });

  test(`${tier}: a retained message outlives its batch, until it is released`, async (t) => {
    const kept: RetainedMessage[] = [];
    const server = await serve({ onMessage: (m) => kept.push(m.retain()) });
    const connection = await dial(server, { onBatch: nothing });
    for (let i = 0; i < 200; i++) {
      connection.send(Buffer.alloc(3000, i));
      if (i % 10 === 0) await turn();
    }
    await until(() => kept.length === 200);
    t.true(kept.every(({ payload }, i) => payload.equals(Buffer.alloc(3000, i))));
    for (const message of kept) {
      message.release();
      message.release();
    }
    connection.destroy();
    await server.close();
  });

  test(`${tier}: what was changed through a view is forwarded as changed, the rest as it came`, async (t) => {
    const server = await serve({
      onMessage(message) {
        if (message.stream % 3 === 1) message.view().fill(message.stream);
        if (message.stream % 3 === 2) message.view();
        message.forward();
        if (message.stream % 7 === 0) message.forward();
      },
    });
    const sizes = Array.from(
      { length: 120 },
      (_, i) => [0, 1, 64, 1024, 1025, 30_000, 65_536][i % 7]!,
    );
    const heard: [number, Buffer][] = [];
    const connection = await dial(server, {
      onMessage: (m) => heard.push([m.stream, m.copy()]),
    });
    for (const [i, size] of sizes.entries()) {
      connection.send(Buffer.alloc(size, 200), { stream: i });
      if (i % 10 === 9) await turn();
    }
    const expected = sizes.flatMap((size, i): [number, Buffer][] => {
      const answer: [number, Buffer] = [i, Buffer.alloc(size, i % 3 === 1 ? i : 200)];
      return i % 7 === 0 ? [answer, answer] : [answer];
    });
    await until(() => heard.length >= expected.length || connection.closed);
    t.true(heard.length === expected.length);
    t.true(
      heard.every(([i, bytes], at) => i === expected[at]![0] && bytes.equals(expected[at]![1])),
    );
    connection.destroy();
    await server.close();
  });

  test(`${tier}: a sender is told to wait, drained, and refused beyond the cap`, async (t) => {
    let drained = 0;
    const sink = createServer((socket) => {
      socket.pause();
      setTimeout(() => socket.resume(), 100);
    });
    t.teardown(() => sink.close());
    sink.listen(0, '127.0.0.1');
    await once(sink, 'listening');
    const connection = await connect({
      host: '127.0.0.1',
      port: (sink.address() as { port: number }).port,
      framed: false,
      maxQueueBytes: 1 << 20,
      onBatch: nothing,
      onDrain: () => drained++,
    });
    t.teardown(() => connection.destroy());
    const block = Buffer.alloc(60_000);
    let held = false;
    const flood = (): void => {
      for (let i = 0; i < 1000; i++) {
        if (!connection.send(block)) held = true;
      }
    };
    t.throws(flood, { code: 'ERR_DWCP_LIMIT' });
    t.true(held);
    t.true(connection.bufferedBytes <= 1 << 20);
    await until(() => drained > 0);
    t.true(connection.bufferedBytes < 256 * 1024);
  });

  test(`${tier}: a frame above 64 KiB is refused before anything is sent`, async (t) => {
    const server = await serve({ onBatch: echo });
    const connection = await dial(server, { onBatch: nothing });
    t.throws(() => connection.send(Buffer.alloc(65_537)), { code: 'ERR_DWCP_LIMIT' });
    connection.close();
    t.throws(() => connection.send(Buffer.alloc(1)), { code: 'ERR_DWCP_CLOSED' });
    await server.close();
  });

  test(`${tier}: what is no message is refused, and no other connection feels it`, async (t) => {
    const got: string[] = [];
    const listener = await listen({
      host: '127.0.0.1',
      port: 0,
      onMessage: (message) => void got.push(message.copy().toString()),
    });
    const [good, bad] = [
      await connect({ ...listener.address, onMessage: () => {} }),
      await connect({ ...listener.address, onMessage: () => {} }),
    ];
    t.teardown(async () => {
      good.destroy();
      bad.destroy();
      await listener.close();
    });
    await until(() => bad.bufferedBytes === 0);
    const refused = { code: 'ERR_DWCP_INVALID_ARG' };
    const wrong = [5, {}, 'x', { length: 3 }, undefined, new ArrayBuffer(4), new Uint16Array(2)];
    for (const payload of [...wrong, new DataView(new ArrayBuffer(4))]) {
      t.throws(() => bad.send(payload as never), refused);
    }
    const heads = [null, 5, { channel: 70_000 }, { stream: -1 }, { kind: 256 }, { flags: 'x' }];
    for (const head of heads) t.throws(() => bad.send(Buffer.of(1), head as never), refused);
    t.is(bad.bufferedBytes, 0);
    for (const connection of [bad, good]) connection.send(Buffer.from('well'));
    await until(() => got.length === 2);
    t.deepEqual(got, ['well', 'well']);
  });

  test(`${tier}: close sends what is queued, and both ends hear of it`, async (t) => {
    let bytes = 0;
    const closes: (DwcpError | undefined)[] = [];
    const onClose = (_: MessageConnection, error: DwcpError | undefined): void =>
      void closes.push(error);
    const server = await serve({ onMessage: (m) => (bytes += m.sizeBytes), onClose });
    const connection = await dial(server, { onBatch: nothing, onClose });
    for (let i = 0; i < 20; i++) connection.send(Buffer.alloc(60_000));
    connection.close();
    await until(() => closes.length === 2);
    t.deepEqual(closes, [undefined, undefined]);
    t.is(bytes, 20 * 60_000);
    t.true(connection.closed);
    await server.close();
  });

  test(`${tier}: no message follows the destruction of its connection`, async (t) => {
    let seen = 0;
    const closed = new Signal<DwcpError | undefined>();
    const server = await serve({
      onMessage: ({ connection }) => {
        seen++;
        connection.destroy();
      },
      onClose: (_, error) => closed.fire(error),
    });
    const connection = await dial(server, { onBatch: nothing });
    for (let i = 0; i < 100; i++) connection.send(Buffer.alloc(10));
    t.is(await closed.done, undefined);
    t.is(seen, 1);
    await server.close();
  });

  test(`${tier}: bad bytes close their own connection with the code of the fault`, async (t) => {
    const errors: (string | undefined)[] = [];
    const server = await serve({
      onBatch: echo,
      onClose: (_, error) => errors.push(error?.code),
    });
    const whole = new FrameEncoder({ maxPayloadBytes: 65_536, checksum: true }).encode([
      { kind: 1, flags: 0, channel: 1, stream: 1, payload: [Buffer.alloc(100)] },
    ]);
    const broken = (change: (frame: Buffer) => Buffer): Buffer => change(Buffer.from(whole));
    const cases: [string | undefined, Buffer][] = [
      ['ERR_DWCP_FRAME_CHECKSUM', broken((f) => (f.writeUInt8(9, 50), f))],
      ['ERR_DWCP_FRAME_KIND', broken((f) => (f.writeUInt8(99, 4), f))],
      ['ERR_DWCP_FRAME_FLAGS', broken((f) => (f.writeUInt8(0x20, 5), f))],
      ['ERR_DWCP_LIMIT', broken((f) => (f.writeUInt32LE(65_537, 0), f))],
      ['ERR_DWCP_FRAME_CORRUPT', broken((f) => f.subarray(0, 40))],
      [undefined, whole],
    ];
    for (const [i, [code, bytes]] of cases.entries()) {
      const socket = await rawSocket(server);
      socket.resume().end(Buffer.concat([encodePreface(), bytes]));
      await until(() => errors.length > i);
      t.is(errors[i], code);
      socket.destroy();
    }
    // No dwcp at all: never handed out.
    const stranger = await rawSocket(server);
    stranger.resume().write('GET / HTTP/1.1\r\n\r\n');
    await once(stranger, 'close');
    t.is(errors.length, cases.length);
    await server.close();
  });

  test(`${tier}: a peer that resets the connection in any state leaves nothing behind`, async (t) => {
    let open = 0;
    let ended = 0;
    const server = await serve({
      onMessage: (m) => {
        m.forward();
        if (m.stream === 2) m.connection.close();
      },
      onOpen: () => open++,
      onClose: () => ended++,
    });
    const frames = (stream: number, size: number): Buffer =>
      new FrameEncoder({ maxPayloadBytes: 65_536, checksum: true }).encode([
        { kind: 1, flags: 0, channel: 1, stream, payload: [Buffer.alloc(size)] },
      ]);
    const said = [
      Buffer.alloc(0),
      encodePreface().subarray(0, 3),
      encodePreface(),
      Buffer.concat([encodePreface(), frames(1, 60_000).subarray(0, 9)]),
      Buffer.concat([encodePreface(), frames(1, 60_000).subarray(0, 30_000)]),
      Buffer.concat([encodePreface(), frames(1, 60_000)]),
      Buffer.concat([encodePreface(), frames(2, 60_000)]),
    ];
    for (let round = 0; round < 3; round++) {
      for (const bytes of said) {
        for (const wait of [false, true]) {
          const socket = await rawSocket(server);
          if (bytes.length > 0) socket.write(bytes);
          if (wait) await turn();
          socket.resetAndDestroy();
          await once(socket, 'close');
        }
      }
    }
    await until(() => open === ended);
    const connection = await dial(server, { onBatch: nothing });
    connection.send(Buffer.from('still here'));
    await until(() => open === ended + 1);
    connection.destroy();
    await until(() => open === ended);
    t.true(open > 0);
    await server.close();
  });

  test.serial(
    `${tier}: two thousand connections come and go; none leaves a descriptor`,
    async (t) => {
      t.timeout(60_000);
      let closed = 0;
      const server = await serve({ onBatch: echo, onClose: () => closed++ });
      const visit = async (): Promise<void> => {
        const heard = new Signal<Message>();
        const gone = new Signal();
        const connection = await dial(server, {
          onMessage: heard.fire,
          onClose: () => gone.fire(),
        });
        connection.send(Buffer.from('hi'));
        await heard.done;
        connection.close();
        await gone.done;
      };
      for (let i = 0; i < 50; i++) await Promise.all([visit(), visit()]);
      await until(() => closed === 100);
      const before = openFiles();
      for (let i = 0; i < 100; i++) await Promise.all(Array.from({ length: 19 }, visit));
      await until(() => closed === 2000);
      t.true(openFiles() <= before + 2, `${openFiles()} descriptors, before ${before}`);
      await server.close();
    },
  );

  test(`${tier}: what a handler throws is uncaught and costs no other message`, async (t) => {
    const seen: number[] = [];
    const server = await serve({
      onMessage: (m) => {
        seen.push(m.stream);
        if (m.stream === 2) throw new Error('on purpose');
      },
    });
    const uncaught = new Signal<Error>();
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.once('uncaughtException', uncaught.fire);
    const connection = await dial(server, { onBatch: nothing });
    for (const stream of [1, 2, 3]) connection.send(Buffer.alloc(4), { stream });
    t.is((await uncaught.done).message, 'on purpose');
    for (const listener of listeners) process.on('uncaughtException', listener);
    await until(() => seen.length === 3);
    t.deepEqual(seen, [1, 2, 3]);
    connection.destroy();
    await server.close();
  });

  test(`${tier}: dials fail with the code of what went wrong`, async (t) => {
    const server = await serve({ onBatch: echo });
    await server.close();
    const onBatch = echo;
    await t.throwsAsync(connect({ ...server.address, onBatch }), { code: 'ERR_DWCP_CONNECT' });
    const signal = AbortSignal.abort();
    const aborted = connect({ ...server.address, onBatch, signal });
    await t.throwsAsync(aborted, { code: 'ERR_DWCP_ABORTED' });
    const away = { host: '192.0.2.1', port: 9 };
    await t.throwsAsync(connect({ ...away, onBatch }), { code: 'ERR_DWCP_PLAINTEXT_REFUSED' });
    await t.throwsAsync(connect({ ...loopback, port: 1, onBatch, onMessage: nothing }), {
      code: 'ERR_DWCP_INVALID_ARG',
    });
    await t.throwsAsync(listen({ ...loopback, port: 65_536, onBatch }), {
      code: 'ERR_DWCP_INVALID_ARG',
    });
    const taken = await serve({ onBatch: echo });
    await t.throwsAsync(listen({ ...taken.address, onBatch }), { code: 'ERR_DWCP_CONNECT' });
    await taken.close();
  });

  test(`${tier}: sockets that stay silent are capped and closed`, async (t) => {
    const limits = { handshakeTimeoutMs: 150, maxHalfOpen: 3 };
    const server = await listen({ ...loopback, onBatch: echo, limits });
    const silent = await Promise.all(Array.from({ length: 8 }, () => rawSocket(server)));
    const started = performance.now();
    await Promise.all(silent.map(async (s) => s.resume().closed || once(s, 'close')));
    t.true(performance.now() - started < 5_000);
    await server.close();
  });
}
