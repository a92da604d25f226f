/** A raw socket that speaks link frames as badly as a test wants, and the listener it bothers. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ExecutionContext } from 'ava';
import { systemClock } from '../../lib/clock.ts';
import {
  encodePreface,
  type Frame,
  FrameEncoder,
  FrameParser,
  type FramePipe,
  type LinkLimits,
  type PipeTransport,
  type TlsIdentity,
} from '../../lib/transport/index.ts';
import { End } from './frame-pipe-kit.ts';

/** A process tests one transport: over TLS its frames carry no checksum. */
const envelope = { maxPayloadBytes: 65_536, checksum: true };
let security: TlsIdentity | undefined;
export let encoder: FrameEncoder = new FrameEncoder(envelope);

/** From here on peers of this process speak TLS, as whom the identity says. */
export function speakTls(identity: TlsIdentity): void {
  security = identity;
  envelope.checksum = false;
  encoder = new FrameEncoder(envelope);
}

/** Makes the transport under test with limits of the test's own. */
export type MakeTransport = (limits?: Partial<LinkLimits>) => PipeTransport;

/** Waits until `condition` holds. Polls: what it waits for has no event. */
export async function until(
  condition: () => boolean,
  what: string,
  limitMs = 10_000,
): Promise<void> {
  const start = systemClock.monotonic();
  while (!condition()) {
    if (systemClock.monotonic() - start > limitMs) throw new Error(`never came: ${what}`);
    await pause(1);
  }
}

export const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => systemClock.setTimer(() => resolve(), ms));

/** A raw socket to a listener. */
export class HostilePeer {
  readonly socket: Socket;
  readonly frames: Frame[] = [];
  readonly #parser = new FrameParser(envelope);
  readonly #raw: Socket;

  private constructor(raw: Socket, socket: Socket) {
    this.#raw = raw;
    this.socket = socket;
    for (const each of [raw, socket]) each.on('error', () => {});
  }

  /** Dials; nothing is sent or read. `from` is the own address. */
  static async dial(port: number, from = '127.0.0.1'): Promise<HostilePeer> {
    const options = { port, host: '127.0.0.1', localAddress: from, allowHalfOpen: true };
    const raw = connect({ ...options, noDelay: true }).pause();
    if (!security) {
      const peer = new HostilePeer(raw, raw);
      await once(raw, 'connect');
      return peer;
    }
    // The acceptor's name is its SAN URI, which is the transport's own business.
    const checks = { minVersion: 'TLSv1.3', checkServerIdentity: () => undefined } as const;
    const socket = connectTls({ ...security, ...checks, socket: raw });
    socket.allowHalfOpen = true;
    const peer = new HostilePeer(raw, socket.pause());
    await once(socket, 'secureConnect');
    return peer;
  }

  /** Dials and says the preface. */
  static async greet(port: number): Promise<HostilePeer> {
    const peer = await HostilePeer.dial(port);
    peer.socket.write(encodePreface());
    return peer;
  }

  /** Reads from now on and keeps frames; throws into the process what is not frames. */
  read(): this {
    this.socket.on('data', (chunk: Buffer) => {
      const frames: Frame[] = [];
      this.#parser.push(chunk, frames);
      for (const each of frames) {
        this.frames.push({ ...each, payload: Buffer.from(each.payload) });
      }
    });
    this.socket.resume();
    return this;
  }

  /** Ends with RST. */
  reset(): void {
    this.#raw.resetAndDestroy();
  }
}

/** A listener and everything it handed out. */
export class Target {
  readonly transport: PipeTransport;
  readonly port: number;
  readonly ends: End[];

  private constructor(transport: PipeTransport, port: number, ends: End[]) {
    this.transport = transport;
    this.port = port;
    this.ends = ends;
  }

  /** Listens; each pipe is started unless `onPipe` takes it. */
  static async open(
    t: ExecutionContext,
    transport: PipeTransport,
    onPipe: (end: End) => void = (end) => void end.start(),
  ): Promise<Target> {
    const ends: End[] = [];
    const listener = await transport.listen({ host: '127.0.0.1', port: 0 }, (pipe: FramePipe) => {
      const end = new End(pipe);
      ends.push(end);
      onPipe(end);
    });
    t.teardown(async () => {
      for (const { pipe } of ends) pipe.destroy();
      await listener.close();
    });
    return new Target(transport, listener.address.port, ends);
  }

  /** Waits for the pipe number `index`. */
  async end(index: number): Promise<End> {
    await until(() => this.ends.length > index, `pipe ${index}`);
    return this.ends[index]!;
  }

  /** Many peers that said their preface, one after another, as half-open ones are capped. */
  async crowd(size: number): Promise<HostilePeer[]> {
    const peers: HostilePeer[] = [];
    for (let i = 0; i < size; i++) {
      peers.push(await HostilePeer.greet(this.port));
      await this.end(i);
    }
    return peers;
  }

  /** An honest pipe into it; throws what goes wrong with it. */
  async honest(t: ExecutionContext): Promise<End> {
    const end = new End(await this.transport.connect({ host: '127.0.0.1', port: this.port }, {}));
    t.teardown(() => end.pipe.destroy());
    return end.start();
  }
}
