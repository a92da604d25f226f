/** A TCP relay that adds a delay and cuts its connections, each after as many bytes as it is told: in the middle of records and frames. */
import { connect, createServer, type Socket } from 'node:net';
import type { Address } from '../../lib/transport/index.ts';

/** A relay in front of one address. */
export interface CuttingRelay {
  readonly address: Address;
  /** Connections cut so far. */
  readonly cuts: number;
  /** Connections that stand now may carry so many bytes more. */
  limit(bytes: number): void;
  close(): void;
}

/** What a relay does. */
export interface CuttingRelayOptions {
  readonly target: Address;
  /** Of each direction, ms. */
  readonly delayMs: number;
  /** Bytes that the next connection may carry, both directions together. */
  readonly allowance: () => number;
}

/** Starts one. */
export async function cuttingRelay(options: CuttingRelayOptions): Promise<CuttingRelay> {
  const { target, delayMs, allowance } = options;
  const sockets = new Set<Socket>();
  const limits = new Set<(bytes: number) => void>();
  let cuts = 0;
  const server = createServer((near) => {
    const far = connect(target.port, target.host);
    let left = allowance();
    const limit = (bytes: number): void => void (left = bytes);
    limits.add(limit);
    near.once('close', () => limits.delete(limit));
    const both = [near, far] as const;
    let done = false;
    const cut = (): void => {
      if (done) return;
      done = true;
      cuts += 1;
      for (const socket of both) socket.resetAndDestroy();
    };
    for (const [from, to] of [both, both.toReversed() as [Socket, Socket]]) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on('error', () => {});
      from.on('close', () => {
        sockets.delete(from);
        setTimeout(() => to.destroy(), delayMs);
      });
      from.on('data', (chunk: Buffer) => {
        const passed = chunk.subarray(0, left);
        const last = chunk.length > left;
        left -= passed.length;
        if (last) from.pause();
        setTimeout(() => {
          if (to.destroyed) return;
          // The last bytes pass before the cut, so that it falls where the allowance says.
          if (last) to.write(passed, cut);
          else if (!to.write(passed)) {
            from.pause();
            to.once('drain', () => from.resume());
          }
        }, delayMs);
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    address: { host: '127.0.0.1', port },
    get cuts() {
      return cuts;
    },
    limit: (bytes) => {
      for (const set of limits) set(bytes);
    },
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
