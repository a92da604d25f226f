/** What callers and handlers of `dwcp/rpc` hand in and get back. */
import type { EndpointState, EndpointStats } from '../balancing/index.ts';
import type { Clock } from '../clock.ts';
import type { CallLimits } from '../limits.ts';
import type { Links } from '../links/link.ts';
import type { Random } from '../random.ts';
import type { HistogramSnapshot } from '../telemetry/histogram.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { CodecName } from './payload.ts';

/** Who a node is, as far as calls care. */
export interface NodeRef {
  readonly nodeId: string;
  readonly region: string;
}

/** What a handler gets beside the payload. */
export interface CallContext {
  /** Fires when the caller cancelled, its link fell, or the deadline passed. */
  readonly signal: AbortSignal;
  /** Time left for the call when it arrived, ms. */
  readonly deadlineMs: number;
  /** The caller; this very node for a local call. */
  readonly peer: NodeRef;
  readonly service: string;
  readonly key: string | undefined;
}

/** Serves calls with bytes. The payload is the handler's own; the reply is borrowed until it was sent. */
export type BytesHandler = (
  payload: Buffer,
  context: CallContext,
) => Uint8Array | void | Promise<Uint8Array | void>;

/** Serves calls with JSON values. */
export type JsonHandler = (payload: unknown, context: CallContext) => unknown;

/** Options of `handle`. */
export interface HandleOptions {
  /** How payload and reply are read; `bytes` by default. Caller and handler must agree. */
  readonly codec?: CodecName | undefined;
}

/** Options of `call`. */
export interface CallOptions extends HandleOptions {
  /** Affinity: the same key goes to the same near, healthy node. */
  readonly key?: string | undefined;
  /** Time the whole call may take, all attempts included, ms. */
  readonly deadlineMs?: number | undefined;
  /** Executing it twice does no harm: it may be retried after a loss, and hedged. False by default. */
  readonly idempotent?: boolean | undefined;
  /** No reply: resolves with nothing once the request was handed to the network. */
  readonly oneWay?: boolean | undefined;
  /** Cancels the call, here and at the handler. */
  readonly signal?: AbortSignal | undefined;
  /** Node ids not to use. */
  readonly exclude?: readonly string[] | undefined;
  /** Whether this node's own handler may take it; true by default. */
  readonly local?: boolean | undefined;
}

/** Health verdicts on nodes, from membership or probes. */
export interface HealthView {
  state(nodeId: string): EndpointState;
}

/** Options of `createRpc`. */
export interface RpcOptions {
  readonly links: Links;
  readonly clock: Clock;
  readonly random: Random;
  readonly self: NodeRef;
  readonly limits?: Partial<CallLimits> | undefined;
  readonly health?: HealthView | undefined;
  readonly logger?: Logger | undefined;
}

/** Numbers of calls. Latencies in ms. */
export interface RpcStats {
  readonly calls: number;
  readonly ok: number;
  readonly failed: number;
  readonly retried: number;
  readonly hedged: number;
  readonly hedgeWins: number;
  /** Calls of this node under way. */
  readonly inFlight: number;
  /** Handlers of this node under way. */
  readonly handling: number;
  readonly handled: number;
  readonly refused: number;
  /** Inbound messages that did not decode. */
  readonly malformed: number;
  /** Good calls of this node, from `call()` to reply, ms. */
  readonly latencyMs: HistogramSnapshot;
  readonly retryTokens: number;
  readonly hedgeTokens: number;
  readonly services: readonly ServiceStats[];
}

/** One service this node calls. */
export interface ServiceStats {
  readonly service: string;
  readonly endpoints: readonly EndpointStats[];
}

/** Calls and handlers of one node. */
export interface Rpc {
  /** Serves `service`; returns the function that stops it. @throws ERR_DWCP_INVALID_ARG, ERR_DWCP_LIMIT */
  handle(
    service: string,
    fn: BytesHandler,
    options?: { readonly codec?: 'bytes' | undefined },
  ): () => void;
  handle(service: string, fn: JsonHandler, options: { readonly codec: 'json' }): () => void;
  /**
   * Calls the nearest healthy node that serves `service`. The payload is borrowed until the promise settles.
   * @throws ERR_DWCP_NO_ENDPOINT, ERR_DWCP_DEADLINE, ERR_DWCP_REMOTE, ERR_DWCP_ABORTED, ERR_DWCP_LINK_DOWN,
   * ERR_DWCP_STREAM_RESET, ERR_DWCP_LIMIT, ERR_DWCP_UNAUTHORIZED, ERR_DWCP_CODEC, ERR_DWCP_CLOSED
   */
  call(
    service: string,
    payload: Uint8Array,
    options?: CallOptions & { readonly codec?: 'bytes' | undefined },
  ): Promise<Buffer>;
  call(
    service: string,
    payload: unknown,
    options: CallOptions & { readonly codec: 'json' },
  ): Promise<unknown>;
  /** Node ids that serve `service` now, this node included. */
  serving(service: string): string[];
  stats(): RpcStats;
  /** Stops serving, waits up to `timeoutMs` for calls and handlers, then cancels the rest. Idempotent. */
  close(timeoutMs?: number): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
