/** `local()`: a whole cluster in this process, over loopback, for a user's own tests. */
import { aDuration, aFunction, anything, checkOptions } from '../check-options.ts';
import { systemClock } from '../clock.ts';
import { DwcpError, invalidArg } from '../errors.ts';
import type { PipeTransport } from '../transport/frame-pipe.ts';
import { createNode, type DwcpNode } from './create-node.ts';
import type { NodeOptions } from './options.ts';

/** Who a node of a local cluster is. */
export interface LocalNode {
  readonly nodeId: string;
  readonly region: string;
}

/** Options of {@link local}. */
export interface LocalOptions {
  /** Names of the regions. */
  readonly regions: readonly string[];
  /** Nodes in each region. Default 1. */
  readonly nodesPerRegion?: number;
  /** Wraps each node's transport, e.g. with `shapeTransport` of `dwcp/testing`. */
  readonly transport?: (own: PipeTransport, node: LocalNode) => PipeTransport;
  /** Further options of a node; region, id, listen, seeds and transport are set here. */
  readonly node?: (node: LocalNode) => Partial<NodeOptions>;
  /** How long the mesh may take to form, ms. Default 10,000. */
  readonly readyTimeoutMs?: number;
}

/** A running local cluster. */
export interface LocalCluster extends AsyncDisposable {
  readonly nodes: readonly DwcpNode[];
  /** The first node of a region. @throws ERR_DWCP_INVALID_ARG for a region that is not there */
  in(region: string): DwcpNode;
  /** Closes every node. Idempotent. */
  close(): Promise<void>;
}

const optionChecks = {
  regions: anything,
  nodesPerRegion: anything,
  transport: aFunction,
  node: aFunction,
  readyTimeoutMs: aDuration,
};

/**
 * Starts one node or more per region in this process and waits until each is linked to all others.
 * @throws ERR_DWCP_INVALID_ARG; ERR_DWCP_DEADLINE when the mesh does not form in `readyTimeoutMs`
 * @example
 * await using cluster = await local({ regions: ['us', 'eu'] });
 * const options = { policy: 'lww', codec: 'json' } as const;
 * await cluster.in('us').keyspace('config', options).put('a', 1);
 */
export async function local(options: LocalOptions): Promise<LocalCluster> {
  checkOptions('options', options, optionChecks);
  const { regions, nodesPerRegion = 1, readyTimeoutMs = 10_000 } = options;
  if (!Array.isArray(regions) || regions.length === 0 || new Set(regions).size < regions.length) {
    invalidArg('regions', 'a list of different region names', regions);
  }
  if (!Number.isInteger(nodesPerRegion) || nodesPerRegion < 1) {
    invalidArg('nodesPerRegion', 'a positive integer', nodesPerRegion);
  }
  const nodes: DwcpNode[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.close()));
  };
  try {
    for (const region of regions as readonly string[]) {
      for (let i = 1; i <= nodesPerRegion; i += 1) {
        const seeds = nodes.map(({ address }) => address!);
        nodes.push(await startOne({ nodeId: `${region}-${i}`, region }, seeds, options));
      }
    }
    await meshed(nodes, readyTimeoutMs);
  } catch (error) {
    await close();
    throw error;
  }
  const find = (region: string): DwcpNode => {
    const found = nodes.find((node) => node.region === region);
    if (found === undefined) throw new DwcpError('ERR_DWCP_INVALID_ARG', `no region ${region}`);
    return found;
  };
  return { nodes, in: find, close, [Symbol.asyncDispose]: close };
}

async function meshed(nodes: readonly DwcpNode[], timeoutMs: number): Promise<void> {
  const deadline = new AbortController();
  const text = `the mesh did not form in ${timeoutMs} ms`;
  const timer = systemClock.setTimer(
    () => deadline.abort(new DwcpError('ERR_DWCP_DEADLINE', text)),
    timeoutMs,
  );
  const { signal } = deadline;
  try {
    await Promise.all(nodes.map((node) => node.linked(nodes.length - 1, { signal })));
  } finally {
    timer.cancel();
  }
}

async function startOne(
  node: LocalNode,
  seeds: NonNullable<NodeOptions['seeds']>,
  { transport, node: extra }: LocalOptions,
): Promise<DwcpNode> {
  const wrap = transport && ((own: PipeTransport): PipeTransport => transport(own, node));
  return createNode({ ...extra?.(node), ...node, seeds, ...(wrap && { transport: wrap }) });
}
