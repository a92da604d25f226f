/** zeromq.js: a Router that answers, or a Pull that takes. */
import { loadPeer } from '../../peers.ts';
import type { Mode, Serving } from '../server.ts';

interface Socket extends AsyncIterable<Buffer[]> {
  readonly lastEndpoint: string;
  bind(endpoint: string): Promise<void>;
  send(message: readonly Buffer[]): Promise<void>;
}

interface ZeroMq {
  readonly Router: new () => Socket;
  readonly Pull: new () => Socket;
}

/** Echoes or takes messages. */
export async function zeromqServer(mode: Mode): Promise<Serving> {
  const { Router, Pull } = loadPeer('zeromq') as ZeroMq;
  const socket = mode === 'echo' ? new Router() : new Pull();
  await socket.bind('tcp://127.0.0.1:0');
  let messages = 0;
  const serve = async (): Promise<void> => {
    for await (const message of socket) {
      messages++;
      if (mode === 'echo') await socket.send(message);
    }
  };
  void serve();
  return { port: Number(socket.lastEndpoint.split(':').at(-1)), count: () => messages };
}
