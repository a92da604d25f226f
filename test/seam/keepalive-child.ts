/**
 * Two pipes to itself in a network of its own, whose only interface then goes down: both are dead, and neither hears of it.
 * Prints the tier, and how the pipes ended and when. The tier comes from DWCP_IO.
 */
import { execFileSync } from 'node:child_process';
import { type FramePipe, ioTransport } from '../../lib/transport/index.ts';

const keepAliveMs = Number(process.argv[2]);
const loopback = (state: 'up' | 'down'): Buffer => execFileSync('ip', ['link', 'set', 'lo', state]);

/** How a pipe ends. */
const endOf = (pipe: FramePipe): Promise<string> =>
  new Promise((resolve) =>
    pipe.start({
      onFrames: () => {},
      onWritable: () => {},
      onClose: (error) => resolve((error?.cause as { code?: string } | undefined)?.code ?? 'none'),
    }),
  );

loopback('up');
const transport = ioTransport({ limits: { keepAliveMs } });
const accepted = new Promise<FramePipe>((resolve) => {
  void transport
    .listen({ host: '127.0.0.1', port: 9 }, resolve)
    .then((listener) => transport.connect(listener.address, {}))
    .then((pipe) => ends.push(endOf(pipe)));
});
const ends: Promise<string>[] = [];
ends.push(endOf(await accepted));
// The greetings of both are acknowledged: from here on there is nothing to send.
await new Promise((resolve) => setTimeout(resolve, 300));
const startMs = performance.now();
loopback('down');
const codes = await Promise.all(ends);
const { tier } = transport;
console.log(JSON.stringify({ tier, codes, tookMs: performance.now() - startMs }));
process.exit(0);
