/** A node's events as lines for a person or a log file: time, what, who. */
import type { DwcpNode } from '../node/index.ts';
import type { PageEvent } from '../dashboard/state.ts';
import { reasonOf } from './command.ts';

/** Calls `tell` for each event of `node`. */
export function tellEvents(
  node: DwcpNode,
  tell: (kind: PageEvent['kind'], text: string) => void,
): void {
  node.on('peerUp', ({ nodeId, region }) => tell('good', `link to ${nodeId} (${region}) is up`));
  node.on('peerDown', ({ nodeId, region, error }) =>
    tell('bad', `link to ${nodeId} (${region}) is down${error ? `: ${reasonOf(error)}` : ''}`),
  );
  node.on('peerSuspect', ({ nodeId }) => tell('warn', `${nodeId} is silent; calls avoid it`));
  node.on('peerAlive', ({ nodeId }) => tell('good', `${nodeId} is heard again`));
  node.on('linkRefused', ({ address, error }) =>
    tell('warn', `no link to ${address}: ${reasonOf(error)}`),
  );
}
