/** What `createNode` takes, checked in one place before anything opens. */
import { X509Certificate } from 'node:crypto';
import { systemClock, type Clock } from '../clock.ts';
import { identityOf, type PeerIdentity } from '../crypto/peer-identity.ts';
import {
  aBoolean,
  aDuration,
  aFunction,
  anything,
  aString,
  checkOptions,
  having,
  strings,
} from '../check-options.ts';
import type { Check } from '../check-options.ts';
import { DwcpError, invalidArg } from '../errors.ts';
import { resolveLimits, type LimitOverrides, type Limits } from '../limits.ts';
import type { BackoffOptions } from '../links/backoff.ts';
import type { Authorize } from '../links/link.ts';
import type { Right } from '../links/rights.ts';
import { systemRandom, type Random } from '../random.ts';
import type { OpenStorage } from '../storage/storage.ts';
import { silentLogger, type Logger } from '../telemetry/logger.ts';
import { checkAddress } from '../transport/address.ts';
import type { Address, PipeTransport } from '../transport/frame-pipe.ts';
import { aTransport } from './transport-choice.ts';
import type { TlsIdentity } from '../transport/secure-transport.ts';

/** Certificate, key and roots of a node, PEM. The SAN URI must be `dwcp://<cluster>/<region>/<node>`. */
export type NodeIdentity = TlsIdentity;

/** Options of `createNode`. */
export interface NodeOptions {
  /** Region this node lives in, e.g. `eu-west`. */
  readonly region: string;
  /** Name of the node, unique in the cluster; the certificate's or a random one when absent. */
  readonly nodeId?: string;
  /** Nodes of different clusters refuse each other. Default `dwcp`. */
  readonly cluster?: string;
  /** Where to listen; `false` for a node that only dials. Default 127.0.0.1 on a free port. */
  readonly listen?: Address | string | false;
  /** Where others can reach this node, if not where it listens. */
  readonly advertise?: Address | string;
  /** Some addresses of the cluster; the rest is learnt. */
  readonly seeds?: readonly (Address | string)[];
  /** A folder to keep state in, or a store already open. Absent: memory, which ends with the process. */
  readonly storage?: { readonly path: string } | OpenStorage;
  /** Turns on mutual TLS 1.3. */
  readonly identity?: NodeIdentity;
  /** Allows unencrypted links off loopback. */
  readonly allowPlaintext?: boolean;
  /** How lost links and unreachable addresses are dialled again; see `defaultBackoff` for each default. */
  readonly reconnect?: Partial<BackoffOptions>;
  /** Replaces the transport, or wraps the one that would have been used. */
  readonly transport?: PipeTransport | ((own: PipeTransport) => PipeTransport);
  /**
   * Peers refused although their certificates are good: identities (`dwcp://<cluster>/<region>/<node>`, parts
   * may end in `*`) and SHA-256 fingerprints of certificates. Needs `identity`.
   */
  readonly revoked?: readonly string[];
  /** Who may do what. When given, what no row gives is refused; asked before `authorize`. */
  readonly rights?: readonly Right[];
  /** Asked at link, call and keyspace level; only `true` permits, else ERR_DWCP_UNAUTHORIZED. */
  readonly authorize?: Authorize;
  readonly limits?: LimitOverrides;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly logger?: Logger;
}

/** {@link NodeOptions} with every default filled in. */
export interface ResolvedNodeOptions {
  readonly region: string;
  readonly nodeId: string;
  readonly cluster: string;
  readonly listen: Address | undefined;
  readonly advertise: Address | undefined;
  readonly seeds: readonly Address[];
  readonly storage: { readonly path: string } | OpenStorage | undefined;
  readonly identity: NodeIdentity | undefined;
  readonly allowPlaintext: boolean;
  readonly reconnect: Partial<BackoffOptions>;
  readonly transport: NodeOptions['transport'];
  readonly revoked: readonly string[];
  readonly rights: readonly Right[] | undefined;
  readonly authorize: Authorize | undefined;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

const optionChecks: Readonly<Record<keyof NodeOptions, Check>> = {
  region: anything,
  nodeId: aString,
  cluster: aString,
  listen: anything,
  advertise: anything,
  seeds: anything,
  storage: anything,
  identity: having(),
  allowPlaintext: aBoolean,
  reconnect: anything,
  transport: ['a transport or a function', (value) => aFunction[1](value) || aTransport[1](value)],
  revoked: strings,
  rights: anything,
  authorize: aFunction,
  limits: anything,
  clock: having('now', 'monotonic', 'setTimer'),
  random: having('next', 'bytes'),
  logger: having('debug', 'info', 'warn', 'error'),
};

function checkStorage(storage: NonNullable<NodeOptions['storage']>): void {
  if (having()[1](storage) && 'storage' in storage) {
    checkOptions('options.storage', storage, openStorageChecks);
    return;
  }
  checkOptions('options.storage', storage, { path: aString });
  if (!('path' in storage) || !storage.path) {
    invalidArg('options.storage.path', 'a folder name', '');
  }
}

const openStorageChecks = {
  storage: having('get', 'getMany', 'scan', 'batch'),
  blobs: having('put', 'get', 'delete', 'list'),
  reason: aString,
  close: aFunction,
};

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** Names go into certificates, URLs and keys, so their letters are few. */
function checkName(path: string, value: unknown): string {
  if (typeof value !== 'string' || !namePattern.test(value)) {
    invalidArg(path, 'letters, digits, dot, dash or underscore, at most 63', value);
  }
  return value;
}

/**
 * Reads `host:port`, `[v6]:port` or an address object.
 * @throws ERR_DWCP_INVALID_ARG
 */
export function parseAddress(path: string, value: Address | string): Address {
  if (typeof value === 'string') {
    const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:\s]+)):(\d{1,5})$/.exec(value);
    if (match === null) invalidArg(path, 'host:port', value);
    return parseAddress(path, { host: (match[1] ?? match[2])!, port: Number(match[3]) });
  }
  checkAddress(value, path);
  const { host, port } = value;
  return { host, port };
}

