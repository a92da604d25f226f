/**
 * What peers, networks and machines do to pipes, the same for every tier: slow and stuck peers, FIN and RST at
 * every moment, garbage, silence, floods. Each costs at most its own pipe, in bounded memory.
 */
import { readdirSync } from 'node:fs';
import { once } from 'node:events';
import test from 'ava';
import { encodePreface, type OutgoingFrame, type TlsIdentity } from '../../lib/transport/index.ts';
import { frame } from './frame-pipe-kit.ts';
import {
  encoder,
  HostilePeer,
  type MakeTransport,
  pause,
  speakTls,
  Target,
  until,
} from './hostile-peer.ts';

const openFiles = (): number => readdirSync('/proc/self/fd').length;
const wire = (frames: readonly OutgoingFrame[]): Buffer => encoder.encode(frames);

/** Declares the tests of one tier; with an identity its peers speak TLS. */
export function pipeFaults(name: string, make: MakeTransport, identity?: TlsIdentity): void {
  if (identity) speakTls(identity);
  test.serial(`${name}: one byte at a time is as good as one write`, async (t) => {
    const target = await Target.open(t, make());
    const peer = await HostilePeer.dial(target.port);
    const bytes = Buffer.concat([
      encodePreface(),
      wire([frame(1, Buffer.alloc(100, 1)), frame(2)]),
    ]);
    for (const byte of bytes) {
      peer.socket.write(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const end = await target.end(0);
    await end.until(() => end.frames.length === 2);
    t.deepEqual(
      end.frames.map(({ stream, payload }) => [stream, payload.length]),
      [
        [1, 100],
        [2, 0],
      ],
    );
    peer.socket.destroy();
  });

  test.serial(`${name}: a stuck reader holds back its own sender and nobody else`, async (t) => {
    const target = await Target.open(t, make());
    const stuck = await HostilePeer.greet(target.port);
    const victim = await target.end(0);
    const big = frame(1, Buffer.alloc(65_536, 1));
    let sent = 0;
    for (let open = true; sent < 1_000; sent++) {
      if (!open) {
        await pause(20);
        if (victim.writable === 0) break;
        victim.writable = 0;
      }
      open = victim.pipe.send([big]);
    }
    t.true(sent < 1_000, 'never told to hold back');
    t.true(victim.pipe.stats().bufferedBytes < 1024 * 1024);

    const honest = await target.honest(t);
    const partner = await target.end(1);
    for (let i = 0; i < 500; i++) honest.pipe.send([frame(i, Buffer.alloc(1_000))]);
    await partner.until(() => partner.frames.length === 500);

    stuck.read();
    await until(() => stuck.frames.length === sent, 'what was sent before');
    t.deepEqual(victim.closes, []);
    stuck.socket.destroy();
  });

  test.serial(
    `${name}: small frames to a stuck reader do not hold the memory of others`,
    async (t) => {
      const target = await Target.open(t, make());
      const stuck = await HostilePeer.greet(target.port);
      const victim = await target.end(0);
      // The kernel's buffers are full; from here on every byte waits in ours.
      while (victim.pipe.send([frame(1, Buffer.alloc(65_536))])) await pause(1);
      await pause(50);
      const honest = await target.honest(t);
      const partner = await target.end(1);
      let received = 0;
      partner.onFrames = () => {
        received += partner.frames.splice(0).length;
      };
      const block = Array.from({ length: 4 }, (_, i) => frame(i, Buffer.alloc(32_000)));
      for (let round = 0; round < 1_500 && honest.closes.length === 0; round++) {
        victim.pipe.send([frame(2, Buffer.from('tick'))]);
        const before = honest.writable;
        const open = honest.pipe.send(block);
        if (!open) await honest.until(() => honest.writable > before || honest.closes.length > 0);
      }
      await partner.until(() => received === 6_000 || partner.closes.length > 0);
      t.is(received, 6_000);
      t.deepEqual(honest.closes, []);
      t.deepEqual(victim.closes, []);
      stuck.socket.destroy();
    },
  );

  test.serial(
    `${name}: hundreds of stuck readers stay within the budget; an honest pipe goes on`,
    async (t) => {
      const target = await Target.open(t, make());
      const before = process.memoryUsage.rss();
      const crowd = await target.crowd(300);
      const big = frame(1, Buffer.alloc(65_536, 1));
      for (const { pipe } of target.ends) {
        // As a polite sender does: until told to stop.
        for (let i = 0; i < 200; i++) {
          try {
            if (!pipe.send([big])) break;
          } catch (error) {
            t.like(error, { code: 'ERR_DWCP_CLOSED' });
            break;
          }
        }
      }
      await pause(50);
      const honest = await target.honest(t);
      const partner = await target.end(crowd.length);
      for (let i = 0; i < 100; i++) honest.pipe.send([frame(i, Buffer.alloc(1_000))]);
      await partner.until(() => partner.frames.length === 100 || partner.closes.length > 0);
      t.is(partner.frames.length, 100);
      t.deepEqual(honest.closes, []);
      const grownMiB = (process.memoryUsage.rss() - before) / 1024 / 1024;
      t.true(grownMiB < 300, `RSS grew by ${grownMiB.toFixed(0)} MiB`);
      for (const { socket } of crowd) socket.destroy();
    },
  );

  test.serial(`${name}: frames begun and never finished do not stop honest ones`, async (t) => {
    const target = await Target.open(t, make());
    const begun = wire([frame(1, Buffer.alloc(65_536))]).subarray(0, 60_000);
    const crowd = await target.crowd(400);
    for (const { socket } of crowd) socket.write(begun);
    await pause(50);
    const honest = await target.honest(t);
    const partner = await target.end(crowd.length);
    for (let i = 0; i < 200; i++) honest.pipe.send([frame(i, Buffer.alloc(20_000))]);
    await partner.until(() => partner.frames.length === 200 || partner.closes.length > 0);
    t.is(partner.frames.length, 200);
    for (const { socket } of crowd) socket.destroy();
  });

  test.serial(
    `${name}: FIN after whole frames is an orderly end, and answers still go out`,
    async (t) => {
      const target = await Target.open(t, make(), (end) => {
        end.start();
        end.onFrames = (frames) => {
          for (const { stream } of frames) end.pipe.send([frame(stream, Buffer.alloc(60_000))]);
        };
      });
      const peer = (await HostilePeer.greet(target.port)).read();
      peer.socket.end(wire([frame(1), frame(2), frame(3)]));
      const end = await target.end(0);
      await until(() => peer.frames.length === 3, 'the answers');
      await end.until(() => end.closes.length > 0);
      t.deepEqual(end.closes, [undefined]);
    },
  );

  test.serial(
    `${name}: the half-closed peer that keeps its side open is closed in the end`,
    async (t) => {
      const target = await Target.open(t, make({ handshakeTimeoutMs: 150 }));
      const peer = await HostilePeer.greet(target.port);
      const end = await target.end(0);
      end.pipe.close();
      await end.until(() => end.closes.length > 0);
      t.is(end.closes.length, 1);
      peer.socket.destroy();
    },
  );

  const moments: Record<string, (peer: HostilePeer, target: Target) => Promise<void>> = {
    'before its preface': async () => {},
    'inside its preface': async (peer) => void peer.socket.write(encodePreface().subarray(0, 3)),
    'after its preface': async (peer, target) => {
      peer.socket.write(encodePreface());
      await target.end(0);
    },
    'inside a header': async (peer, target) => {
      peer.socket.write(Buffer.concat([encodePreface(), wire([frame(1)]).subarray(0, 9)]));
      await target.end(0);
    },
    'inside a payload': async (peer, target) => {
      const bytes = wire([frame(1, Buffer.alloc(9_000))]);
      peer.socket.write(Buffer.concat([encodePreface(), bytes.subarray(0, 5_000)]));
      await target.end(0);
    },
    'with much queued for it': async (peer, target) => {
      peer.socket.write(encodePreface());
      const { pipe } = await target.end(0);
      while (pipe.send([frame(1, Buffer.alloc(65_536))])) await pause(1);
    },
    'while it is being closed': async (peer, target) => {
      peer.socket.write(encodePreface());
      const { pipe } = await target.end(0);
      pipe.send([frame(1, Buffer.alloc(65_536))]);
      pipe.close();
    },
    'after it was destroyed': async (peer, target) => {
      peer.socket.write(encodePreface());
      (await target.end(0)).pipe.destroy();
    },
  };
  for (const [moment, arrange] of Object.entries(moments)) {
    test.serial(`${name}: a reset ${moment} ends that pipe, once`, async (t) => {
      const target = await Target.open(t, make());
      const peer = await HostilePeer.dial(target.port);
      await arrange(peer, target);
      peer.reset();
      const victim = target.ends[0];
      if (victim) {
        await victim.until(() => victim.closes.length > 0);
        t.true(
          [undefined, 'ERR_DWCP_LINK_DOWN', 'ERR_DWCP_FRAME_CORRUPT'].includes(
            victim.closes[0]?.code,
          ),
        );
        t.throws(() => victim.pipe.send([frame(1)]), { code: 'ERR_DWCP_CLOSED' });
      }
      const honest = await target.honest(t);
      honest.pipe.send([frame(7)]);
      await until(() => target.ends.at(-1)?.frames.length === 1, 'an honest frame');
      await pause(10);
      t.true((victim?.closes.length ?? 1) === 1);
      t.is(victim?.pipe.stats().bufferedBytes ?? 0, 0);
    });
  }

  test.serial(`${name}: a thousand peers come and go in every way; nothing stays`, async (t) => {
    const target = await Target.open(t, make());
    const files = openFiles();
    const one = wire([frame(1, Buffer.alloc(300))]);
    const ways: ((peer: HostilePeer) => void)[] = [
      ({ socket }) => socket.destroy(),
      ({ socket }) => socket.end(Buffer.concat([encodePreface(), one])),
      ({ socket }) => socket.end(Buffer.concat([encodePreface(), one.subarray(0, 100)])),
      (peer) => peer.socket.write(Buffer.concat([encodePreface(), one]), () => peer.reset()),
      ({ socket }) => socket.end('GET / HTTP/1.1\r\n\r\n'),
    ];
    const lanes = Array.from({ length: 8 }, async (_, lane) => {
      for (let i = lane; i < 1_000; i += 8) {
        const peer = await HostilePeer.dial(target.port);
        const closed = once(peer.socket, 'close');
        peer.socket.resume();
        ways[i % ways.length]!(peer);
        await closed;
      }
    });
    await Promise.all(lanes);
    await until(() => target.ends.every(({ closes }) => closes.length === 1), 'all closes');
    await until(() => openFiles() <= files, `${openFiles()} open files instead of ${files}`);
    t.true(target.ends.length >= 400, `${target.ends.length} were handed out`);
  });

  test.serial(
    `${name}: a million tiny frames in few ticks arrive, in batches that let timers run`,
    async (t) => {
      const total = 1_000_000;
      let received = 0;
      let largest = 0;
      const target = await Target.open(t, make(), (end) =>
        end.pipe.start({
          onFrames: (frames) => {
            received += frames.length;
            largest = Math.max(largest, frames.length);
          },
          onWritable: () => {},
          onClose: () => {},
        }),
      );
      const peer = await HostilePeer.greet(target.port);
      const block = Buffer.concat(Array.from({ length: 20_000 }, () => wire([frame(1)])));
      let done = false;
      let longestMs = 0;
      const ticking = (async () => {
        while (!done) {
          const before = performance.now();
          await pause(1);
          longestMs = Math.max(longestMs, performance.now() - before);
        }
      })();
      for (let sent = 0; sent < total; sent += 20_000) {
        if (!peer.socket.write(block)) await once(peer.socket, 'drain');
      }
      await until(() => received === total, 'all frames', 30_000);
      done = true;
      await ticking;
      t.true(largest <= 16_384, `${largest} frames in one batch`);
      t.true(longestMs < 1_000, `a timer came ${longestMs.toFixed(0)} ms late`);
      peer.socket.destroy();
    },
  );

  const sound = (): Buffer => wire([frame(1, Buffer.alloc(50, 1))]);
  const flipped = (offset: number, value: (byte: number) => number): Buffer => {
    const bytes = sound();
    bytes[offset] = value(bytes[offset]!);
    return bytes;
  };
  const garbage: Record<string, [Buffer, string]> = {
    'a length above the limit': [flipped(2, () => 0xff), 'ERR_DWCP_LIMIT'],
    'an unknown kind': [flipped(4, () => 99), 'ERR_DWCP_FRAME_KIND'],
    'reserved flags': [flipped(5, (flags) => flags | 0x20), 'ERR_DWCP_FRAME_FLAGS'],
    'an end inside a frame': [sound().subarray(0, 30), 'ERR_DWCP_FRAME_CORRUPT'],
  };
  // TLS has its own, of every record.
  if (!identity) {
    garbage['a wrong checksum'] = [flipped(12, (byte) => byte ^ 1), 'ERR_DWCP_FRAME_CHECKSUM'];
    garbage['a damaged payload'] = [flipped(40, (byte) => byte ^ 1), 'ERR_DWCP_FRAME_CHECKSUM'];
  }
  for (const [what, [bytes, code]] of Object.entries(garbage)) {
    test.serial(
      `${name}: ${what} ends the pipe with ${code}, after what came before`,
      async (t) => {
        const target = await Target.open(t, make());
        const peer = await HostilePeer.greet(target.port);
        peer.socket.resume().write(sound());
        const end = await target.end(0);
        await end.until(() => end.frames.length === 1);
        peer.socket.end(Buffer.concat([sound(), bytes]));
        await end.until(() => end.closes.length > 0);
        t.deepEqual(
          end.closes.map((error) => error?.code),
          [code],
        );
        t.is(end.frames.length, 2);
      },
    );
  }

  test.serial(`${name}: who says nothing in time is closed and never handed out`, async (t) => {
    const target = await Target.open(t, make({ handshakeTimeoutMs: 100 }));
    const silent = await HostilePeer.dial(target.port);
    const slow = await HostilePeer.dial(target.port);
    slow.socket.write(encodePreface().subarray(0, 5));
    const stranger = await HostilePeer.dial(target.port);
    stranger.socket.write('GET / HTTP/1.1\r\n\r\n');
    await Promise.all(
      [silent, slow, stranger].map(({ socket }) => {
        const closed = once(socket, 'close');
        socket.resume().once('end', () => socket.end());
        return closed;
      }),
    );
    t.is(target.ends.length, 0);
  });
}
