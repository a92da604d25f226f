/** Options of the batch API, checked, with their defaults. */
import { type Clock, systemClock } from '../../clock.ts';
import { DwcpError, invalidArg } from '../../errors.ts';
import { resolveLinkLimits, type LinkLimits } from '../../limits.ts';
import type { IoSocketOptions } from '../../native/io-contract.ts';
import { checkHostAndPort } from '../address.ts';
import type { OnRefused } from '../inbound-refusals.ts';
import type { MessageHandlers, MessageHead } from './batch.ts';
import type { TargetOf } from './message-join.ts';

/** What `listen` and `connect` have in common. */
export interface MessageOptions extends MessageHandlers {
  readonly host: string;
  readonly port: number;
  /** Link frames, the default, or false for plain bytes, whose messages are chunks as they come. */
  readonly framed?: boolean | undefined;
  /** Lets plaintext leave this machine. False by default. */
  readonly allowPlaintext?: boolean | undefined;
  /** Queued bytes at which `send` returns false. 256 KiB by default. */
  readonly highWaterBytes?: number | undefined;
  /** Queued bytes of one connection beyond which `send` throws. 16 MiB by default. */
  readonly maxQueueBytes?: number | undefined;
  /**
   * Largest message, bytes; 64 KiB by default, which is one frame. Above it messages are cut into frames and put together
   * again; then both ends set it, and the `end` flag is the library's. At most `maxQueueBytes`, for what is sent is copied.
   */
  readonly maxMessageBytes?: number | undefined;
  /**
   * With `maxMessageBytes` above 64 KiB: memory for a message of several frames that begins; its bytes are copied there, and
   * it is delivered as a view of it. Undefined lets the library take memory. A message that does not fit ends the
   * connection with ERR_DWCP_LIMIT.
   */
  readonly target?: TargetOf | undefined;
  /** TCP_USER_TIMEOUT, ms: how long sent bytes may stay unacknowledged. The engine's tiers only. */
  readonly userTimeoutMs?: number | undefined;
  /** TCP_NOTSENT_LOWAT, bytes. The engine's tiers only. */
  readonly notsentLowatBytes?: number | undefined;
  /** TCP_CONGESTION, such as `bbr`. The engine's tiers only. */
  readonly congestion?: string | undefined;
  readonly clock?: Clock | undefined;
  readonly limits?: Partial<LinkLimits> | undefined;
}

/** Options of `listen`. */
export interface ListenOptions extends MessageOptions {
  /** Told of every inbound connection that was given up before it spoke, and why. */
  readonly onRefused?: OnRefused | undefined;
  /** SO_REUSEPORT: several workers listen on one port. The engine's tiers only. */
  readonly reusePort?: boolean | undefined;
}

/** Options of `connect`. */
export interface ConnectOptions extends MessageOptions {
  readonly signal?: AbortSignal | undefined;
}

/** The options with every default. */
export interface ResolvedOptions {
  readonly handlers: MessageHandlers;
  readonly host: string;
  readonly port: number;
  readonly framed: boolean;
  readonly allowPlaintext: boolean;
  readonly highWaterBytes: number;
  readonly maxQueueBytes: number;
  /** 0 when a message is one frame. */
  readonly maxMessageBytes: number;
  readonly target: TargetOf | undefined;
  readonly clock: Clock;
  readonly limits: LinkLimits;
  readonly onRefused: OnRefused | undefined;
  readonly socket: Pick<
    IoSocketOptions,
    'userTimeoutMs' | 'notsentLowatBytes' | 'congestion' | 'reusePort'
  >;
}

const defaultMaxQueueBytes = 16 * 1024 * 1024;

/** A count of bytes or ms within u31. */
function checkCount(name: string, value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback;
  if (Number.isInteger(value) && value >= 1 && value <= 0x7fff_ffff) return value;
  return invalidArg(name, 'an integer from 1 to 2^31-1', value);
}

/** 0 when a message is one frame. */
function largestMessage(
  { maxMessageBytes, framed }: MessageOptions,
  maxQueueBytes: number,
  { maxFramePayloadBytes }: LinkLimits,
): number {
  const mostBytes = checkCount('maxMessageBytes', maxMessageBytes, maxFramePayloadBytes);
  if (mostBytes <= maxFramePayloadBytes || framed === false) return 0;
  if (mostBytes > maxQueueBytes) invalidArg('maxMessageBytes', 'at most maxQueueBytes', mostBytes);
  return mostBytes;
}

/** Checks and completes options. @throws ERR_DWCP_INVALID_ARG */
export function resolveMessageOptions(options: ListenOptions & ConnectOptions): ResolvedOptions {
  if (typeof options !== 'object' || options === null) invalidArg('options', 'an object', options);
  const { onBatch, onMessage, onOpen, onDrain, onClose, host, port } = options;
  if ((typeof onBatch === 'function') === (typeof onMessage === 'function')) {
    throw new DwcpError('ERR_DWCP_INVALID_ARG', 'Give one of `onBatch` and `onMessage`');
  }
  checkHostAndPort(options);
  const { congestion = '' } = options;
  if (!/^[\w-]{0,15}$/.test(congestion)) invalidArg('congestion', 'a name', congestion);
  const limits = resolveLinkLimits(options.limits);
  const maxQueueBytes = checkCount('maxQueueBytes', options.maxQueueBytes, defaultMaxQueueBytes);
  return {
    handlers: { onBatch, onMessage, onOpen, onDrain, onClose },
    host,
    port,
    framed: options.framed ?? true,
    allowPlaintext: options.allowPlaintext ?? false,
    highWaterBytes: checkCount('highWaterBytes', options.highWaterBytes, limits.pipeHighWaterBytes),
    maxQueueBytes,
    maxMessageBytes: largestMessage(options, maxQueueBytes, limits),
    target: options.target,
    clock: options.clock ?? systemClock,
    limits,
    onRefused: options.onRefused,
    socket: {
      userTimeoutMs: checkCount('userTimeoutMs', options.userTimeoutMs, 0),
      notsentLowatBytes: checkCount('notsentLowatBytes', options.notsentLowatBytes, 0),
      congestion,
      reusePort: options.reusePort ?? false,
    },
  };
}

/**
 * Checks what a message is made of: it goes into memory that all connections share. What lies in
 * shared memory is copied as it is.
 * @throws ERR_DWCP_INVALID_ARG
 */
export function checkMessage(payload: unknown, head: MessageHead): void {
  if (!(payload instanceof Uint8Array)) invalidArg('payload', 'a Uint8Array', payload);
  if (typeof head !== 'object' || head === null) invalidArg('head', 'an object', head);
  const { kind = 0, flags = 0, channel = 0, stream = 0 } = head;
  const fits =
    (kind & 0xff) === kind &&
    (flags & 0xff) === flags &&
    (channel & 0xffff) === channel &&
    stream >>> 0 === stream;
  if (!fits) invalidArg('head', 'of integers: kind and flags u8, channel u16, stream u32', head);
}

/** The error of a message that would pass `maxQueueBytes`. */
export function queueFull(maxQueueBytes: number): DwcpError {
  const message = `The connection's queue would pass maxQueueBytes (${maxQueueBytes})`;
  return new DwcpError('ERR_DWCP_LIMIT', message, { detail: { limit: 'maxQueueBytes' } });
}
