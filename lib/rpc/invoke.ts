/**
 * Requests as users make them: options checked, defaults of the method applied, client interceptors run, and
 * then a call or stream of the node's {@link Client}.
 */
import { invalidArg } from '../errors.ts';
import type { Client, StreamingKind } from './client.ts';
import { checkCall, checkStream } from './call-spec.ts';
import { checkServiceName } from './handlers.ts';
import {
  callThrough,
  streamThrough,
  type InterceptedRequest,
  type Interceptors,
} from './interceptors.ts';
import { LaterItems } from './later-items.ts';
import { noMetadata } from './metadata.ts';
import { resolveCodec, type ResolvedCodec } from './payload.ts';
import type { AnyMethod } from './service.ts';
import type {
  CallOptions,
  ItemStream,
  MethodKind,
  RequestOptions,
  StreamOptions,
} from './types.ts';

/** What a caller that names no options gives. */
const noOptions: StreamOptions = Object.freeze({});

/** See the file header. */
export class Invoker {
  readonly #client: Client;
  readonly #interceptors: Interceptors;
  /** Throws once the node closes. */
  readonly #assertOpen: () => void;

  constructor(client: Client, interceptors: Interceptors, assertOpen: () => void) {
    this.#client = client;
    this.#interceptors = interceptors;
    this.#assertOpen = assertOpen;
  }

  /** A call by name. */
  async call(service: string, payload: unknown, options: CallOptions): Promise<unknown> {
    this.#assertOpen();
    checkCall(service, options);
    const { codec, ...rest } = options;
    return this.#call(service, resolveCodec('options.codec', codec), payload, rest);
  }

  /** A call or stream of a typed method. */
  invoke(
    service: string,
    method: AnyMethod,
    input: unknown,
    options: StreamOptions = noOptions,
  ): Promise<unknown> | ItemStream<unknown> {
    if (method.kind === 'serverStream' || method.kind === 'bidiStream') {
      return this.#start(service, method, input, options);
    }
    try {
      return this.#start(service, method, input, options);
    } catch (error) {
      // What gives a promise throws nothing.
      return Promise.reject(error);
    }
  }

  #start(
    service: string,
    { kind, codec, options: defaults }: AnyMethod,
    input: unknown,
    options: StreamOptions,
  ): Promise<unknown> | ItemStream<unknown> {
    this.#assertOpen();
    if (typeof options !== 'object' || options === null) {
      invalidArg('options', 'an object', options);
    }
    if (options === noOptions && kind === 'unary') {
      // The method's own were checked when it was defined.
      return this.#unary(service, codec, input, defaults, false);
    }
    const { deadlineMs = defaults.deadlineMs, idempotent = defaults.idempotent } = options;
    const all = { ...options, deadlineMs, idempotent };
    if (kind === 'unary' || kind === 'oneWay') {
      return this.#unary(service, codec, input, { ...all, oneWay: kind === 'oneWay' }, true);
    }
    if (kind === 'clientStream') return this.#upload(service, codec, input, all);
    checkStream(service, all);
    return this.#items(service, kind, codec, input, all);
  }

  #unary(
    service: string,
    codec: ResolvedCodec,
    input: unknown,
    options: CallOptions,
    check: boolean,
  ): Promise<unknown> {
    if (check) checkCall(service, options);
    else checkServiceName(service);
    return this.#call(service, codec, input, options);
  }

  #call(
    service: string,
    codec: ResolvedCodec,
    input: unknown,
    options: CallOptions,
  ): Promise<unknown> {
    const list = this.#interceptors.client;
    if (list.length === 0) return this.#client.call(service, codec, input, options);
    const request = seen(service, 'unary', input, options);
    return Promise.resolve(
      callThrough(list, request, (each) =>
        this.#client.call(service, codec, each.input, { ...options, metadata: each.metadata }),
      ),
    );
  }

  async #upload(
    service: string,
    codec: ResolvedCodec,
    items: unknown,
    options: StreamOptions,
  ): Promise<unknown> {
    checkStream(service, options);
    const request = seen(service, 'clientStream', items, options);
    return callThrough(this.#interceptors.client, request, async ({ input, metadata }) => {
      const all = { ...options, metadata };
      const stream = this.#client.stream(service, 'clientStream', codec, input, all, true);
      return codec.decode(await stream.reply);
    });
  }

  #items(
    service: string,
    kind: StreamingKind,
    codec: ResolvedCodec,
    input: unknown,
    options: StreamOptions,
  ): ItemStream<unknown> {
    const list = this.#interceptors.client;
    if (list.length === 0) {
      return this.#client.stream(service, kind, codec, input, options, false).inbox;
    }
    const request = seen(service, kind, input, options);
    return new LaterItems(() =>
      streamThrough(list, request, (each) => {
        const all = { ...options, metadata: each.metadata };
        return this.#client.stream(service, kind, codec, each.input, all, false).inbox;
      }),
    );
  }
}

function seen(
  service: string,
  kind: MethodKind,
  input: unknown,
  { metadata = noMetadata }: RequestOptions,
): InterceptedRequest {
  return { side: 'client', service, kind, input, metadata, context: undefined };
}
