/** A TCP relay that understands TLS records well enough to repeat, swap, drop or change one. */
import { connect, createServer, type Socket } from 'node:net';
import type { Address } from '../../lib/transport/index.ts';

/** What is done to a pair of records that follow each other. */
export type Tamper = (first: Buffer, second: Buffer) => readonly Buffer[];

/** How records are abused. Each must end the pipe with an error. */
export const tampers: Readonly<Record<string, Tamper>> = {
  repeated: (first, second) => [first, first, second],
  swapped: (first, second) => [second, first],
  dropped: (_first, second) => [second],
  changed: (first, second) => {
    const changed = Buffer.from(first);
    changed[changed.length - 1]! ^= 1;
    return [changed, second];
  },
};

const headerBytes = 5;

/** Cuts a byte stream into whole records. */
class Records {
  #rest: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): Buffer[] {
    const records: Buffer[] = [];
    let bytes = Buffer.concat([this.#rest, chunk]);
    while (bytes.length >= headerBytes) {
      const end = headerBytes + bytes.readUInt16BE(3);
      if (bytes.length < end) break;
      records.push(bytes.subarray(0, end));
      bytes = bytes.subarray(end);
    }
    this.#rest = bytes;
    return records;
  }
}

/**
 * A relay in front of `target`; `tamper()` arms it for the next two records of the dialer, and resolves when it
 * holds the first of them.
 */
export interface TamperProxy {
  readonly address: Address;
  tamper(how: Tamper): Promise<void>;
  close(): void;
}

/** Starts one. */
export async function tamperProxy(target: Address): Promise<TamperProxy> {
  let armed: Tamper | undefined;
  let held: Buffer | undefined;
  let onHeld = (): void => {};
  const sockets = new Set<Socket>();
  const server = createServer((dialer) => {
    const acceptor = connect(target.port, target.host);
    const records = new Records();
    dialer.on('data', (chunk: Buffer) => {
      for (const record of records.push(chunk)) {
        if (!armed) acceptor.write(record);
        else if (held) {
          for (const each of armed(held, record)) acceptor.write(each);
          [armed, held] = [undefined, undefined];
        } else {
          held = record;
          onHeld();
        }
      }
    });
    acceptor.on('data', (chunk) => dialer.write(chunk));
    for (const [own, other] of [
      [dialer, acceptor],
      [acceptor, dialer],
    ] as const) {
      sockets.add(own);
      own.on('error', () => {});
      own.on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    address: { host: '127.0.0.1', port },
    tamper: (how) => {
      armed = how;
      return new Promise((resolve) => (onHeld = resolve));
    },
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
