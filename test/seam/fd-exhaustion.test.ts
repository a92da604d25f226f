/** More peers than descriptors, on every tier: those that are in go on, and room that comes back is used. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { native } from '../../lib/native/load.ts';
import { netTransport } from '../../lib/transport/index.ts';
import { End, frame } from './frame-pipe-kit.ts';
import { HostilePeer, until } from './hostile-peer.ts';

const child = fileURLToPath(new URL('fd-exhaustion-child.js', import.meta.url));
const DESCRIPTORS = 64;
const PEERS = 100;

/** `best` is the ring where it is allowed. */
for (const tier of native.io ? ['net', 'epoll', 'best'] : ['net']) {
  test.serial(
    `${tier}: out of descriptors, live pipes go on, and later peers get in`,
    async (t) => {
      const command = `ulimit -n ${DESCRIPTORS}; exec "$0" "$1"`;
      const server = spawn('sh', ['-c', command, process.execPath, child], {
        env: { ...process.env, DWCP_IO: tier === 'best' ? '' : tier },
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      t.teardown(() => server.kill('SIGKILL'));
      const [line] = await once(server.stdout, 'data');
      const { port } = JSON.parse(String(line)) as { port: number };
      const address = { host: '127.0.0.1', port };
      const honest = async (): Promise<End> =>
        new End(await netTransport().connect(address, {})).start();
      const echo = async (end: End): Promise<void> => {
        const before = end.frames.length;
        end.pipe.send([frame(1, Buffer.alloc(500))]);
        await until(() => end.frames.length > before, 'an echo');
      };

      const early = await honest();
      await echo(early);
      const crowd = await Promise.all(
        Array.from({ length: PEERS }, () => HostilePeer.greet(port).catch(() => undefined)),
      );
      for (let i = 0; i < 20; i++) await echo(early);
      for (const peer of crowd) peer?.socket.destroy();

      // Descriptors come back as the server notices; until then a dial may be cut.
      for (let tries = 1; ; tries++) {
        const late = await honest();
        try {
          await Promise.race([
            echo(late),
            late.until(() => late.closes.length > 0).then(() => Promise.reject(new Error('cut'))),
          ]);
          late.pipe.destroy();
          break;
        } catch (error) {
          if (tries === 20) throw error;
        }
      }
      t.is(server.exitCode, null);
      t.deepEqual(early.closes, []);
      early.pipe.destroy();
    },
  );
}
