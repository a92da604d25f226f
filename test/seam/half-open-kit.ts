/**
 * Strangers at the door, the same for every tier: peers that connect and say nothing, or begin and stop. One address
 * cannot keep another out; whoever is silent goes at the first deadline, whoever is slow at the second.
 */
import test from 'ava';
import { encodePreface } from '../../lib/transport/index.ts';
import type { DwcpError, HalfOpenStats, LinkLimits, OnRefused } from '../../lib/transport/index.ts';
import type { FramePipe, PipeListener, PipeTransport } from '../../lib/transport/index.ts';
import { HostilePeer, pause, until } from './hostile-peer.ts';

/** Makes the transport under test. */
export type MakeDoor = (limits: Partial<LinkLimits>, onRefused: OnRefused) => PipeTransport;

interface Door {
  readonly listener: PipeListener;
  readonly pipes: FramePipe[];
  readonly refused: { readonly error: DwcpError; readonly from: string }[];
  /** Dials from an address and waits until the listener knows. */
  knock(from: string): Promise<HostilePeer>;
  /** An honest peer of 127.0.0.1 comes in. */
  enter(): Promise<void>;
  stats(): HalfOpenStats;
}

const host = '127.0.0.1';
/** The listener ended it, by FIN or RST. */
const gone = ({ socket }: HostilePeer): boolean => socket.readableEnded || socket.closed;

