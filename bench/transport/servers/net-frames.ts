/**
 * Length-prefixed messages over node:net, written as a careful user would: frames inside a chunk are views,
 * a frame over several chunks is copied once into memory kept for that, answers of a chunk leave in one write.
 * The wire is that of dwcp; without `checksum` the CRC field is neither checked nor filled, which is
 * what a protocol written by hand leaves out.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { crc32c } from '../../../lib/transport/checksum.ts';
import {
  encodePreface,
  headerSizeBytes,
  prefaceSizeBytes,
} from '../../../lib/transport/envelope.ts';
import type { Mode, Serving } from '../server.ts';

const maxFrameBytes = headerSizeBytes + 64 * 1024;
const crcOffset = 12;

export interface FramedOptions {
  readonly checksum: boolean;
}

/** Messages over one socket. */
export class FramedSocket {
  readonly #socket: Socket;
  readonly #checksum: boolean;
  readonly #onMessage: (socket: FramedSocket, payload: Buffer) => void;
  readonly #carry = Buffer.allocUnsafeSlow(maxFrameBytes);
  #carriedBytes = 0;
  #prefaceBytes = prefaceSizeBytes;
  #out: Buffer = Buffer.alloc(0);
  #outBytes = 0;

  constructor(
    socket: Socket,
    { checksum }: FramedOptions,
    onMessage: (socket: FramedSocket, payload: Buffer) => void,
  ) {
    this.#socket = socket;
    this.#checksum = checksum;
    this.#onMessage = onMessage;
    socket.write(encodePreface());
    socket.on('data', (chunk: Buffer) => {
      this.#take(chunk);
      this.#flush();
    });
    socket.on('error', () => socket.destroy());
  }

  /** Copies `payload` behind a header; leaves with the other messages of this chunk. */
  send(payload: Buffer): void {
    const needed = headerSizeBytes + payload.length;
    if (this.#out.length - this.#outBytes < needed) {
      this.#flush();
      this.#out = Buffer.allocUnsafe(Math.max(needed, 2048));
    }
    const out = this.#out;
    const start = this.#outBytes;
    out.writeUInt32LE(payload.length, start);
    out.writeUInt32LE(0x00014101, start + 4);
    out.writeUInt32LE(1, start + 8);
    out.writeUInt32LE(0, start + crcOffset);
    out.set(payload, start + headerSizeBytes);
    this.#outBytes = start + needed;
    if (!this.#checksum) return;
    out.writeUInt32LE(crc32c(out.subarray(start, this.#outBytes)), start + crcOffset);
  }

  #flush(): void {
    if (this.#outBytes === 0) return;
    this.#socket.write(this.#out.subarray(0, this.#outBytes));
    this.#out = this.#out.subarray(this.#outBytes);
    this.#outBytes = 0;
  }

  #take(chunk: Buffer): void {
    let offset = 0;
    if (this.#prefaceBytes > 0) {
      offset = Math.min(this.#prefaceBytes, chunk.length);
      this.#prefaceBytes -= offset;
    }
    if (this.#carriedBytes > 0) offset = this.#finishCarried(chunk, offset);
    while (chunk.length - offset >= headerSizeBytes) {
      const end = offset + headerSizeBytes + this.#sizeAt(chunk, offset);
      if (end > chunk.length) break;
      this.#deliver(chunk, offset, end);
      offset = end;
    }
    if (offset < chunk.length) {
      chunk.copy(this.#carry, 0, offset);
      this.#carriedBytes = chunk.length - offset;
    }
  }

  #finishCarried(chunk: Buffer, start: number): number {
    let offset = start;
    for (;;) {
      const known = this.#carriedBytes >= headerSizeBytes;
      const needed = headerSizeBytes + (known ? this.#sizeAt(this.#carry, 0) : 0);
      const end = Math.min(chunk.length, offset + needed - this.#carriedBytes);
      chunk.copy(this.#carry, this.#carriedBytes, offset, end);
      this.#carriedBytes += end - offset;
      offset = end;
      if (this.#carriedBytes < needed) return offset;
      if (!known && this.#sizeAt(this.#carry, 0) > 0) continue;
      this.#carriedBytes = 0;
      this.#deliver(this.#carry, 0, needed);
      return offset;
    }
  }

  #sizeAt(bytes: Buffer, offset: number): number {
    const size = bytes.readUInt32LE(offset);
    if (size > maxFrameBytes - headerSizeBytes) throw new Error(`a frame of ${size} bytes`);
    return size;
  }

  #deliver(bytes: Buffer, start: number, end: number): void {
    if (this.#checksum) {
      const told = bytes.readUInt32LE(start + crcOffset);
      bytes.writeUInt32LE(0, start + crcOffset);
      if (crc32c(bytes.subarray(start, end)) !== told) throw new Error('a wrong checksum');
    }
    this.#onMessage(this, bytes.subarray(start + headerSizeBytes, end));
  }
}

/** Echoes or takes messages. */
export async function netFramesServer(mode: Mode, options: FramedOptions): Promise<Serving> {
  let messages = 0;
  const onMessage =
    mode === 'echo'
      ? (socket: FramedSocket, payload: Buffer) => {
          messages++;
          socket.send(payload);
        }
      : () => {
          messages++;
        };
  const server = createServer({ noDelay: true }, (socket) => {
    new FramedSocket(socket, options, onMessage);
  });
  server.listen(0, '127.0.0.1', 4096);
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, count: () => messages };
}
