/** A process with few descriptors that echoes frames on the tier of DWCP_IO; prints its port. */
import { ioStatus, ioTransport } from '../../lib/transport/index.ts';

const listener = await ioTransport().listen({ host: '127.0.0.1', port: 0 }, (pipe) => {
  pipe.start({
    onFrames: (frames) => {
      pipe.send(frames.map((frame) => ({ ...frame, payload: [frame.payload] })));
    },
    onWritable: () => {},
    onClose: () => {},
  });
});
console.log(JSON.stringify({ port: listener.address.port, tier: ioStatus().tier }));
process.stdin.resume().once('end', () => process.exit(0));
