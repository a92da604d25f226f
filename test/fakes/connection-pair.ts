/** Two connections over a shaped, simulated line. */
import type { LinkLimits } from '../../lib/limits.ts';
import {
  type DirectionProfile,
  shape,
  SimulatedClock,
  simulatedPipePair,
} from '../../lib/testing/index.ts';
import { Connection, type Stream } from '../../lib/transport/index.ts';

/** Both ends, and the clock they live by. */
export interface ConnectionPair {
  readonly clock: SimulatedClock;
  readonly dialer: Connection;
  readonly acceptor: Connection;
}

/** Two connections over a link of `line` each way; `onStream` is the acceptor's. */
export function connectionPair(
  line: DirectionProfile,
  onStream: (stream: Stream) => void,
  limits: Partial<LinkLimits> = {},
): ConnectionPair {
  const clock = new SimulatedClock();
  const [a, b] = simulatedPipePair({ clock });
  const ends = { clock, limits };
  const acceptor = new Connection({
    ...ends,
    pipe: shape(b, { outbound: line }, clock),
    role: 'acceptor',
    onStream,
  });
  const dialer = new Connection({
    ...ends,
    pipe: shape(a, { outbound: line }, clock),
    role: 'dialer',
    onStream: () => {},
  });
  return { clock, dialer, acceptor };
}
