/**
 * What hostile and broken TLS peers do to the engine: each costs its own socket, with a typed error and a count.
 * The peers are node:tls, plain sockets, and a relay that meddles with records.
 */
import { once } from 'node:events';
import { connect as connectRaw, createServer, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import {
  type DwcpError,
  encodePreface,
  type FramePipe,
  type IoStatus,
  ioStatus,
  ioTransport,
  type PipeListener,
  type SecureIoOptions,
  type SecureTransport,
} from '../../lib/transport/index.ts';
import { End, frame } from './frame-pipe-kit.ts';
import { pause, until } from './hostile-peer.ts';
import { authority, issuedIdentity } from './tls-certificates.ts';

const address = { host: '127.0.0.1', port: 0 };

/** An acceptor under test, with everything it said. */
class Acceptor {
  readonly refused: DwcpError[] = [];
  readonly pipes: FramePipe[] = [];
  readonly transport: SecureTransport;
  #listener: PipeListener | undefined;

  private constructor(options: Partial<SecureIoOptions>) {
    const onRefused = (error: DwcpError): number => this.refused.push(error);
    this.transport = ioTransport({ identity: issuedIdentity('a'), ...options, onRefused });
  }

  static async open(
    t: ExecutionContext,
    options: Partial<SecureIoOptions> = {},
  ): Promise<Acceptor> {
    const acceptor = new Acceptor(options);
    acceptor.#listener = await acceptor.transport.listen(address, (pipe) =>
      acceptor.pipes.push(pipe),
    );
    t.teardown(async () => {
      await acceptor.#listener!.close();
      for (const pipe of acceptor.pipes) pipe.destroy();
    });
    return acceptor;
  }

  get port(): number {
    return this.#listener!.address.port;
  }

  /** An honest peer still gets through. */
  async serves(t: ExecutionContext): Promise<void> {
    const before = this.pipes.length;
    const pipe = await ioTransport({ identity: issuedIdentity('honest') }).connect(
      { host: '127.0.0.1', port: this.port },
      {},
    );
    await until(() => this.pipes.length > before, 'the honest peer');
    t.is(this.pipes[before]!.identity?.nodeId, 'honest');
    pipe.destroy();
  }
}

const faults = (): number => ioStatus().engine!.tlsFaults;
const counters = (): NonNullable<IoStatus['engine']> => ioStatus().engine!;

function raw(port: number): Socket {
  return connectRaw(port, '127.0.0.1').on('error', () => {});
}

/** A node:tls client that is a node, checks nothing, and tells its first ticket. */
function client(port: number, nodeId: string, session?: Buffer): TLSSocket {
  const identity = issuedIdentity(nodeId);
  const socket = connectTls({ ...identity, port, session, checkServerIdentity: () => undefined });
  return socket.on('error', () => {});
}

/** Connects as a node and waits for the ticket. */
async function ticketFor(acceptor: Acceptor, nodeId: string): Promise<Buffer> {
  const socket = client(acceptor.port, nodeId);
  const session = once(socket, 'session');
  socket.on('secureConnect', () => socket.write(encodePreface())).resume();
  const [ticket] = (await session) as [Buffer];
  await until(() => acceptor.pipes.at(-1)?.identity?.nodeId === nodeId, 'the pipe');
  socket.destroy();
  return ticket;
}

/** Resumes, or tries to; whether it did, and who the acceptor takes it for. */
async function resume(
  acceptor: Acceptor,
  nodeId: string,
  session: Buffer,
): Promise<{ reused: boolean; nodeId: string | undefined }> {
  const before = acceptor.pipes.length;
  const refusals = acceptor.refused.length;
  const socket = client(acceptor.port, nodeId, session);
  socket.on('secureConnect', () => socket.write(encodePreface())).resume();
  await until(
    () => acceptor.pipes.length > before || acceptor.refused.length > refusals,
    'an answer to the resumption',
  );
  const reused = socket.isSessionReused();
  socket.destroy();
  return { reused, nodeId: acceptor.pipes[before]?.identity?.nodeId };
}

