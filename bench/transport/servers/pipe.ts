/** The bare `FramePipe`: frames in batches, answered with one `send` per batch. */
import { type Frame, ioTransport, type OutgoingFrame } from '../../../lib/transport/index.ts';
import type { Mode, Serving } from '../server.ts';

const answer = ({ kind, flags, channel, stream, payload }: Frame): OutgoingFrame => ({
  kind,
  flags,
  channel,
  stream,
  payload: [payload],
});

/** Echoes or takes frames. */
export async function pipeServer(mode: Mode): Promise<Serving> {
  let messages = 0;
  const transport = ioTransport();
  const listener = await transport.listen({ host: '127.0.0.1', port: 0 }, (pipe) => {
    pipe.start({
      onFrames: (frames) => {
        messages += frames.length;
        if (mode === 'echo') pipe.send(frames.map(answer));
      },
      onWritable: () => {},
      onClose: () => {},
    });
  });
  return { port: listener.address.port, tier: transport.tier, count: () => messages };
}
