/**
 * Connects and disconnects by the thousand, in every way, on every tier: afterwards nothing is held and memory is flat.
 * `DWCP_CHURN=100000 npm test -- dist/test/seam/churn.test.js` runs as many.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { native } from '../../lib/native/load.ts';
import { encodePreface } from '../../lib/transport/index.ts';
import type { ChurnReport } from './churn-child.ts';
import { frame } from './frame-pipe-kit.ts';
import { encoder, HostilePeer, pause } from './hostile-peer.ts';

const child = fileURLToPath(new URL('churn-child.js', import.meta.url));
const connects = Number(process.env['DWCP_CHURN'] ?? 5_000);
const lanes = 16;
/** Before memory is measured: tables, slabs and compiled code have their size by then. */
const warmConnects = Math.min(connects, 20_000);
/** The allocator's own ups and downs; 160 bytes for each of 100,000. */
const growthBytes = 16 << 20;

const whole = Buffer.concat([encodePreface(), encoder.encode([frame(1, Buffer.alloc(300))])]);
const answered = async (peer: HostilePeer): Promise<void> => {
  peer.socket.write(whole);
  while (peer.frames.length === 0) await once(peer.socket, 'data');
};
/** How peers come and go; each ends its socket. */
const ways: ((peer: HostilePeer) => unknown)[] = [
  ({ socket }) => socket.destroy(),
  ({ socket }) => socket.end(whole),
  ({ socket }) => socket.end(whole.subarray(0, 200)),
  (peer) => answered(peer).then(() => peer.socket.end()),
  (peer) => answered(peer).then(() => peer.reset()),
  (peer) => peer.socket.write(whole, () => peer.reset()),
  ({ socket }) => socket.end('GET / HTTP/1.1\r\n\r\n'),
];

async function visit(port: number, number: number): Promise<void> {
  // Each address has ports of its own, so that those which still wait for old packets do not run out.
  const peer = await HostilePeer.dial(port, `127.0.1.${1 + (number % 200)}`);
  const closed = once(peer.socket, 'close');
  await ways[number % ways.length]!(peer.read());
  await closed;
}

async function churn(port: number, count: number): Promise<void> {
  const lane = async (first: number): Promise<void> => {
    for (let number = first; number < count; number += lanes) await visit(port, number);
  };
  await Promise.all(Array.from({ length: lanes }, (_, first) => lane(first)));
}

async function report(server: ChildProcess): Promise<ChurnReport> {
  const answer = once(server, 'message') as Promise<[ChurnReport]>;
  server.send('report');
  return (await answer)[0];
}

/** The report once nobody is left, or the last one. */
async function settled(server: ChildProcess, idle: ChurnReport): Promise<ChurnReport> {
  let last = await report(server);
  const busy = (): boolean =>
    last.live + last.slabs + last.connections > 0 || last.files > idle.files;
  for (let tries = 0; tries < 100 && busy(); tries++) {
    await pause(100);
    last = await report(server);
  }
  return last;
}

const none = { live: 0, slabs: 0, connections: 0, lostWakes: 0 };

/** `best` is the ring where it is allowed. */
for (const tier of native.io ? ['net', 'epoll', 'best'] : ['net']) {
  test.serial(`${tier}: ${connects} connects and disconnects leave nothing behind`, async (t) => {
    t.timeout(600_000);
    const server = fork(child, {
      env: { ...process.env, DWCP_IO: tier === 'best' ? '' : tier },
      execArgv: ['--expose-gc', '--max-semi-space-size=2'],
    });
    t.teardown(() => server.kill('SIGKILL'));
    const [port] = (await once(server, 'message')) as [number];
    const idle = await report(server);
    await churn(port, warmConnects);
    const warm = await settled(server, idle);
    await churn(port, connects);
    const last = await settled(server, idle);
    const grownBytes = last.residentBytes - warm.residentBytes;
    t.log(
      `${last.tier}: ${last.total} pipes, resident ${(grownBytes / 2 ** 20).toFixed(2)} MiB more`,
    );
    const { live, slabs, connections, lostWakes } = last;
    t.deepEqual({ live, slabs, connections, lostWakes }, none);
    t.is(last.files, idle.files);
    t.true(last.total >= connects / 2);
    t.true(grownBytes < growthBytes, `resident memory grew by ${grownBytes} bytes`);
  });
}
