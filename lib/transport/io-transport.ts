/**
 * The I/O ladder: io_uring, then epoll, then node:net, each tried by doing. One engine per thread, started with
 * its first use and kept until the thread ends. `DWCP_IO=uring|epoll|net` forces a tier. All tiers speak the
 * same bytes.
 */
import { getSystemErrorName } from 'node:util';
import { systemClock } from '../clock.ts';
import { DwcpError, invalidArg } from '../errors.ts';
import { resolveLinkLimits } from '../limits.ts';
import { native } from '../native/load.ts';
import { Engine, type EngineCounters } from './engine/engine.ts';
import { EngineTransport } from './engine/engine-transport.ts';
import { longPathCongestion } from './engine/long-path.ts';
import { tlsProblem } from './engine/tls-probe.ts';
import { EngineTls } from './engine/tls-transport.ts';
import type { PipeTransport } from './frame-pipe.ts';
import { netTransport, type NetTransportOptions } from './net-pipe.ts';
import type { SecureTransport } from './secure-transport.ts';
import { tlsTransport, type TlsTransportOptions } from './tls-pipe.ts';

/** A tier of the ladder. */
export type IoTier = 'uring' | 'epoll' | 'net';

/** Which tier moves bytes here, and why. */
export interface IoStatus {
  readonly tier: IoTier;
  /** One sentence a person can act on. */
  readonly reason: string;
  /** Tiers that were tried and did not work. */
  readonly attempts: readonly { readonly tier: IoTier; readonly error: string }[];
  /** Congestion control of paths of 5 ms and more: `bbr` where this host allows it. */
  readonly longPaths: string;
  /** What secures links that have an identity, and why. */
  readonly secured: { readonly tier: 'uring' | 'epoll' | 'tls'; readonly reason: string };
  /** Numbers of the engine; `lostWakes` counts wake-ups the watchdog had to repair. */
  readonly engine: EngineCounters | undefined;
}

/** Memory of one thread's engine for bytes under way, and its most connections. */
const engineLimits = { memoryBytes: 64 * 1024 * 1024, maxConnections: 16_384 };

interface Chosen extends Omit<IoStatus, 'engine' | 'longPaths' | 'secured'> {
  readonly engine: Engine | undefined;
}

let chosen: Chosen | undefined;

/** Starts the engine of this thread, once. */
function choose(): Chosen {
  chosen ??= climb(process.env['DWCP_IO'] ?? '');
  return chosen;
}

const ladder: Readonly<Record<string, readonly ('uring' | 'epoll')[]>> = {
  '': ['uring', 'epoll'],
  uring: ['uring'],
  epoll: ['epoll'],
  net: [],
};

function climb(forced: string): Chosen {
  const tiers = ladder[forced];
  if (!tiers) invalidArg('DWCP_IO', 'uring, epoll or net', forced);
  const attempts: { tier: IoTier; error: string }[] = [];
  for (const tier of tiers) {
    const engine = start(tier);
    if (typeof engine !== 'string') {
      const reason = forced === '' ? reasons[tier] : `DWCP_IO=${forced}`;
      return { tier, reason, attempts, engine };
    }
    attempts.push({ tier, error: engine });
  }
  const why = attempts.map(({ tier, error }) => `${tier}: ${error}`).join('; ');
  if (forced !== '' && forced !== 'net') {
    throw new DwcpError('ERR_DWCP_NATIVE_UNAVAILABLE', `DWCP_IO=${forced}, but ${why}`, {
      detail: { attempts },
    });
  }
  const reason = forced === 'net' ? 'DWCP_IO=net' : `node:net, because ${why}`;
  return { tier: 'net', reason, attempts, engine: undefined };
}

const reasons = {
  uring: 'io_uring with multishot receive and incremental buffers works here',
  epoll: 'io_uring does not work here; epoll does',
} as const;

