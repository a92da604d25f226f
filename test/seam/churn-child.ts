/** A server that echoes on the tier of DWCP_IO, and tells what it holds whenever it is asked. */
import { readdirSync } from 'node:fs';
import { ioStatus, ioTransport } from '../../lib/transport/index.ts';

/** What the parent gets. */
export interface ChurnReport {
  readonly tier: string;
  /** Pipes handed out and not closed yet, and all that ever were. */
  readonly live: number;
  readonly total: number;
  readonly files: number;
  /** Slabs that hold bytes of somebody. */
  readonly slabs: number;
  readonly connections: number;
  /** Resident, without what V8 keeps free in its heap: that comes and goes by megabytes. */
  readonly residentBytes: number;
  readonly lostWakes: number;
}

let live = 0;
let total = 0;
const listener = await ioTransport().listen({ host: '127.0.0.1', port: 0 }, (pipe) => {
  live++;
  total++;
  pipe.start({
    onFrames: (frames) => {
      pipe.send(frames.map((frame) => ({ ...frame, payload: [frame.payload] })));
    },
    onWritable: () => {},
    onClose: () => live--,
  });
});

process.on('message', () => {
  (globalThis as { gc?: () => void }).gc?.();
  const { tier, engine } = ioStatus();
  const { rss, heapTotal, heapUsed } = process.memoryUsage();
  process.send!({
    tier,
    live,
    total,
    files: readdirSync('/proc/self/fd').length,
    slabs: engine?.slabsHeld ?? 0,
    connections: engine?.connections ?? 0,
    residentBytes: rss - (heapTotal - heapUsed),
    lostWakes: engine?.lostWakes ?? 0,
  } satisfies ChurnReport);
});
process.send!(listener.address.port);
