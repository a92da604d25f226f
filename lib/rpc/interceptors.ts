/**
 * Interceptors: user code around every request of a node, on the calling and on the serving side. The first
 * one added is the outermost. What replies once (unary, one-way, client streams) passes `call`, what replies
 * with many items (server and bidirectional streams) passes `stream`.
 */
import { checkOptions, aFunction } from '../check-options.ts';
import type { Metadata } from './metadata.ts';
import type { CallContext, MethodKind } from './types.ts';

/** A request on its way through interceptors; pass on a changed copy to change it. */
export interface InterceptedRequest {
  readonly side: 'client' | 'server';
  readonly service: string;
  readonly kind: MethodKind;
  /** The payload's value, or an AsyncIterable of items when the caller streams. */
  readonly input: unknown;
  /** What crosses the wire beside the payload; a client interceptor may pass on other metadata. */
  readonly metadata: Metadata;
  /** The handler's context; undefined on the client side. */
  readonly context: CallContext | undefined;
}

/** Calls the next interceptor, in the end the network or the handler. */
export type NextCall = (request: InterceptedRequest) => Promise<unknown>;
/** The same for requests answered with items. */
export type NextStream = (request: InterceptedRequest) => AsyncIterable<unknown>;

/**
 * Code around requests. Throw to refuse; return something else to answer in the handler's place.
 * @example
 * node.intercept('client', {
 *   call: (request, next) => next({ ...request, metadata: { ...request.metadata, trace: id() } }),
 * });
 */
export interface Interceptor {
  call?(request: InterceptedRequest, next: NextCall): Promise<unknown>;
  stream?(request: InterceptedRequest, next: NextStream): AsyncIterable<unknown>;
}

/** The interceptors of a node. */
export class Interceptors {
  client: readonly Interceptor[] = [];
  server: readonly Interceptor[] = [];

  /** Adds one; returns the function that removes it. @throws ERR_DWCP_INVALID_ARG */
  add(side: 'client' | 'server', interceptor: Interceptor): () => void {
    checkOptions('interceptor', interceptor, { call: aFunction, stream: aFunction });
    const own: Interceptor = { ...interceptor };
    this[side] = [...this[side], own];
    return () => {
      this[side] = this[side].filter((each) => each !== own);
    };
  }
}

/** Runs a request with one reply through interceptors. */
export function callThrough(
  list: readonly Interceptor[],
  request: InterceptedRequest,
  last: (request: InterceptedRequest) => unknown,
): unknown {
  if (list.length === 0) return last(request);
  let next: NextCall = async (each) => last(each);
  for (const interceptor of list.toReversed()) {
    if (!interceptor.call) continue;
    const [call, inner] = [interceptor.call.bind(interceptor), next];
    next = async (each) => call(each, inner);
  }
  return next(request);
}

/** Runs a request that is answered with items through interceptors. */
export function streamThrough(
  list: readonly Interceptor[],
  request: InterceptedRequest,
  last: NextStream,
): AsyncIterable<unknown> {
  let next = last;
  for (const interceptor of list.toReversed()) {
    if (!interceptor.stream) continue;
    const [stream, inner] = [interceptor.stream.bind(interceptor), next];
    next = (each) => stream(each, inner);
  }
  return next(request);
}
