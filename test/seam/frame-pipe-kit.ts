/** The contract of FramePipe: what every implementation must do. */
import test, { type ExecutionContext } from 'ava';
import { systemClock } from '../../lib/clock.ts';
import { DwcpError } from '../../lib/errors.ts';
import {
  type Frame,
  FrameKind,
  type FramePipe,
  type OutgoingFrame,
  type PipeTransport,
} from '../../lib/transport/index.ts';

/** One end with everything that happened to it. */
export class End {
  readonly pipe: FramePipe;
  readonly frames: Frame[] = [];
  readonly closes: (DwcpError | undefined)[] = [];
  writable = 0;
  onFrames: (frames: readonly Frame[]) => void = () => {};
  #wake: () => void = () => {};

  constructor(pipe: FramePipe) {
    this.pipe = pipe;
  }

  start(): this {
    this.pipe.start({
      onFrames: (frames) => {
        for (const frame of frames) {
          this.frames.push({ ...frame, payload: Buffer.from(frame.payload) });
        }
        this.onFrames(frames);
        this.#wake();
      },
      onWritable: () => {
        this.writable++;
        this.#wake();
      },
      onClose: (error) => {
        this.closes.push(error);
        this.#wake();
      },
    });
    return this;
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

/** A transport that listens as one and dials as another: both must speak the same bytes. */
export function mixed(acceptor: PipeTransport, dialer: PipeTransport): PipeTransport {
  return {
    tier: acceptor.tier,
    listen: (address, onPipe) => acceptor.listen(address, onPipe),
    connect: (address, options) => dialer.connect(address, options),
  };
}

/** A started dialer, a not yet started acceptor, and the end of both. */
async function connected(
  t: ExecutionContext,
  make: () => PipeTransport,
): Promise<{ dialer: End; acceptor: End }> {
  const transport = make();
  let onPipe = (_: FramePipe): void => {};
  const accepted = new Promise<FramePipe>((resolve) => {
    onPipe = resolve;
  });
  const host = transport.tier === 'simulated' ? 'anywhere' : '127.0.0.1';
  const listener = await transport.listen({ host, port: 0 }, (pipe) => onPipe(pipe));
  const dialer = new End(await transport.connect(listener.address, {})).start();
  const acceptor = new End(await accepted);
  t.teardown(async () => {
    dialer.pipe.destroy();
    acceptor.pipe.destroy();
    await listener.close();
  });
  return { dialer, acceptor };
}

export const frame = (stream: number, payload: Uint8Array = Buffer.alloc(0)): OutgoingFrame => ({
  kind: FrameKind.data,
  flags: 0,
  channel: 3,
  stream,
  payload: [payload],
});

/** Declares the tests of one implementation. */
export function pipeContract(name: string, make: () => PipeTransport): void {
  test(`${name}: frames of every size arrive in order, both ways, whole`, async (t) => {
    const { dialer, acceptor } = await connected(t, make);
    acceptor.start();
    const sizes = [0, 1, 100, 4_096, 65_535, 65_536, 7];
    const all = sizes.map((size, i) => frame(i + 1, Buffer.alloc(size, i + 1)));
    dialer.pipe.send(all.slice(0, 3));
    dialer.pipe.send(all.slice(3));
    acceptor.pipe.send(all);
    await acceptor.until(() => acceptor.frames.length === all.length);
    await dialer.until(() => dialer.frames.length === all.length);
    for (const end of [dialer, acceptor]) {
      t.deepEqual(
        end.frames.map((f) => f.payload.length),
        sizes,
      );
      t.deepEqual(
        end.frames.map((f) => f.stream),
        [1, 2, 3, 4, 5, 6, 7],
      );
      t.true(end.frames.every((f, i) => Buffer.alloc(sizes[i]!, i + 1).equals(f.payload)));
      t.true(end.frames.every((f) => f.kind === FrameKind.data && f.channel === 3));
      t.like(end.pipe.stats(), { framesIn: 7, framesOut: 7 });
    }
  });

  test(`${name}: a payload is borrowed only until send returns`, async (t) => {
    const { dialer, acceptor } = await connected(t, make);
    acceptor.start();
    const bytes = Buffer.alloc(1000, 'a');
    dialer.pipe.send([frame(1, bytes)]);
    bytes.fill('b');
    await acceptor.until(() => acceptor.frames.length === 1);
    t.true(Buffer.alloc(1000, 'a').equals(acceptor.frames[0]!.payload));
  });

  test(`${name}: a hundred thousand tiny frames arrive, none lost`, async (t) => {
    const { dialer, acceptor } = await connected(t, make);
    const total = 100_000;
    let received = 0;
    let inOrder = true;
    acceptor.pipe.start({
      onFrames: (frames) => {
        for (const one of frames) inOrder &&= one.stream === ++received;
      },
      onWritable: () => {},
      onClose: () => {},
    });
    for (let sent = 0; sent < total;) {
      const batch: OutgoingFrame[] = [];
      while (batch.length < 500 && sent < total) batch.push(frame(++sent, Buffer.from('tiny')));
      const before = dialer.writable;
      if (!dialer.pipe.send(batch)) await dialer.until(() => dialer.writable > before);
    }
    while (received < total) await new Promise((resolve) => setImmediate(resolve));
    t.true(inOrder);
    t.is(received, total);
  });

  test(`${name}: a peer that does not read holds the sender back, in bounded memory`, async (t) => {
    const { dialer, acceptor } = await connected(t, make);
    const big = Buffer.alloc(65_536, 1);
    let sent = 0;
    // Without a reader the sender must be told to stop; nobody has more than 64 MB of buffers here.
    let open = true;
    while (open && sent < 1_200) {
      for (let i = 0; open && i < 4; i++, sent++) open = dialer.pipe.send([frame(sent + 1, big)]);
      if (!open) {
        const before = dialer.writable;
        await Promise.race([
          dialer.until(() => dialer.writable > before),
          new Promise((resolve) => systemClock.setTimer(() => resolve(undefined), 50)),
        ]);
        open = dialer.writable > before;
      }
    }
    t.true(sent < 1_200, `still open after ${sent} frames of 64 KiB`);
    t.true(dialer.pipe.stats().bufferedBytes <= 1024 * 1024);
    acceptor.start();
    await acceptor.until(() => acceptor.frames.length === sent);
    await dialer.until(() => dialer.writable > 0);
    t.deepEqual(
      acceptor.frames.map((f) => f.stream),
      Array.from({ length: sent }, (_, i) => i + 1),
    );
  });

  test(`${name}: close sends what is queued, then both ends close without an error`, async (t) => {
    const { dialer, acceptor } = await connected(t, make);
    acceptor.start();
    dialer.pipe.send(Array.from({ length: 10 }, (_, i) => frame(i + 1, Buffer.alloc(60_000))));
    dialer.pipe.close();
    dialer.pipe.close();
    await acceptor.until(() => acceptor.closes.length > 0);
    await dialer.until(() => dialer.closes.length > 0);
    t.is(acceptor.frames.length, 10);
    t.deepEqual(acceptor.closes, [undefined]);
    t.deepEqual(dialer.closes, [undefined]);
    t.throws(() => dialer.pipe.send([frame(1)]), { code: 'ERR_DWCP_CLOSED' });
    t.throws(() => acceptor.pipe.send([frame(1)]), { code: 'ERR_DWCP_CLOSED' });
  });

  test(`${name}: both ends may close at once`, async (t) => {
    const { dialer, acceptor } = await connected(t, make);
    acceptor.start();
    dialer.pipe.close();
    acceptor.pipe.close();
    await acceptor.until(() => acceptor.closes.length > 0);
    await dialer.until(() => dialer.closes.length > 0);
    t.deepEqual([...acceptor.closes, ...dialer.closes], [undefined, undefined]);
  });

  test(`${name}: destroy hands its error to the own end, once, and the peer closes too`, async (t) => {
    const { dialer, acceptor } = await connected(t, make);
    acceptor.start();
    const reason = new DwcpError('ERR_DWCP_PROTOCOL', 'enough');
    dialer.pipe.send([frame(1)]);
    dialer.pipe.destroy(reason);
    dialer.pipe.destroy();
    dialer.pipe.close();
    t.throws(() => dialer.pipe.send([frame(1)]), { code: 'ERR_DWCP_CLOSED' });
    await dialer.until(() => dialer.closes.length > 0);
    await acceptor.until(() => acceptor.closes.length > 0);
    t.deepEqual(dialer.closes, [reason]);
    t.is(acceptor.closes.length, 1);
    t.true([undefined, 'ERR_DWCP_LINK_DOWN'].includes(acceptor.closes[0]?.code));
  });

  test(`${name}: no frame is delivered after destroy, also from inside a handler`, async (t) => {
    const { dialer, acceptor } = await connected(t, make);
    acceptor.start();
    let batches = 0;
    acceptor.onFrames = () => {
      batches++;
      acceptor.pipe.destroy();
    };
    for (let i = 0; i < 20; i++) {
      try {
        dialer.pipe.send([frame(i + 1, Buffer.alloc(60_000))]);
      } catch (error) {
        t.like(error, { code: 'ERR_DWCP_CLOSED' });
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    await acceptor.until(() => acceptor.closes.length > 0);
    t.is(batches, 1);
    t.is(acceptor.closes.length, 1);
  });

  test(`${name}: a pipe that died before start tells so after start`, async (t) => {
    const { dialer, acceptor } = await connected(t, make);
    acceptor.pipe.destroy();
    await dialer.until(() => dialer.closes.length > 0);
    acceptor.start();
    await acceptor.until(() => acceptor.closes.length > 0);
    t.deepEqual(acceptor.closes, [undefined]);
    t.is(dialer.closes.length, 1);
  });

  test(`${name}: frames that came before start are delivered by it`, async (t) => {
    const { dialer, acceptor } = await connected(t, make);
    dialer.pipe.send([frame(1), frame(2, Buffer.alloc(65_536))]);
    await new Promise((resolve) => systemClock.setTimer(() => resolve(undefined), 20));
    t.is(acceptor.frames.length, 0);
    acceptor.start();
    await acceptor.until(() => acceptor.frames.length === 2);
    t.throws(() => acceptor.start(), { code: 'ERR_DWCP_INVALID_ARG' });
  });

  test(`${name}: a listener that closed leaves pipes alone and refuses dials`, async (t) => {
    const transport = make();
    const host = transport.tier === 'simulated' ? 'anywhere' : '127.0.0.1';
    let accepted: End | undefined;
    const listener = await transport.listen({ host, port: 0 }, (pipe) => {
      accepted = new End(pipe).start();
    });
    const dialer = new End(await transport.connect(listener.address, {})).start();
    dialer.pipe.send([frame(1)]);
    while (!accepted) await new Promise((resolve) => setImmediate(resolve));
    await listener.close();
    await t.throwsAsync(transport.connect(listener.address, {}), { code: 'ERR_DWCP_CONNECT' });
    dialer.pipe.send([frame(2)]);
    await accepted.until(() => accepted!.frames.length === 2);
    const abort = transport.connect(listener.address, { signal: AbortSignal.abort() });
    await t.throwsAsync(abort, { code: 'ERR_DWCP_ABORTED' });
    dialer.pipe.destroy();
    accepted.pipe.destroy();
  });
}