/** Declares the tests of one tier. */
export function halfOpenSockets(name: string, make: MakeDoor): void {
  const open = async (
    t: { teardown(fn: () => Promise<void>): void },
    limits: Partial<LinkLimits>,
  ): Promise<Door> => {
    const refused: Door['refused'] = [];
    const transport = make(limits, (error, from) => void refused.push({ error, from }));
    const pipes: FramePipe[] = [];
    const listener = await transport.listen({ host, port: 0 }, (pipe) => void pipes.push(pipe));
    const stats = (): HalfOpenStats => listener.halfOpen!();
    const peers: HostilePeer[] = [];
    t.teardown(async () => {
      for (const { socket } of peers) socket.destroy();
      for (const pipe of pipes) pipe.destroy();
      await listener.close();
    });
    const seen = (): number => {
      const { halfOpen, shed, shedByAddress, silent, late } = stats();
      return halfOpen + shed + shedByAddress + silent + late;
    };
    return {
      listener,
      pipes,
      refused,
      stats,
      knock: async (from) => {
        const before = seen();
        const peer = await HostilePeer.dial(listener.address.port, from);
        peer.socket.resume();
        peers.push(peer);
        await until(() => seen() > before, `the socket from ${from}`);
        return peer;
      },
      enter: async () => {
        const before = pipes.length;
        const pipe = await transport.connect({ host, port: listener.address.port }, {});
        await until(() => pipes.length > before, 'the honest peer');
        pipe.destroy();
      },
    };
  };
  /** The beginning of a preface; to TLS, of a record. */
  const begun = name.includes('tls') ? Buffer.of(0x16, 3, 1) : Buffer.from('DWC');
  const patient = { firstByteTimeoutMs: 60_000, handshakeTimeoutMs: 60_000 };

  test.serial(`${name}: an address at its cap pays with its own; another gets in`, async (t) => {
    const door = await open(t, { ...patient, maxHalfOpen: 64, maxHalfOpenPerAddress: 4 });
    const peers: HostilePeer[] = [];
    for (let i = 0; i < 12; i++) peers.push(await door.knock('127.0.0.2'));
    t.like(door.stats(), { halfOpen: 4, shedByAddress: 8, shed: 0 });
    await until(() => peers.filter(gone).length === 8, 'the oldest go');
    t.deepEqual(
      peers.map(gone),
      peers.map((_, i) => i < 8),
    );
    await door.enter();
    t.is(door.stats().halfOpen, 4, 'the honest peer cost nobody a place');
    t.is(door.refused.length, 8);
    for (const { error, from } of door.refused) {
      t.is(error.code, 'ERR_DWCP_LIMIT');
      t.deepEqual(error.detail, { limit: 'maxHalfOpenPerAddress' });
      t.regex(from, /127\.0\.0\.2:\d+$/);
    }
  });

  test.serial(`${name}: when all places are taken, the address with most gives one`, async (t) => {
    const door = await open(t, { ...patient, maxHalfOpen: 8, maxHalfOpenPerAddress: 6 });
    const lone = await door.knock('127.0.0.3');
    const many: HostilePeer[] = [];
    for (let i = 0; i < 6; i++) many.push(await door.knock('127.0.0.2'));
    const other = await door.knock('127.0.0.4');
    t.like(door.stats(), { halfOpen: 8, shed: 0, shedByAddress: 0 });
    await door.enter();
    await until(() => gone(many[0]!), 'the oldest of the many goes');
    t.like(door.stats(), { shed: 1, shedByAddress: 0 });
    t.false(gone(lone));
    t.false(gone(other));
  });

  test.serial(
    `${name}: a peer without a first byte is closed; one that began has longer`,
    async (t) => {
      const door = await open(t, { firstByteTimeoutMs: 150, handshakeTimeoutMs: 1_000 });
      const silent = await door.knock('127.0.0.2');
      const slow = await door.knock('127.0.0.3');
      slow.socket.write(begun);
      await until(() => gone(silent), 'the silent one goes');
      t.like(door.stats(), { silent: 1, late: 0, halfOpen: 1 });
      t.false(gone(slow));
      await until(() => gone(slow), 'the slow one goes');
      t.like(door.stats(), { silent: 1, late: 1, halfOpen: 0 });
      t.deepEqual(
        door.refused.map(({ error }) => error.code),
        ['ERR_DWCP_DEADLINE', 'ERR_DWCP_DEADLINE'],
      );
      await door.enter();
    },
  );

  if (!name.includes('tls')) {
    const preface = encodePreface();
    const tooNew = Buffer.from(preface).fill(250, 4, 6);
    const strangers: Record<string, [(peer: HostilePeer) => unknown, string]> = {
      'another protocol': [({ socket }) => socket.write('GET / HTTP/1.1'), 'ERR_DWCP_FRAME_MAGIC'],
      'a version of the future': [({ socket }) => socket.write(tooNew), 'ERR_DWCP_FRAME_VERSION'],
      'half a preface': [({ socket }) => socket.end('DWCP'), 'ERR_DWCP_FRAME_CORRUPT'],
      'a look inside': [({ socket }) => socket.end(), 'ERR_DWCP_HANDSHAKE'],
      'a reset': [(peer) => peer.reset(), 'ERR_DWCP_LINK_DOWN'],
    };
    for (const [what, [act, code]] of Object.entries(strangers)) {
      test.serial(
        `${name}: ${what} in place of a preface is told once, with ${code}`,
        async (t) => {
          const door = await open(t, patient);
          act(await door.knock('127.0.0.2'));
          await until(() => door.refused.length > 0, 'a refusal');
          await door.enter();
          t.deepEqual(
            door.refused.map(({ error }) => error.code),
            [code],
          );
          t.regex(door.refused[0]!.from, /127\.0\.0\.2:\d+$/);
        },
      );
    }
  }

  test.serial(`${name}: who spoke while this process was held up is not silent`, async (t) => {
    const door = await open(t, { firstByteTimeoutMs: 200, handshakeTimeoutMs: 60_000 });
    const peer = await door.knock('127.0.0.2');
    peer.socket.write(begun);
    const end = performance.now() + 600;
    while (performance.now() < end);
    await pause(100);
    t.like(door.stats(), { silent: 0, halfOpen: 1 });
    t.false(gone(peer));
  });

  test.serial(`${name}: a thousand silent sockets of one address keep nobody out`, async (t) => {
    const door = await open(t, patient);
    for (let i = 0; i < 1_000; i += 50) {
      await Promise.all(
        Array.from({ length: 50 }, () =>
          HostilePeer.dial(door.listener.address.port, '127.0.0.2').then((peer) =>
            peer.socket.resume(),
          ),
        ),
      );
    }
    await until(() => door.stats().halfOpen + door.stats().shedByAddress === 1_000, 'all of them');
    t.is(door.stats().halfOpen, 128);
    for (let i = 0; i < 20; i++) await door.enter();
    t.is(door.stats().halfOpen, 128);
  });
}