/**
 * The names in the certificate of an identity.
 * @throws ERR_DWCP_INVALID_ARG when a part is no PEM text, ERR_DWCP_IDENTITY when it names nobody
 */
export function checkIdentity(identity: NodeIdentity): PeerIdentity {
  if (typeof identity !== 'object' || identity === null) {
    invalidArg('identity', 'an object', identity);
  }
  for (const field of ['cert', 'key', 'ca'] as const) {
    if (typeof identity[field] !== 'string' || !identity[field].includes('-----BEGIN')) {
      invalidArg(`identity.${field}`, 'a PEM text', typeof identity[field]);
    }
  }
  try {
    return identityOf(new X509Certificate(identity.cert));
  } catch (cause) {
    if (cause instanceof DwcpError) throw cause;
    throw new DwcpError('ERR_DWCP_INVALID_ARG', 'identity.cert is not a certificate', { cause });
  }
}

const reconnectChecks: Readonly<Record<keyof BackoffOptions, Check>> = {
  baseMs: aDuration,
  maxMs: aDuration,
  floorMs: aDuration,
  stableMs: aDuration,
};

function checkReconnect(reconnect: NodeOptions['reconnect'] = {}): Partial<BackoffOptions> {
  checkOptions('options.reconnect', reconnect, reconnectChecks);
  return reconnect;
}

/** The names of the node: what the options say must be what the certificate says. */
function checkNames(options: NodeOptions, random: Random): PeerIdentity {
  const region = checkName('region', options.region);
  const proven = options.identity && checkIdentity(options.identity);
  const suffix = Buffer.from(random.bytes(4)).toString('hex');
  const names = {
    cluster: checkName('cluster', options.cluster ?? proven?.cluster ?? 'dwcp'),
    region,
    nodeId: checkName('nodeId', options.nodeId ?? proven?.nodeId ?? `${region}-${suffix}`),
  };
  for (const field of ['cluster', 'region', 'nodeId'] as const) {
    if (proven && proven[field] !== names[field]) {
      const text = `${field} is ${names[field]}, but the certificate says ${proven[field]}`;
      throw new DwcpError('ERR_DWCP_IDENTITY', text);
    }
  }
  return names;
}

/**
 * Checks the options and fills in the defaults.
 * @throws ERR_DWCP_INVALID_ARG naming the option; ERR_DWCP_IDENTITY when the certificate says otherwise.
 * @example resolveNodeOptions({ region: 'eu' }).listen // { host: '127.0.0.1', port: 0 }
 */
export function resolveNodeOptions(options: NodeOptions): ResolvedNodeOptions {
  checkOptions('options', options, optionChecks);
  const random = options.random ?? systemRandom;
  const names = checkNames(options, random);
  const listen = options.listen ?? { host: '127.0.0.1', port: 0 };
  const seeds = options.seeds ?? [];
  if (!Array.isArray(seeds)) invalidArg('seeds', 'an array of addresses', seeds);
  if (options.storage !== undefined) checkStorage(options.storage);
  return {
    ...names,
    listen: listen === false ? undefined : parseAddress('listen', listen),
    advertise:
      options.advertise === undefined ? undefined : parseAddress('advertise', options.advertise),
    seeds: seeds.map((seed: Address | string, i) => parseAddress(`seeds[${i}]`, seed)),
    storage: options.storage,
    identity: options.identity,
    allowPlaintext: options.allowPlaintext ?? false,
    reconnect: checkReconnect(options.reconnect),
    transport: options.transport,
    revoked: options.revoked ?? [],
    rights: options.rights,
    authorize: options.authorize,
    limits: resolveLimits(options.limits),
    clock: options.clock ?? systemClock,
    random,
    logger: options.logger ?? silentLogger,
  };
}