/** A relay that may change the records of the dialer once the handshake is over. */
async function meddler(
  t: ExecutionContext,
  to: number,
  meddle: (records: Buffer[]) => Buffer[],
): Promise<{ readonly port: number; arm(): void }> {
  let armed = false;
  const server = createServer((socket) => {
    const onward = raw(to);
    let rest = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      const records: Buffer[] = [];
      while (rest.length >= 5 && rest.length >= 5 + rest.readUInt16BE(3)) {
        const size = 5 + rest.readUInt16BE(3);
        records.push(rest.subarray(0, size));
        rest = rest.subarray(size);
      }
      for (const record of armed ? meddle(records) : records) onward.write(record);
    });
    onward.pipe(socket);
    socket.on('error', () => {}).on('close', () => onward.destroy());
    onward.on('close', () => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  return {
    port,
    arm: () => {
      armed = true;
    },
  };
}

const flipped = (record: Buffer): Buffer => {
  const copy = Buffer.from(record);
  copy[copy.length - 1]! ^= 1;
  return copy;
};

const meddlings: Record<string, (records: Buffer[]) => Buffer[]> = {
  'a damaged record': (records) => records.map(flipped),
  'a replayed record': (records) => records.flatMap((record) => [record, record]),
  'records out of order': (records) => records.toReversed(),
  'a lost record': (records) => records.slice(1),
};

/** Declares the tests of one tier. */
export function tlsHostility(tier: string): void {
  testRefusals(tier);
  testPatience(tier);
  testRecords(tier);
  testTickets(tier);
}

function testRefusals(tier: string): void {
  test.serial(`${tier}: TLS 1.2 is a downgrade and refused`, async (t) => {
    const acceptor = await Acceptor.open(t);
    const before = faults();
    const old = connectTls({
      ...issuedIdentity('b'),
      port: acceptor.port,
      maxVersion: 'TLSv1.2',
      checkServerIdentity: () => undefined,
    });
    await once(old, 'error');
    await until(() => acceptor.refused.length === 1, 'the refusal');
    t.like(acceptor.refused[0], { code: 'ERR_DWCP_CONNECT', detail: { fault: 'protocol' } });
    t.is(faults(), before + 1);
    await acceptor.serves(t);
  });

  test.serial(`${tier}: a handshake that is cut, and bytes that are no TLS`, async (t) => {
    const acceptor = await Acceptor.open(t);
    const before = faults();
    raw(acceptor.port).end(Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252]));
    await until(() => acceptor.refused.length === 1, 'the first refusal');
    t.like(acceptor.refused[0], { code: 'ERR_DWCP_CONNECT', detail: { fault: 'cut' } });
    raw(acceptor.port).write('GET / HTTP/1.1\r\n\r\n');
    await until(() => acceptor.refused.length === 2, 'the second refusal');
    t.like(acceptor.refused[1], { code: 'ERR_DWCP_CONNECT', detail: { fault: 'protocol' } });
    t.is(faults(), before + 2);
    await acceptor.serves(t);
  });

  test.serial(`${tier}: no certificate, and a chain that is too large`, async (t) => {
    const acceptor = await Acceptor.open(t);
    const { port } = acceptor;
    const none = connectTls({ port, ca: authority.cert, checkServerIdentity: () => undefined });
    none.on('error', () => {}).resume();
    await until(() => acceptor.refused.length === 1, 'the first refusal');
    t.is(acceptor.refused[0]!.code, 'ERR_DWCP_IDENTITY');
    const own = issuedIdentity('b');
    const cert = own.cert + authority.cert.repeat(100);
    const large = connectTls({ ...own, cert, port, checkServerIdentity: () => undefined });
    large.on('error', () => {}).resume();
    await until(() => acceptor.refused.length === 2, 'the second refusal');
    t.like(acceptor.refused[1], { code: 'ERR_DWCP_CONNECT', detail: { fault: 'protocol' } });
    await acceptor.serves(t);
  });

  test.serial(`${tier}: renegotiation does not exist, and a live pipe stays`, async (t) => {
    const acceptor = await Acceptor.open(t);
    const socket = client(acceptor.port, 'b');
    await once(socket, 'secureConnect');
    socket.write(encodePreface());
    socket.resume();
    const error = await new Promise((resolve) => {
      socket.renegotiate({}, resolve);
    });
    t.truthy(error);
    await until(() => acceptor.pipes.length === 1, 'the pipe');
    t.is(acceptor.refused.length, 0);
    socket.destroy();
  });
}

function testPatience(tier: string): void {
  test.serial(`${tier}: a slow handshake and a slow first byte meet a deadline`, async (t) => {
    const acceptor = await Acceptor.open(t, { limits: { handshakeTimeoutMs: 300 } });
    const silent = raw(acceptor.port);
    await once(silent, 'close');
    t.is(acceptor.refused[0]?.code, 'ERR_DWCP_DEADLINE');
    const mute = client(acceptor.port, 'b').resume();
    await once(mute, 'close');
    await until(() => acceptor.refused.length === 2, 'the second refusal');
    t.is(acceptor.refused[1]?.code, 'ERR_DWCP_DEADLINE');
    await acceptor.serves(t);
  });

  test.serial(
    `${tier}: of too many half-open sockets the oldest go, and honest peers come in`,
    async (t) => {
      const acceptor = await Acceptor.open(t, { limits: { maxHalfOpen: 4 } });
      let closed = 0;
      const silent = Array.from({ length: 10 }, () =>
        raw(acceptor.port).on('close', () => {
          closed++;
        }),
      );
      await until(() => closed >= 6, 'the oldest to go');
      await until(() => acceptor.refused.length >= 6, 'word of it');
      t.like(acceptor.refused[0], { code: 'ERR_DWCP_LIMIT', detail: { limit: 'maxHalfOpen' } });
      await acceptor.serves(t);
      for (const socket of silent) socket.destroy();
    },
  );
}

