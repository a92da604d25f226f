/** The rooms of a node: opened in dependency order, closed in the reverse. */
import { EventEmitter } from 'node:events';
import { codecsOf, digestKindsOf } from '../compression/index.ts';
import type { DwcpError, ErrorCode } from '../errors.ts';
import { HealthMonitor } from '../health/index.ts';
import { createLinks, type Hello, type NodeLinks } from '../links/index.ts';
import { Membership, seeds } from '../membership/index.ts';
import { createReplicator, type Replicator } from '../replication/index.ts';
import { createRpc, type Rpc } from '../rpc/index.ts';
import { openStorage, type OpenStorage } from '../storage/index.ts';
import type { Address } from '../transport/frame-pipe.ts';
import type { ResolvedNodeOptions } from './options.ts';
import { NodeSecurity, type NodeSecurityOptions } from './security.ts';
import { chooseTransport, type ChosenTransport } from './transport-choice.ts';

/** What a node is put together from. */
export interface NodeParts {
  readonly options: ResolvedNodeOptions;
  readonly open: OpenStorage;
  readonly transport: ChosenTransport;
  readonly links: NodeLinks;
  readonly security: NodeSecurity;
  /** Inbound connections turned away below the handshake of links. */
  readonly refusals: EventEmitter<{ refused: [address: string, error: DwcpError] }>;
  readonly health: HealthMonitor;
  readonly membership: Membership;
  readonly replicator: Replicator;
  readonly rpc: Rpc;
  readonly address: Address | undefined;
}

/** A transport, and word of what it turns away. */
type Guarded = Pick<NodeParts, 'transport' | 'refusals'> &
  Pick<NodeSecurityOptions, 'refusedInbound'>;

const quiet: ReadonlySet<string> = new Set(['ERR_DWCP_LIMIT', 'ERR_DWCP_DEADLINE']);

function openTransport(options: ResolvedNodeOptions): Guarded {
  const refusals: NodeParts['refusals'] = new EventEmitter();
  const refusedInbound: Partial<Record<ErrorCode, number>> = {};
  const transport = chooseTransport(options, (error, remoteAddress) => {
    refusedInbound[error.code] = (refusedInbound[error.code] ?? 0) + 1;
    // Strangers that say nothing may be many; they are counted, and not worth a warning each.
    const level = quiet.has(error.code) ? 'debug' : 'warn';
    options.logger[level]({ err: error, remoteAddress }, 'inbound connection refused');
    refusals.emit('refused', remoteAddress, error);
  });
  return { transport, refusals, refusedInbound };
}

/**
 * Opens everything, and notes in `opened` how to close what is open when a later step fails.
 * @throws as `createNode`
 */
export async function openParts(
  options: ResolvedNodeOptions,
  opened: (() => unknown)[],
): Promise<NodeParts> {
  const { clock, random, limits, logger, nodeId, region, cluster } = options;
  const shared = { clock, random, logger };
  const { transport, refusals, refusedInbound } = openTransport(options);
  const open = await openStore(options);
  opened.push(() => open.close());
  const incarnation = clock.now();
  let address = options.advertise;
  const links = createLinks({
    ...shared,
    self: () => helloOf(options, incarnation, address),
    transport: transport.own,
    limits: limits.link,
    authorize: options.authorize,
    rights: options.rights,
    backoff: options.reconnect,
    requireSecure: options.identity !== undefined,
  });
  opened.push(() => links.close());
  const { secure } = transport;
  const security = new NodeSecurity({ options, links, secure, refusedInbound });
  const health = new HealthMonitor({ source: links, clock });
  opened.push(() => health.close());
  const replicator = await createReplicator({ ...shared, links, open, limits, region, nodeId });
  opened.push(() => replicator.close());
  const rpc = createRpc({
    ...shared,
    links,
    self: { nodeId, region },
    limits: limits.call,
    health: { state: (id) => health.status(id)?.verdict ?? 'alive' },
  });
  opened.push(() => rpc.close());
  const bound = options.listen && (await links.listen(options.listen));
  address ??= bound;
  if (address !== undefined && wildcards.has(address.host)) {
    const text = 'listening on every address without `advertise`: others cannot dial this node';
    logger.warn({ address }, text);
    address = undefined;
  }
  const self = { nodeId, incarnation, region, address };
  const membership = new Membership({ ...shared, links, self, discovery: seeds(options.seeds) });
  logger.info({ nodeId, region, cluster, address }, 'node is up');
  const rooms = { links, security, health, membership, replicator, rpc };
  return { options, open, transport, refusals, ...rooms, address: address ?? bound };
}

/** Addresses to listen on that nobody can dial. */
const wildcards: ReadonlySet<string> = new Set(['0.0.0.0', '::', '']);

async function openStore({ storage }: ResolvedNodeOptions): Promise<OpenStorage> {
  if (storage === undefined) return openStorage();
  return 'path' in storage ? openStorage({ path: storage.path }) : storage;
}

function helloOf(
  { cluster, nodeId, region, limits }: ResolvedNodeOptions,
  incarnation: number,
  advertise: Address | undefined,
): Hello {
  return {
    wireMin: 1,
    wireMax: 2,
    cluster,
    nodeId,
    incarnation,
    region,
    advertise,
    codecs: codecsOf().decode,
    digests: digestKindsOf(),
    maxMessageBytes: limits.link.maxMessageBytes,
    // Each keyspace tells its own when it is exchanged: a thousand of them would not fit one frame.
    policies: {},
  };
}

/** Last opened, first closed; a failure of one does not keep the others open. */
export async function closeParts(parts: NodeParts): Promise<void> {
  const { rpc, membership, replicator, links, health, open, options } = parts;
  const steps: (() => unknown)[] = [
    () => rpc.close(),
    () => membership.leave(),
    () => membership.close(),
    () => replicator.close(),
    () => links.close(),
    () => health.close(),
    () => open.close(),
  ];
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      options.logger.warn({ err: error }, 'closing a part of the node failed');
    }
  }
}
