/** Streams that a node serves to itself: a local stream with a session at its far end. */
import type { Stream } from '../transport/stream.ts';
import { LocalStream } from './local-stream.ts';
import { openSession, type SessionOptions, type StreamSession } from './stream-session.ts';
import type { NodeRef } from './types.ts';
import { decodeMessage } from './wire.ts';

/** The calling end of a stream to this node's own handlers. */
export function openLocal(self: NodeRef, options: SessionOptions): Stream {
  const [near, far] = LocalStream.pair(options.clock);
  let session: StreamSession | undefined;
  far.onEnd(() => session?.ended());
  far.onClose((error) => session?.closed(error));
  far.onMessage((bytes) => {
    const message = decodeMessage(bytes, options.limits);
    if (session) return session.message(message);
    if (message.type === 'open') session = openSession(far, message, self, options);
    return undefined;
  });
  return near;
}
