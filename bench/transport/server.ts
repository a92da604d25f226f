/**
 * `server.js NAME echo|oneway`: one server of the transport suite in a process of its own. Prints
 * `{port, tier}`, serves until stdin ends, prints `{messages}` and exits.
 */
import { connectionServer } from './servers/connection.ts';
import { messageServer } from './servers/messages.ts';
import { netServer } from './servers/net.ts';
import { netFramesServer } from './servers/net-frames.ts';
import { pipeServer } from './servers/pipe.ts';
import { zeromqServer } from './servers/zeromq.ts';

/** What flows: answered one by one, or only taken. */
export type Mode = 'echo' | 'oneway';

/** A server under way. */
export interface Serving {
  readonly port: number;
  /** The I/O tier of dwcp that carries it. */
  readonly tier?: string;
  /** Whole messages taken so far; bytes when they have no bounds. */
  count(): number;
}

const servers: Record<string, (mode: Mode) => Promise<Serving>> = {
  net: netServer,
  'net-frames': (mode) => netFramesServer(mode, { checksum: false }),
  'net-frames-crc': (mode) => netFramesServer(mode, { checksum: true }),
  zeromq: zeromqServer,
  chunks: (mode) => messageServer(mode, 'forward', false),
  batch: (mode) => messageServer(mode, 'forward', true),
  'batch-view': (mode) => messageServer(mode, 'view', true),
  messages: (mode) => messageServer(mode, 'message', true),
  pipe: pipeServer,
  connection: connectionServer,
};

const [name = '', mode] = process.argv.slice(2);
const serving = await servers[name]!(mode as Mode);
process.stdout.write(`${JSON.stringify({ port: serving.port, tier: serving.tier })}\n`);
process.stdin.resume().once('end', () => {
  process.stdout.write(`${JSON.stringify({ messages: serving.count() })}\n`, () => process.exit(0));
});
