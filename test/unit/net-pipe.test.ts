/** netTransport: a Connection over real loopback sockets, and the plaintext rule. */
import test from 'ava';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { once } from 'node:events';
import {
  Connection,
  type DwcpError,
  type FramePipe,
  netTransport,
  systemClock,
} from '../../lib/transport/index.ts';

const address = { host: '127.0.0.1', port: 0 };

test('messages cross a socket both ways', async (t) => {
  const transport = netTransport();
  const listener = await transport.listen(address, (pipe) => {
    new Connection({
      pipe,
      role: 'acceptor',
      clock: systemClock,
      onStream: (stream) => stream.onMessage((m) => stream.send(m, { end: true })),
    });
  });
  const pipe = await transport.connect(listener.address, {});
  const dialer = new Connection({ pipe, role: 'dialer', clock: systemClock, onStream: () => {} });
  const payload = Buffer.alloc(3_000_000, 'abcdefg');
  const stream = dialer.open(1);
  const answer = new Promise<Buffer>((resolve) => stream.onMessage(resolve));
  await stream.send(payload, { end: true });
  t.true((await answer).equals(payload));
  await dialer.close();
  await listener.close();
});

test('plaintext off loopback is refused unless asked for', async (t) => {
  const away = { host: '192.0.2.1', port: 9 };
  const transport = netTransport();
  await t.throwsAsync(transport.connect(away, {}), { code: 'ERR_DWCP_PLAINTEXT_REFUSED' });
  await t.throwsAsync(
    transport.listen({ host: '0.0.0.0', port: 0 }, () => {}),
    {
      code: 'ERR_DWCP_PLAINTEXT_REFUSED',
    },
  );
  const open = netTransport({ allowPlaintext: true });
  const listener = await open.listen({ host: '0.0.0.0', port: 0 }, () => {});
  t.true(listener.address.port > 0);
  await listener.close();
});

test('a refused dial is ERR_DWCP_CONNECT, an aborted one ERR_DWCP_ABORTED', async (t) => {
  const transport = netTransport();
  const listener = await transport.listen(address, () => {});
  await listener.close();
  await t.throwsAsync(transport.connect(listener.address, {}), { code: 'ERR_DWCP_CONNECT' });
  await t.throwsAsync(transport.connect(listener.address, { signal: AbortSignal.abort() }), {
    code: 'ERR_DWCP_ABORTED',
  });
});

test('a socket that says nothing, or no dwcp, is never handed out', async (t) => {
  const pipes: FramePipe[] = [];
  const transport = netTransport({ limits: { handshakeTimeoutMs: 100 } });
  const listener = await transport.listen(address, (pipe) => pipes.push(pipe));
  const silent = connect(listener.address.port, '127.0.0.1').resume();
  await once(silent, 'close');
  const stranger = connect(listener.address.port, '127.0.0.1').resume();
  stranger.write('GET / HTTP/1.1\r\n\r\n');
  await once(stranger, 'close');
  t.is(pipes.length, 0);
  await listener.close();
});

test('sockets under way are capped: the oldest go', async (t) => {
  const transport = netTransport({ limits: { handshakeTimeoutMs: 60_000, maxHalfOpen: 4 } });
  const listener = await transport.listen(address, () => {});
  const closed = new Set<number>();
  const sockets: Socket[] = [];
  for (let i = 0; i < 10; i++) {
    const socket = connect(listener.address.port, '127.0.0.1').on('error', () => {});
    sockets.push(socket.resume().once('close', () => closed.add(i)));
    await once(socket, 'connect');
  }
  await Promise.all(
    sockets.slice(0, 6).map(async (socket) => socket.closed || once(socket, 'close')),
  );
  t.deepEqual(
    [...closed].toSorted((x, y) => x - y),
    [0, 1, 2, 3, 4, 5],
  );
  for (const socket of sockets) socket.destroy();
  await listener.close();
});

test('sockets that stay silent do not keep an honest peer out', async (t) => {
  const transport = netTransport({ limits: { handshakeTimeoutMs: 60_000, maxHalfOpen: 4 } });
  let inbound = 0;
  const listener = await transport.listen(address, () => inbound++);
  const silent = Array.from({ length: 10 }, () =>
    connect(listener.address.port, '127.0.0.1').on('error', () => {}),
  );
  await Promise.all(silent.map((socket) => once(socket, 'connect')));
  const pipe = await transport.connect(listener.address, {});
  const until = performance.now() + 3_000;
  while (inbound === 0 && performance.now() < until)
    await new Promise((done) => setTimeout(done, 5));
  t.is(inbound, 1);
  pipe.destroy();
  for (const socket of silent) socket.destroy();
  await listener.close();
});

test('a dial without an answer from the protocol ends with ERR_DWCP_FRAME_MAGIC', async (t) => {
  const { createServer } = await import('node:net');
  const server = createServer((socket) => socket.end('220 smtp.example ESMTP\r\n')).listen(0);
  await once(server, 'listening');
  const port = (server.address() as { port: number }).port;
  const pipe = await netTransport().connect({ host: '127.0.0.1', port }, {});
  const closed = new Promise<DwcpError | undefined>((resolve) => {
    new Connection({
      pipe,
      role: 'dialer',
      clock: systemClock,
      onStream: () => {},
      onClose: resolve,
    });
  });
  t.is((await closed)?.code, 'ERR_DWCP_FRAME_MAGIC');
  server.close();
});
