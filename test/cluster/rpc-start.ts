/** Links and rpc of one node over real sockets, shaped by region. */
import { systemClock } from '../../lib/clock.ts';
import { createLinks, type Links } from '../../lib/links/index.ts';
import { seededRandom } from '../../lib/random.ts';
import { createRpc, type Rpc } from '../../lib/rpc/index.ts';
import { shapeTransport, wanProfile } from '../../lib/testing/index.ts';
import { netTransport } from '../../lib/transport/index.ts';

/** Starts a node; links to other regions take `roundTripMs`. */
export function startNode(
  nodeId: string,
  region: string,
  roundTripMs: number,
): { readonly links: Links; readonly rpc: Rpc } {
  const random = seededRandom(nodeId.length + region.length);
  const transport = shapeTransport(netTransport(), (end) =>
    end.region === undefined || end.region === region ? undefined : wanProfile(roundTripMs),
  );
  const self = {
    wireMin: 1,
    wireMax: 2,
    cluster: 'rpc-test',
    nodeId,
    incarnation: 1,
    region,
    advertise: undefined,
    codecs: [],
    digests: [],
    maxMessageBytes: 1 << 24,
    policies: {},
  };
  const links = createLinks({ self: () => self, transport, clock: systemClock, random });
  return { links, rpc: createRpc({ links, clock: systemClock, random, self }) };
}
