/** A server of the I/O engine that runs out of descriptors: it sheds what it cannot take, and serves on. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { native } from '../../lib/native/load.ts';

const child = fileURLToPath(new URL('io-descriptors-child.js', import.meta.url));
const descriptors = 64;

/** Connects and is answered, or is closed by the server. */
async function visit(port: number, sockets: Socket[]): Promise<'answered' | 'shed'> {
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  sockets.push(socket);
  socket.write('hello');
  // Shed with its greeting unread, it is reset, which `once` reports as a rejection.
  const answered = once(socket, 'data').then(
    () => 'answered' as const,
    () => 'shed' as const,
  );
  return Promise.race([answered, once(socket, 'close').then(() => 'shed' as const)]);
}

async function exhaust(t: ExecutionContext, tier: string): Promise<void> {
  t.timeout(30_000);
  const server = spawn(
    'sh',
    ['-c', `ulimit -n ${descriptors}; exec "$0" "$1"`, process.execPath, child],
    {
      env: { ...process.env, DWCP_IO: tier },
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  const lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
  const sockets: Socket[] = [];
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.kill();
  });
  const { port } = JSON.parse((await lines.next()).value);
  const first = await Promise.all(
    Array.from({ length: 2 * descriptors }, () => visit(port, sockets)),
  );
  t.true(first.includes('answered'));
  t.true(first.includes('shed'));
  // Those it has are served on, and there is room again once they leave.
  for (const socket of sockets.splice(0)) socket.destroy();
  let last: string = 'shed';
  for (let i = 0; last === 'shed' && i < 100; i++) last = await visit(port, sockets);
  t.is(last, 'answered');
  server.stdin.end();
  const counters = JSON.parse((await lines.next()).value);
  t.true(counters.acceptFailures > 0);
  t.is(counters.lostWakes, 0);
}

if (native.io) {
  for (const tier of ['', 'epoll']) {
    test(`a server without descriptors sheds and recovers (${tier || 'best tier'})`, exhaust, tier);
  }
} else {
  test('there is no engine here that could run out of descriptors', (t) => {
    t.is(native.io, undefined);
  });
}
