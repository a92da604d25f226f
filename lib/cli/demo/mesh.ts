/** Every node linked with every other, and every server known to the caller. */
import type { Cluster } from './cluster.ts';
import { members } from './wan.ts';
import { until } from './waiting.ts';

const meshDeadlineMs = 20_000;

/** Resolves when each of the six sees the other five alive. */
export async function meshed(cluster: Cluster): Promise<void> {
  const everyone = members.map(({ nodeId }) => nodeId);
  await until('a full mesh of links', meshDeadlineMs, async () => {
    const views = await cluster.askAll(everyone, 'peers', undefined);
    const full = views.every(
      (peers) => peers.filter(({ state }) => state === 'alive').length === everyone.length - 1,
    );
    return full ? true : undefined;
  });
}