/** An engine, or why there is none. */
function start(tier: 'uring' | 'epoll'): Engine | string {
  if (!native.io) return 'the addon is not loaded, or this is not Linux';
  try {
    const engine = Engine.open(tier, native.io, engineLimits);
    return typeof engine === 'number' ? explain(tier, engine) : engine;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function explain(tier: 'uring' | 'epoll', errno: number): string {
  const name = getSystemErrorName(errno);
  if (tier === 'uring' && name === 'EPERM') {
    return 'EPERM: a seccomp filter or kernel.io_uring_disabled forbids it';
  }
  if (tier === 'uring' && name === 'ENOSYS') return 'ENOSYS: the kernel or its headers are too old';
  if (tier === 'uring' && name === 'EINVAL') {
    return 'EINVAL: incremental buffer rings need Linux 6.12';
  }
  if (tier === 'uring' && name === 'ENOMEM') return 'ENOMEM: the limit of locked memory is too low';
  return name;
}

/** The engine of this thread, started if nothing did; undefined where node:net runs. */
export function ioEngine(): Engine | undefined {
  return choose().engine;
}

function longPaths(engine: Engine | undefined): string {
  if (!engine) return "the system's congestion control: node:net cannot choose";
  const { name, reason } = longPathCongestion(engine);
  return name === '' ? `the system's congestion control, because ${reason}` : `${name}: ${reason}`;
}

/**
 * Which tier this thread's I/O runs on, and why. Starts the engine if nothing did.
 * @throws ERR_DWCP_NATIVE_UNAVAILABLE when `DWCP_IO` forces a tier that does not work here,
 *   ERR_DWCP_INVALID_ARG when it names none
 * @example console.log(ioStatus().reason)
 */
export function ioStatus(): IoStatus {
  const { tier, reason, attempts, engine } = choose();
  return {
    tier,
    reason,
    attempts,
    longPaths: longPaths(engine),
    secured: secured(),
    engine: engine?.counters(),
  };
}

function secured(): IoStatus['secured'] {
  const { engine, reason } = choose();
  if (!engine) return { tier: 'tls', reason: `node:tls, because no engine runs: ${reason}` };
  const problem = tlsProblem(engine, systemClock.now());
  if (problem !== undefined) {
    return { tier: 'tls', reason: `node:tls, because TLS does not work in the engine: ${problem}` };
  }
  return { tier: engine.tier, reason: "TLS 1.3 in the engine, over this runtime's OpenSSL" };
}

/** Options of {@link ioTransport} with mutual TLS. */
export interface SecureIoOptions extends TlsTransportOptions {
  /** How long ticket keys make new tickets, ms; they are good for as long again. One hour by default. */
  readonly ticketIntervalMs?: number | undefined;
}

function secureTransport(options: SecureIoOptions): SecureTransport {
  const { engine } = choose();
  if (!engine || secured().tier === 'tls') return tlsTransport(options);
  return new EngineTls({
    ...options,
    engine,
    clock: options.clock ?? systemClock,
    limits: resolveLinkLimits(options.limits),
  });
}

/**
 * Pipes over TCP on the best tier of this machine. With an `identity` they are secured by mutual TLS 1.3, in
 * the engine or over node:tls (`ioStatus().secured` says which): same bytes, same rules as
 * {@link tlsTransport}. Without one they are plaintext, with the bytes and rules of {@link netTransport}.
 * @throws ERR_DWCP_NATIVE_UNAVAILABLE when `DWCP_IO` forces a tier that does not work here,
 *   ERR_DWCP_IDENTITY when the own certificate names nobody
 * @example
 * const transport = ioTransport({ identity: { cert, key, ca } });
 * const listener = await transport.listen({ host: '127.0.0.1', port: 0 }, onPipe);
 */
export function ioTransport(options: SecureIoOptions): SecureTransport;
export function ioTransport(options?: NetTransportOptions): PipeTransport;
export function ioTransport(options: NetTransportOptions | SecureIoOptions = {}): PipeTransport {
  if ('identity' in options) return secureTransport(options);
  const { engine } = choose();
  if (!engine) return netTransport(options);
  return new EngineTransport({
    engine,
    clock: options.clock ?? systemClock,
    limits: resolveLinkLimits(options.limits),
    allowPlaintext: options.allowPlaintext ?? false,
    onRefused: options.onRefused,
  });
}
