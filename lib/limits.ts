/** Every budget of dwcp in one place. Each is an option wherever it applies; `status()` prints its use. */

import { aCount, aDuration, anything, checkOptions } from './check-options.ts';
import type { Check } from './check-options.ts';
import { invalidArg } from './errors.ts';

/** Limits of the link envelope and the connections over it. */
export interface LinkLimits {
  /** Largest payload of one link frame, bytes. Fixed by the wire format. */
  readonly maxFramePayloadBytes: number;
  /** Largest message assembled from frames, bytes. */
  readonly maxMessageBytes: number;
  /** Bytes of unfinished and unhandled messages one connection holds before it withholds credit. */
  readonly maxAssemblyBytes: number;
  /** Streams the peer may have open at once on one connection. */
  readonly maxStreams: number;
  /** Byte credit of a new stream. */
  readonly initialCreditBytes: number;
  /** Largest byte credit a stream grows to. */
  readonly maxCreditBytes: number;
  /** Unsent bytes one connection may hold; a `send` beyond it is refused with ERR_DWCP_LIMIT. */
  readonly maxSendQueueBytes: number;
  /** Bytes handed to the pipe before it must report writable again; small, so priorities work. */
  readonly pipeHighWaterBytes: number;
  /** Round trip from which a path is long, ms. */
  readonly longPathMs: number;
  /** Sockets a link over a long path may have; 1 turns this off. */
  readonly maxSockets: number;
  /** The same with bbr, of which one nearly fills a path. */
  readonly maxPacedSockets: number;
  /** Bytes one link keeps for sending again, and puts in order, when it has several sockets. */
  readonly maxReorderBytes: number;
  /** Time without a socket before a link that had several is given up, ms. */
  readonly resumeTimeoutMs: number;
  /** Time for preface and Hello, ms. */
  readonly handshakeTimeoutMs: number;
  /** Time until the first byte of an accepted connection, ms. */
  readonly firstByteTimeoutMs: number;
  /** Inbound links that have not finished Hello yet. */
  readonly maxHalfOpen: number;
  /** Those of one address (an IPv6 address counts by its /64). */
  readonly maxHalfOpenPerAddress: number;
  /** Time a dial may take, ms. */
  readonly connectTimeoutMs: number;
  /** Silence after which the kernel asks whether the peer is there, ms; ten missing answers, a second apart, end it. */
  readonly keepAliveMs: number;
}

/** Limits of decoding. Nothing is allocated from a header field before it passed one of these. */
export interface CodecLimits {
  /** Largest decoded size, bytes. */
  readonly maxOutputBytes: number;
  /** Largest decoded size over stored size when no base is given. */
  readonly maxRatio: number;
  /** Largest zstd window, log2 bytes. */
  readonly maxWindowLog: number;
  /** Most copy and insert operations in one chunk delta. */
  readonly maxOps: number;
  /** Largest signature of a peer that has no common base, bytes. */
  readonly maxSignatureBytes: number;
  /** Most deltas in a row between two whole values of one key, per peer. */
  readonly maxBaseChain: number;
  /** Memory one `Encoder` or `Decoder` keeps for bases and their match indexes, bytes. */
  readonly maxBaseBytes: number;
}

/** Limits of stored and replicated state. */
export interface StateLimits {
  /** Largest value, bytes. */
  readonly maxValueBytes: number;
  /** Values above this are kept as one full file plus a chain of delta frames, bytes. */
  readonly inlineValueBytes: number;
  /** Longest delta chain before a rebase. */
  readonly maxChain: number;
  /** A rebase is due when the chain's bytes pass this share of the full value. */
  readonly maxChainShare: number;
  /** Memory for recent values used as delta bases, bytes. */
  readonly baseCacheBytes: number;
  /** Memory for encoded frames shared by peers, bytes. */
  readonly frameCacheBytes: number;
  /** Longest key, bytes. */
  readonly maxKeyBytes: number;
  /** Concurrent versions kept per key. */
  readonly maxSiblings: number;
  /** Unacknowledged update bytes per peer. */
  readonly maxInFlightBytes: number;
  /** Audit records kept per keyspace. */
  readonly maxAuditRecords: number;
  /** How far ahead of the local clock a remote timestamp may be, ms. */
  readonly maxDriftMs: number;
}

/** Limits of calls. */
export interface CallLimits {
  /** Calls this node may have in flight as a caller. */
  readonly maxCallsInFlight: number;
  /** Calls this node handles at once. */
  readonly maxHandlersInFlight: number;
  /** Calls this node handles at once for one caller. */
  readonly maxHandlersPerPeer: number;
  /** Largest request or reply payload, bytes. */
  readonly maxPayloadBytes: number;
  /** Deadline when the caller names none, ms. */
  readonly defaultDeadlineMs: number;
  /** Services one node may serve, and a peer may announce. */
  readonly maxServices: number;
}

/** All limits, by area. */
export interface Limits {
  readonly link: LinkLimits;
  readonly codec: CodecLimits;
  readonly state: StateLimits;
  readonly call: CallLimits;
}

const KiB = 1024;
const MiB = 1024 * KiB;

