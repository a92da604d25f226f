/** Pipes that were handed out and that nobody has started yet, the same for every tier: their peers may leave. */
import test, { type ExecutionContext } from 'ava';
import { FrameEncoder } from '../../lib/transport/index.ts';
import { type End, frame } from './frame-pipe-kit.ts';
import { HostilePeer, type MakeTransport, Target, until } from './hostile-peer.ts';

const encoder = new FrameEncoder({ maxPayloadBytes: 65_536, checksum: true });

/** A peer, and the pipe to it that nobody started. */
async function unread(
  t: ExecutionContext,
  make: MakeTransport,
): Promise<{ peer: HostilePeer; end: End }> {
  const target = await Target.open(t, make(), () => {});
  const peer = (await HostilePeer.greet(target.port)).read();
  return { peer, end: await target.end(0) };
}

/** True once the pipe takes nothing any more. */
function isClosed({ pipe }: End): boolean {
  try {
    pipe.send([frame(1)]);
    return false;
  } catch {
    return true;
  }
}

/** Declares the tests of one tier. */
export function unreadPipes(name: string, make: MakeTransport): void {
  test.serial(`${name}: a pipe that nobody started sees its peer leave`, async (t) => {
    const { peer, end } = await unread(t, make);
    peer.socket.end();
    await until(() => isClosed(end), 'the end of a pipe nobody started');
    await until(() => peer.socket.readableEnded, 'our FIN');
    end.start();
    await end.until(() => end.closes.length > 0);
    t.deepEqual(end.closes, [undefined]);
  });

  test.serial(`${name}: a pipe that nobody started is reset with its peer`, async (t) => {
    const { peer, end } = await unread(t, make);
    peer.reset();
    await until(() => isClosed(end), 'the end of a pipe nobody started');
    end.start();
    await end.until(() => end.closes.length > 0);
    t.deepEqual(
      end.closes.map((error) => error?.code),
      ['ERR_DWCP_LINK_DOWN'],
    );
  });

  test.serial(`${name}: what a peer said before it left is there at the start`, async (t) => {
    const { peer, end } = await unread(t, make);
    peer.socket.end(encoder.encode([frame(1), frame(2, Buffer.alloc(65_536)), frame(3)]));
    // Longer than the watchdog's interval: it must not take the FIN for the end of everything.
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    end.start();
    await end.until(() => end.closes.length > 0);
    t.deepEqual(
      end.frames.map(({ stream }) => stream),
      [1, 2, 3],
    );
    t.deepEqual(end.closes, [undefined]);
  });
}
