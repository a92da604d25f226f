/** Nodes of links and replication in this process, over loopback sockets or a simulated network. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { systemClock, sleep } from '../../lib/clock.ts';
import type { Clock } from '../../lib/clock.ts';
import { codecsOf, digestKindsOf } from '../../lib/compression/index.ts';
import { resolveLimits } from '../../lib/limits.ts';
import type { LimitOverrides } from '../../lib/limits.ts';
import { createLinks } from '../../lib/links/links.ts';
import type { LinksOptions } from '../../lib/links/links.ts';
import type { NodeLinks } from '../../lib/links/link.ts';
import type { NativeBinding } from '../../lib/native/contract.ts';
import { native as loaded } from '../../lib/native/load.ts';
import { systemRandom } from '../../lib/random.ts';
import { createReplicator } from '../../lib/replication/index.ts';
import type { Keyspace, Replicator } from '../../lib/replication/index.ts';
import { openStorage } from '../../lib/storage/index.ts';
import type { OpenStorage } from '../../lib/storage/index.ts';
import { silentLogger } from '../../lib/telemetry/logger.ts';
import type { Logger } from '../../lib/telemetry/logger.ts';
import { netTransport } from '../../lib/transport/index.ts';
import type { Address, PipeTransport } from '../../lib/transport/frame-pipe.ts';

/** Options of {@link startNode}. */
export interface RigOptions {
  readonly region?: string;
  readonly open?: OpenStorage;
  readonly limits?: LimitOverrides;
  readonly native?: NativeBinding;
  readonly transport?: PipeTransport;
  readonly clock?: Clock;
  readonly logger?: Logger;
  readonly authorize?: LinksOptions['authorize'];
}

/** One node. */
export interface RigNode {
  readonly nodeId: string;
  readonly links: NodeLinks;
  readonly replicator: Replicator;
  readonly address: Address;
  readonly open: OpenStorage;
  close(): Promise<void>;
}

let incarnation = 1;

/** Starts a node that listens. */
export async function startNode(nodeId: string, options: RigOptions = {}): Promise<RigNode> {
  const { native = loaded, region = 'eu', clock = systemClock } = options;
  const limits = resolveLimits(options.limits);
  const own = incarnation++;
  const links = createLinks({
    self: () => ({
      wireMin: 1,
      wireMax: 1,
      cluster: 'test',
      nodeId,
      incarnation: own,
      region,
      advertise: undefined,
      codecs: codecsOf(native).decode,
      digests: digestKindsOf(native),
      maxMessageBytes: limits.link.maxMessageBytes,
      policies: {},
    }),
    transport: options.transport ?? netTransport(),
    clock,
    random: systemRandom,
    limits: limits.link,
    authorize: options.authorize,
    backoff: { baseMs: 20, maxMs: 200, floorMs: 5 },
  });
  const open = options.open ?? (await openStorage());
  const shared = { links, open, clock, random: systemRandom, limits, region, nodeId, native };
  const replicator = await createReplicator({ ...shared, logger: options.logger ?? silentLogger });
  const address = await links.listen({ host: '127.0.0.1', port: 0 });
  const close = async (): Promise<void> => {
    await links.close(100);
    await replicator.close();
    await open.close();
  };
  return { nodeId, links, replicator, address, open, close };
}

/** Links every node to every other. */
export function mesh(nodes: readonly RigNode[]): void {
  for (const [at, from] of nodes.entries()) {
    for (const to of nodes.slice(at + 1)) from.links.dial(to.address);
  }
}

/** Resolves when `condition` holds; looked at every few ms. */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 15_000,
): Promise<void> {
  const until = systemClock.monotonic() + timeoutMs;
  while (!(await condition())) {
    if (systemClock.monotonic() > until) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await sleep(systemClock, 5);
  }
}

/** A digest of everything a reader sees in a keyspace. */
export async function digestOf(keyspace: Keyspace<'lww' | 'siblings', 'bytes'>): Promise<string> {
  const hash = createHash('sha256');
  for await (const { key, siblings } of keyspace.scan()) {
    hash.update(`${key.length}:${key}`);
    for (const { value, version } of siblings) {
      hash.update(`${version.dot.replica}:${version.dot.seq}:${value.length}:`).update(value);
    }
  }
  return hash.digest('hex');
}

/** Which versions stand, as text: cheap to compare often. */
async function versionsOf(keyspace: Keyspace<'lww' | 'siblings', 'bytes'>): Promise<string> {
  const names: string[] = [];
  for await (const { key, siblings } of keyspace.scan()) {
    const dots = siblings.map(({ version: { dot } }) => `${dot.replica}:${dot.seq}`);
    names.push(`${key}=${dots.join()}`);
  }
  return names.join();
}

/** Resolves when all keyspaces hold the same versions; fails unless their bytes are then the same. */
export async function converged(
  keyspaces: readonly Keyspace<'lww' | 'siblings', 'bytes'>[],
): Promise<void> {
  await eventually('equal versions', async () => {
    const versions = await Promise.all(keyspaces.map(versionsOf));
    return new Set(versions).size === 1;
  });
  const digests = await Promise.all(keyspaces.map(digestOf));
  if (new Set(digests).size > 1) throw new Error('equal versions with different bytes');
}

/** Real successive releases of one 8.4 MB file. */
export function icons(release: 1 | 2 | 3 | 4 | 5 | 6): Buffer {
  return readFileSync(
    new URL(`../../../node_modules/icons-${release}/icons.json`, import.meta.url),
  );
}
