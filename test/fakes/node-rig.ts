/** Nodes of links and membership over real loopback sockets, in this process, for cluster tests. */
import { systemClock } from '../../lib/clock.ts';
import type { Clock } from '../../lib/clock.ts';
import type { DwcpError } from '../../lib/errors.ts';
import { createLinks } from '../../lib/links/links.ts';
import type { LinksOptions } from '../../lib/links/links.ts';
import type { Hello, Link, NodeLinks } from '../../lib/links/link.ts';
import { systemRandom } from '../../lib/random.ts';
import { netTransport } from '../../lib/transport/index.ts';
import type { Address } from '../../lib/transport/frame-pipe.ts';

export const anyPort: Address = { host: '127.0.0.1', port: 0 };

/** A Hello with test defaults. */
export function helloOf(nodeId: string, more: Partial<Hello> = {}): Hello {
  return {
    wireMin: 1,
    wireMax: 2,
    cluster: 'test',
    nodeId,
    incarnation: 1,
    region: 'eu',
    advertise: undefined,
    codecs: [1],
    digests: [1],
    maxMessageBytes: 1024 * 1024,
    policies: {},
    ...more,
  };
}

/** Links with test defaults; quick backoff so that tests stay short. */
export function linksOf(hello: Hello, more: Partial<LinksOptions> = {}): NodeLinks {
  return createLinks({
    self: () => hello,
    transport: netTransport(),
    clock: systemClock,
    random: systemRandom,
    pingIntervalMs: 50,
    backoff: { baseMs: 20, maxMs: 200, floorMs: 5 },
    ...more,
  });
}

/** Resolves with the first link up to `nodeId`, or at once with the one there is. */
export function linked(links: NodeLinks, nodeId: string, timeoutMs = 5_000): Promise<Link> {
  return until(timeoutMs, `link to ${nodeId}`, (done) => {
    const known = links.get(nodeId);
    if (known !== undefined) return done(known);
    links.on('up', (link) => {
      if (link.peer.nodeId === nodeId) done(link);
    });
  });
}

/** Resolves with the next refusal. */
export function refused(links: NodeLinks, timeoutMs = 5_000): Promise<DwcpError> {
  return until(timeoutMs, 'refusal', (done) => links.once('refused', (_, error) => done(error)));
}

/** Resolves when `condition` holds, looked at again at every event `links` emit. */
export function settled(
  all: readonly NodeLinks[],
  what: string,
  condition: () => boolean,
  timeoutMs = 5_000,
): Promise<void> {
  return until(timeoutMs, what, (done) => {
    const look = (): void => {
      if (condition()) done();
    };
    for (const links of all) links.on('up', look).on('down', look).on('refused', look);
    look();
  });
}

/** A promise with a deadline that names what it waited for. */
export function until<T>(
  timeoutMs: number,
  what: string,
  start: (done: (value: T) => void) => void,
  clock: Clock = systemClock,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(
      () => reject(new Error(`no ${what} in ${timeoutMs} ms`)),
      timeoutMs,
    );
    start((value) => {
      timer.cancel();
      resolve(value);
    });
  });
}
