/** Plain bytes over node:net in the shape of a pipe: every chunk is a frame without a header. */
import { connect, createServer, type Socket } from 'node:net';
import { DwcpError } from '../../errors.ts';
import { dial } from '../dial.ts';
import {
  FrameKind,
  type FramePipe,
  type OutgoingFrame,
  type PipeHandler,
  type PipeStats,
  type PipeTransport,
} from '../frame-pipe.ts';
import { HalfOpen } from '../half-open.ts';
import { listenOn } from '../listener.ts';
import { checkPlaintext } from '../loopback.ts';
import type { ResolvedOptions } from './options.ts';

/** A transport of plain bytes. */
export function rawNetTransport(options: ResolvedOptions): PipeTransport {
  const { clock, limits, allowPlaintext } = options;
  const wrap = (socket: Socket): RawPipe => new RawPipe(socket, options);
  return {
    tier: 'net',
    listen: async (address, onPipe) => {
      checkPlaintext(address, allowPlaintext);
      const server = createServer({ noDelay: true });
      server.on('connection', (socket) => onPipe(wrap(socket)));
      return listenOn(server, address, new HalfOpen(clock, limits));
    },
    connect: async (address, { signal }) => {
      checkPlaintext(address, allowPlaintext);
      const start = (): Socket => connect({ host: address.host, port: address.port });
      return wrap(await dial(start, 'connect', address, { clock, limits, signal }));
    },
  };
}

class RawPipe implements FramePipe {
  readonly tier = 'net';
  readonly secure = false;
  readonly identity = undefined;
  readonly remoteAddress: string;
  readonly #socket: Socket;
  readonly #options: ResolvedOptions;
  #error: DwcpError | undefined;
  #open = true;
  #blocked = false;
  #bytesIn = 0;
  #bytesOut = 0;
  #chunksIn = 0;
  #chunksOut = 0;

  constructor(socket: Socket, options: ResolvedOptions) {
    this.#socket = socket.setNoDelay(true).setKeepAlive(true, options.limits.keepAliveMs);
    this.#options = options;
    this.remoteAddress = `${socket.remoteAddress ?? '?'}:${socket.remotePort ?? 0}`;
    socket.on('error', (cause) => {
      this.#error ??= new DwcpError('ERR_DWCP_LINK_DOWN', 'The socket failed', { cause });
    });
  }

  start(handler: PipeHandler): void {
    const socket = this.#socket;
    socket.on('data', (chunk: Buffer) => {
      this.#bytesIn += chunk.length;
      this.#chunksIn++;
      const head = { kind: FrameKind.data, flags: 0, channel: 0, stream: 0 };
      if (this.#open) handler.onFrames([{ ...head, payload: chunk }]);
    });
    socket.on('drain', () => this.#drained(handler));
    socket.on('close', () => {
      this.#open = false;
      handler.onClose(this.#error);
    });
  }

  send(frames: readonly OutgoingFrame[]): boolean {
    if (!this.#open) throw new DwcpError('ERR_DWCP_CLOSED', 'The pipe is closed');
    for (const { payload } of frames) {
      for (const part of payload) {
        // The caller keeps its bytes; the socket may write later.
        this.#socket.write(Buffer.from(part));
        this.#bytesOut += part.length;
        this.#chunksOut++;
      }
    }
    this.#blocked = this.#socket.writableLength >= this.#options.highWaterBytes;
    return !this.#blocked;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#socket.end();
    this.#socket.resume();
    const { clock, limits } = this.#options;
    const timer = clock.setTimer(() => this.#socket.destroy(), limits.handshakeTimeoutMs);
    timer.unref();
    this.#socket.once('close', () => timer.cancel());
  }

  destroy(error?: DwcpError): void {
    this.#open = false;
    this.#error = error;
    this.#socket.destroy();
  }

  stats(): PipeStats {
    return {
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
      framesIn: this.#chunksIn,
      framesOut: this.#chunksOut,
      bufferedBytes: this.#socket.writableLength,
    };
  }

  #drained(handler: PipeHandler): void {
    if (!this.#blocked || !this.#open) return;
    this.#blocked = false;
    handler.onWritable();
  }
}