function testRecords(tier: string): void {
  for (const [what, meddle] of Object.entries(meddlings)) {
    test.serial(
      `${tier}: ${what} ends the pipe it is on, and no frame of it is delivered`,
      async (t) => {
        const acceptor = await Acceptor.open(t);
        const relay = await meddler(t, acceptor.port, meddle);
        const dialer = ioTransport({ identity: issuedIdentity('b') });
        const ours = new End(await dialer.connect({ host: '127.0.0.1', port: relay.port }, {}));
        ours.start();
        await until(() => acceptor.pipes.length === 1, 'the pipe');
        const theirs = new End(acceptor.pipes[0]!).start();
        ours.pipe.send([frame(1, Buffer.alloc(1000))]);
        await theirs.until(() => theirs.frames.length === 1);
        const before = faults();
        relay.arm();
        // More than one record, all in one write.
        ours.pipe.send([frame(2, Buffer.alloc(60_000, 2)), frame(3, Buffer.alloc(60_000, 3))]);
        await theirs.until(() => theirs.closes.length === 1);
        t.like(theirs.closes[0], { code: 'ERR_DWCP_LINK_DOWN', detail: { fault: 'protocol' } });
        await ours.until(() => ours.closes.length === 1);
        t.true(faults() > before);
        t.true(
          theirs.frames.every(({ stream, payload }) =>
            payload.every((byte) => byte === stream || stream === 1),
          ),
        );
        t.true(theirs.frames.length < 3);
        await acceptor.serves(t);
      },
    );
  }
}

function testTickets(tier: string): void {
  test.serial(
    `${tier}: dialers of the engine resume, each ticket once, and are who they were`,
    async (t) => {
      const acceptor = await Acceptor.open(t);
      const dialer = ioTransport({ identity: issuedIdentity('b') });
      const before = counters().tlsResumed;
      for (let i = 0; i < 4; i++) {
        const pipe = await dialer.connect({ host: '127.0.0.1', port: acceptor.port }, {});
        t.is(pipe.identity?.nodeId, 'a');
        await until(() => acceptor.pipes.length === i + 1, 'the pipe');
        t.is(acceptor.pipes[i]!.identity?.nodeId, 'b');
        pipe.destroy();
      }
      // Both ends count.
      t.is(counters().tlsResumed, before + 6);
    },
  );

  test.serial(
    `${tier}: a session is of the node that made it: another name does not ride on it`,
    async (t) => {
      const acceptor = await Acceptor.open(t);
      const ticket = await ticketFor(acceptor, 'b');
      t.deepEqual(await resume(acceptor, 'c', ticket), { reused: true, nodeId: 'b' });
      const next = await ticketFor(acceptor, 'b');
      acceptor.transport.setRevoked(['dwcp://c/r/b']);
      t.like(await resume(acceptor, 'c', next), { nodeId: undefined });
      t.like(acceptor.refused.at(-1), { code: 'ERR_DWCP_IDENTITY', detail: { reason: 'revoked' } });
    },
  );

  test.serial(
    `${tier}: nothing resumes across a change of the acceptor's or the dialer's identity`,
    async (t) => {
      const acceptor = await Acceptor.open(t);
      const ticket = await ticketFor(acceptor, 'b');
      acceptor.transport.setIdentity(issuedIdentity('a'));
      t.deepEqual(await resume(acceptor, 'b', ticket), { reused: false, nodeId: 'b' });
      const dialer = ioTransport({ identity: issuedIdentity('b') });
      const to = { host: '127.0.0.1', port: acceptor.port };
      (await dialer.connect(to, {})).destroy();
      dialer.setIdentity(issuedIdentity('b2'));
      const before = counters().tlsResumed;
      const seen = acceptor.pipes.length;
      (await dialer.connect(to, {})).destroy();
      await until(() => acceptor.pipes.length > seen, 'the pipe');
      t.is(acceptor.pipes.at(-1)!.identity?.nodeId, 'b2');
      t.is(counters().tlsResumed, before);
    },
  );

  test.serial(
    `${tier}: ticket keys change; those before are good for one interval more`,
    async (t) => {
      const intervalMs = 1000;
      // Keys are good for two intervals from here; an answer that took longer tells nothing of them.
      for (let stalls = 0; ; stalls++) {
        const opened = performance.now();
        const before = counters().ticketRotations;
        const acceptor = await Acceptor.open(t, { ticketIntervalMs: intervalMs });
        const old = await ticketFor(acceptor, 'b');
        await pause(intervalMs * 1.1);
        const first = await resume(acceptor, 'b', old);
        if (performance.now() - opened >= 2 * intervalMs && stalls < 5) continue;
        t.like(first, { reused: true });
        await pause(intervalMs * 1.1);
        t.like(await resume(acceptor, 'b', old), { reused: false, nodeId: 'b' });
        t.is(counters().ticketRotations, before + 2);
        return;
      }
    },
  );
}
