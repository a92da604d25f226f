/** An echo over the I/O engine that prints its port and tier, then the counters of the engine once stdin ends. */
import { ioStatus, listen } from '../../lib/transport/index.ts';

const server = await listen({
  host: '127.0.0.1',
  port: 0,
  framed: false,
  onBatch: (batch) => {
    while (batch.next()) batch.forward();
  },
});
console.log(JSON.stringify({ port: server.address.port, tier: server.tier }));
process.stdin.resume().once('end', () => {
  console.log(JSON.stringify(ioStatus().engine ?? {}));
  process.exit(0);
});