/** The default of every limit. */
export const defaultLimits: Limits = {
  link: {
    maxFramePayloadBytes: 64 * KiB,
    maxMessageBytes: 72 * MiB,
    maxAssemblyBytes: 128 * MiB,
    maxStreams: 65_536,
    initialCreditBytes: 256 * KiB,
    maxCreditBytes: 32 * MiB,
    maxSendQueueBytes: 96 * MiB,
    pipeHighWaterBytes: 256 * KiB,
    longPathMs: 5,
    maxSockets: 32,
    maxPacedSockets: 4,
    maxReorderBytes: 32 * MiB,
    resumeTimeoutMs: 2_000,
    handshakeTimeoutMs: 5_000,
    firstByteTimeoutMs: 2_000,
    maxHalfOpen: 256,
    maxHalfOpenPerAddress: 128,
    connectTimeoutMs: 5_000,
    keepAliveMs: 15_000,
  },
  codec: {
    maxOutputBytes: 64 * MiB,
    maxRatio: 1_000,
    maxWindowLog: 27,
    maxOps: 8 * MiB,
    maxSignatureBytes: 4 * MiB,
    maxBaseChain: 1_024,
    maxBaseBytes: 256 * MiB,
  },
  state: {
    maxValueBytes: 64 * MiB,
    inlineValueBytes: 64 * KiB,
    maxChain: 16,
    maxChainShare: 0.5,
    baseCacheBytes: 256 * MiB,
    frameCacheBytes: 32 * MiB,
    maxKeyBytes: 1 * KiB,
    maxSiblings: 32,
    maxInFlightBytes: 64 * MiB,
    maxAuditRecords: 10_000,
    maxDriftMs: 60_000,
  },
  call: {
    maxCallsInFlight: 65_536,
    maxHandlersInFlight: 65_536,
    maxHandlersPerPeer: 32_768,
    maxPayloadBytes: 4 * MiB,
    defaultDeadlineMs: 5_000,
    maxServices: 1_024,
  },
};

const areas = { link: anything, codec: anything, state: anything, call: anything };

/** Limits a user may override, area by area. */
export type LimitOverrides = { readonly [K in keyof Limits]?: Partial<Limits[K]> };

const isPositive = (value: unknown): boolean => typeof value === 'number' && value > 0;
const aTime: Check = [`whole, ${aDuration[0]}`, (value) => aCount[1](value) && aDuration[1](value)];
const aShare: Check = ['a positive number', (value) => isPositive(value) && Number.isFinite(value)];

function checkOf(limit: string): Check {
  if (/Share$|Ratio$/.test(limit)) return aShare;
  return limit.endsWith('Ms') ? aTime : aCount;
}

function resolveArea<T extends object>(area: string, defaults: T, overrides: Partial<T> = {}): T {
  const known = Object.keys(defaults).map((name) => [name, checkOf(name)] as const);
  checkOptions(`limits.${area}`, overrides, Object.fromEntries(known));
  const given = Object.entries(overrides).filter(([, value]) => value !== undefined);
  return { ...defaults, ...(Object.fromEntries(given) as Partial<T>) };
}

/** Room for what goes with a value or a payload in its message, bytes. */
const MESSAGE_OVERHEAD_BYTES = 512 * KiB;

/**
 * The defaults of a link with a user's overrides applied.
 * @throws ERR_DWCP_INVALID_ARG for an unknown limit, one that is not a positive integer, or frames of another size than
 *   the wire format has
 * @example resolveLinkLimits({ maxStreams: 8 }).maxStreams // 8
 */
export function resolveLinkLimits(overrides: Partial<LinkLimits> = {}): LinkLimits {
  const limits = resolveArea('link', defaultLimits.link, overrides);
  const { maxFramePayloadBytes } = limits;
  if (maxFramePayloadBytes !== defaultLimits.link.maxFramePayloadBytes) {
    const fixed = `${defaultLimits.link.maxFramePayloadBytes}, as the wire format has it`;
    invalidArg('limits.link.maxFramePayloadBytes', fixed, maxFramePayloadBytes);
  }
  return limits;
}

/** What is taken here must also fit the messages it travels in. */
function checkTogether({ link, state, call }: Limits): void {
  const { maxMessageBytes, maxSendQueueBytes } = link;
  if (maxMessageBytes > maxSendQueueBytes) {
    invalidArg('limits.link.maxMessageBytes', 'at most maxSendQueueBytes', maxMessageBytes);
  }
  const most = maxMessageBytes - MESSAGE_OVERHEAD_BYTES;
  const rule = `at most limits.link.maxMessageBytes - ${MESSAGE_OVERHEAD_BYTES}`;
  if (state.maxValueBytes > most) {
    invalidArg('limits.state.maxValueBytes', rule, state.maxValueBytes);
  }
  if (call.maxPayloadBytes > most) {
    invalidArg('limits.call.maxPayloadBytes', rule, call.maxPayloadBytes);
  }
}

/**
 * The defaults with a user's overrides applied.
 * @throws ERR_DWCP_INVALID_ARG for an unknown limit, one that is not a positive integer (a number for shares and ratios), or a value or
 *   payload that would not fit a message.
 * @example resolveLimits({ state: { maxSiblings: 8 } }).state.maxSiblings // 8
 */
export function resolveLimits(overrides: LimitOverrides = {}): Limits {
  checkOptions('limits', overrides, areas);
  const limits = {
    link: resolveLinkLimits(overrides.link),
    codec: resolveArea('codec', defaultLimits.codec, overrides.codec),
    state: resolveArea('state', defaultLimits.state, overrides.state),
    call: resolveArea('call', defaultLimits.call, overrides.call),
  };
  checkTogether(limits);
  return limits;
}
