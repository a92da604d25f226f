/** What callers and handlers of `dwcp/rpc` hand in and get back. */
import type { EndpointState, EndpointStats } from '../balancing/index.ts';
import type { Clock } from '../clock.ts';
import type { CallLimits } from '../limits.ts';
import type { Links } from '../links/link.ts';
import type { Random } from '../random.ts';
import type { HistogramSnapshot } from '../telemetry/histogram.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Interceptor } from './interceptors.ts';
import type { Metadata } from './metadata.ts';
import type { MethodCaller, ServiceServer } from './service.ts';
import type { Codec, CodecName } from './payload.ts';

/** Who a node is, as far as calls care. */
export interface NodeRef {
  readonly nodeId: string;
  readonly region: string;
}

/** How a method is called: one payload or items in, one payload or items out. */
export type MethodKind = 'unary' | 'serverStream' | 'clientStream' | 'bidiStream';

/** What a handler gets beside the payload. */
export interface CallContext {
  /** Fires when the caller cancelled, its link fell, or the deadline passed; on streams also when this node closes. */
  readonly signal: AbortSignal;
  /** Time left for the call when it arrived, ms; Infinity for a stream without deadline. */
  readonly deadlineMs: number;
  /** What the caller sent beside the payload. */
  readonly metadata: Metadata;
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

/** Serves calls with values of the JSON or a custom codec. */
export type JsonHandler = (payload: unknown, context: CallContext) => unknown;

/** Options of `handle`. */
export interface HandleOptions {
  /** How payload and reply are read; `bytes` by default. Caller and handler must agree. */
  readonly codec?: CodecName | Codec | undefined;
  /** Requests of this service handled at once; more are refused, and their callers move on. */
  readonly maxInFlight?: number | undefined;
}

/** Options of every request. */
export interface RequestOptions {
  /** Affinity: the same key goes to the same near, healthy node. */
  readonly key?: string | undefined;
  /** Time the whole call may take, all attempts included, ms. */
  readonly deadlineMs?: number | undefined;
  /** Executing it twice does no harm: it may be retried after a loss, and hedged. False by default. */
  readonly idempotent?: boolean | undefined;
  /** Short texts that cross the wire beside the payload. */
  readonly metadata?: Metadata | undefined;
  /** Cancels the call, here and at the handler. */
  readonly signal?: AbortSignal | undefined;
  /** Node ids not to use. */
  readonly exclude?: readonly string[] | undefined;
  /** Whether this node's own handler may take it; true by default. */
  readonly local?: boolean | undefined;
}

/** Options of `call`. */
export interface CallOptions extends RequestOptions {
  /** How payload and reply are read; `bytes` by default. Caller and handler must agree. */
  readonly codec?: CodecName | Codec | undefined;
  /** No reply: resolves with nothing once the request was handed to the network. */
  readonly oneWay?: boolean | undefined;
}

/**
 * Options of a stream. `deadlineMs` is for the whole stream, none by default; a stream that no node took
 * within the default deadline of calls fails. `idempotent` streams move on until one was taken; none is hedged.
 */
export interface StreamOptions extends RequestOptions {
  /** Ends the stream when the peer owes an item or credit and nothing came for this long, ms; none by default. */
  readonly idleTimeoutMs?: number | undefined;
}

/** Items that come from another node. Leaving the loop early, `return()` or `await using` cancel the stream. */
export interface ItemStream<T>
  extends AsyncIterableIterator<T, undefined, unknown>, AsyncDisposable {
  [Symbol.asyncIterator](): ItemStream<T>;
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
  /** Ended by an error, an abort or a reader that left early. */
  readonly failed: number;
  readonly retried: number;
  readonly hedged: number;
  readonly hedgeWins: number;
  /** Calls of this node under way, streams included. */
  readonly inFlight: number;
  /** Streams of this node under way. */
  readonly streams: number;
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
export interface Rpc extends MethodCaller, ServiceServer {
  /** Serves `service`; returns the function that stops it. @throws ERR_DWCP_INVALID_ARG, ERR_DWCP_LIMIT */
  handle(
    service: string,
    fn: BytesHandler,
    options?: HandleOptions & { readonly codec?: 'bytes' | undefined },
  ): () => void;
  handle(
    service: string,
    fn: JsonHandler,
    options: HandleOptions & { readonly codec: 'json' | Codec },
  ): () => void;
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
    options: CallOptions & { readonly codec: 'json' | Codec },
  ): Promise<unknown>;
  /** Runs code around every request this node makes or serves; returns the function that removes it. */
  intercept(side: 'client' | 'server', interceptor: Interceptor): () => void;
  /** Node ids that serve `service` now, this node included. */
  serving(service: string): string[];
  stats(): RpcStats;
  /** Stops serving, waits up to `timeoutMs` for calls and handlers, then cancels the rest. Idempotent. */
  close(timeoutMs?: number): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
