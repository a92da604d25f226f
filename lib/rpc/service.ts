/**
 * Typed services without generated code: one definition, shared by both sides, from which the types of the
 * client and of the handlers are inferred. Each method is served under the name `service/method`, which is
 * also what rights are asked for and what balancing learns about.
 */
import { aBoolean, aCount, aDuration, anything, checkOptions } from '../check-options.ts';
import { invalidArg } from '../errors.ts';
import { checkServiceName } from './handlers.ts';
import type { ItemSource } from './item-sender.ts';
import { resolveCodec, type Codec, type ResolvedCodec } from './payload.ts';
import type {
  CallContext,
  ItemStream,
  MethodKind,
  RequestOptions,
  StreamOptions,
} from './types.ts';

/** How one method is called. */
export interface MethodOptions {
  /** Deadline when the caller names none, ms. */
  readonly deadlineMs?: number | undefined;
  /** Executing it twice does no harm; see the option of calls. */
  readonly idempotent?: boolean | undefined;
  /** Requests handled at once on one node; more are refused, and their callers move on. */
  readonly maxInFlight?: number | undefined;
}

/** Options with a codec for values: JSON unless told otherwise. */
export interface ValueMethodOptions extends MethodOptions {
  readonly codec?: 'json' | Codec | undefined;
}

/** Options of a method that carries bytes as they are. */
export interface BytesMethodOptions extends MethodOptions {
  readonly codec: 'bytes';
}

/** What a method carries: `sent` by the client, `taken` by the handler, `given` back, `got` by the client. */
export interface Payloads {
  readonly sent: unknown;
  readonly taken: unknown;
  readonly given: unknown;
  readonly got: unknown;
}

/** Values of a codec are the same on both sides. */
export interface Values<Request, Response> extends Payloads {
  readonly sent: Request;
  readonly taken: Request;
  readonly given: Response;
  readonly got: Response;
}

/** Bytes are given as any Uint8Array and got as a Buffer. */
export interface Bytes extends Payloads {
  readonly sent: Uint8Array;
  readonly taken: Buffer;
  readonly given: Uint8Array;
  readonly got: Buffer;
}

declare const payloads: unique symbol;

/** One method of a service. Made by {@link unary} and its siblings. */
export interface Method<K extends MethodKind | 'oneWay', P extends Payloads> {
  readonly kind: K;
  readonly options: MethodOptions;
  readonly codec: ResolvedCodec;
  /** For the compiler only. */
  readonly [payloads]?: P;
}

/** Any method. */
export type AnyMethod = Method<MethodKind | 'oneWay', Payloads>;
/** The methods of a service, by name. */
export type Methods = Readonly<Record<string, AnyMethod>>;

const checks = {
  codec: anything,
  deadlineMs: aDuration,
  idempotent: aBoolean,
  maxInFlight: aCount,
};

function method<K extends MethodKind | 'oneWay', P extends Payloads>(
  kind: K,
  options: ValueMethodOptions | BytesMethodOptions,
): Method<K, P> {
  checkOptions('options', options, checks);
  const { codec = 'json', ...rest } = options;
  return { kind, options: rest, codec: resolveCodec('options.codec', codec) };
}

/**
 * One request, one reply.
 * @throws ERR_DWCP_INVALID_ARG
 * @example const get = unary<{ id: string }, User>({ idempotent: true });
 */
export function unary(options: BytesMethodOptions): Method<'unary', Bytes>;
export function unary<Request, Response>(
  options?: ValueMethodOptions,
): Method<'unary', Values<Request, Response>>;
export function unary(
  options: ValueMethodOptions | BytesMethodOptions = {},
): Method<'unary', Payloads> {
  return method('unary', options);
}

/**
 * One request and no reply.
 * @throws ERR_DWCP_INVALID_ARG
 * @example const log = oneWay<{ text: string }>();
 */
export function oneWay(options: BytesMethodOptions): Method<'oneWay', Bytes>;
export function oneWay<Request>(
  options?: ValueMethodOptions,
): Method<'oneWay', Values<Request, void>>;
export function oneWay(
  options: ValueMethodOptions | BytesMethodOptions = {},
): Method<'oneWay', Payloads> {
  return method('oneWay', options);
}

/**
 * One request, many items back.
 * @throws ERR_DWCP_INVALID_ARG
 * @example const list = serverStream<{ prefix: string }, User>();
 */
export function serverStream(options: BytesMethodOptions): Method<'serverStream', Bytes>;
export function serverStream<Request, Item>(
  options?: ValueMethodOptions,
): Method<'serverStream', Values<Request, Item>>;
export function serverStream(
  options: ValueMethodOptions | BytesMethodOptions = {},
): Method<'serverStream', Payloads> {
  return method('serverStream', options);
}

/**
 * Many items, one reply.
 * @throws ERR_DWCP_INVALID_ARG
 * @example const upload = clientStream<Row, { stored: number }>();
 */
export function clientStream(options: BytesMethodOptions): Method<'clientStream', Bytes>;
export function clientStream<Item, Response>(
  options?: ValueMethodOptions,
): Method<'clientStream', Values<Item, Response>>;
export function clientStream(
  options: ValueMethodOptions | BytesMethodOptions = {},
): Method<'clientStream', Payloads> {
  return method('clientStream', options);
}

/**
 * Items both ways, each side at its own pace.
 * @throws ERR_DWCP_INVALID_ARG
 * @example const chat = bidiStream<Line, Line>();
 */
export function bidiStream(options: BytesMethodOptions): Method<'bidiStream', Bytes>;
export function bidiStream<Item, Reply>(
  options?: ValueMethodOptions,
): Method<'bidiStream', Values<Item, Reply>>;
export function bidiStream(
  options: ValueMethodOptions | BytesMethodOptions = {},
): Method<'bidiStream', Payloads> {
  return method('bidiStream', options);
}

/** The arguments of a request; a request of type void may be left out. */
type Args<Sent, Options> = [void] extends [Sent]
  ? [request?: Sent, options?: Options]
  : [request: Sent, options?: Options];

/** One method as its client calls it. */
export type ClientMethod<M> =
  M extends Method<infer K, infer P>
    ? K extends 'unary'
      ? (...args: Args<P['sent'], RequestOptions>) => Promise<P['got']>
      : K extends 'oneWay'
        ? (...args: Args<P['sent'], RequestOptions>) => Promise<void>
        : K extends 'serverStream'
          ? (...args: Args<P['sent'], StreamOptions>) => ItemStream<P['got']>
          : K extends 'clientStream'
            ? (items: ItemSource<P['sent']>, options?: StreamOptions) => Promise<P['got']>
            : (items: ItemSource<P['sent']>, options?: StreamOptions) => ItemStream<P['got']>
    : never;

/** A client of a service: one function per method. */
export type Client<M extends Methods> = { readonly [Name in keyof M]: ClientMethod<M[Name]> };

/** What a handler returns when it replies with items. */
type Given<T> = ItemSource<T> | Promise<ItemSource<T>>;

/** One method as its handler serves it. */
export type HandlerMethod<M> =
  M extends Method<infer K, infer P>
    ? K extends 'unary'
      ? (request: P['taken'], context: CallContext) => P['given'] | Promise<P['given']>
      : K extends 'oneWay'
        ? (request: P['taken'], context: CallContext) => void | Promise<void>
        : K extends 'serverStream'
          ? (request: P['taken'], context: CallContext) => Given<P['given']>
          : K extends 'clientStream'
            ? (
                items: AsyncIterable<P['taken']>,
                context: CallContext,
              ) => P['given'] | Promise<P['given']>
            : (items: AsyncIterable<P['taken']>, context: CallContext) => Given<P['given']>
    : never;

/** The handlers of a service: one function per method. */
export type Implementation<M extends Methods> = {
  readonly [Name in keyof M]: HandlerMethod<M[Name]>;
};

/** What a typed client calls through: a node, or an `Rpc`. */
export interface MethodCaller {
  /** Calls a method of a service; a promise or an {@link ItemStream}, by the method's kind. */
  invoke(
    service: string,
    method: AnyMethod,
    input: unknown,
    options?: StreamOptions,
  ): Promise<unknown> | ItemStream<unknown>;
}

/** What can serve a typed service: a node, or an `Rpc`. */
export interface ServiceServer {
  /**
   * Serves every method of a service; returns the function that stops it.
   * @throws ERR_DWCP_INVALID_ARG when a handler is missing or stands already, ERR_DWCP_LIMIT at maxServices
   */
  serve<M extends Methods>(service: Service<M>, implementation: Implementation<M>): () => void;
}

/** A defined service. */
export interface Service<M extends Methods> {
  readonly name: string;
  readonly methods: M;
  /** A client that calls the nearest healthy node serving each method. */
  client(caller: MethodCaller): Client<M>;
}

/** The name a method is served under. */
export function methodName(service: string, name: string): string {
  return `${service}/${name}`;
}

/**
 * Defines a service.
 * @throws ERR_DWCP_INVALID_ARG
 * @example
 * const users = defineService({
 *   name: 'users',
 *   methods: { get: unary<{ id: string }, User>(), list: serverStream<void, User>() },
 * });
 * node.serve(users, { get: ({ id }) => find(id), list: () => all() });
 * const user = await users.client(node).get({ id: '7' });
 */
export function defineService<const M extends Methods>(definition: {
  readonly name: string;
  readonly methods: M;
}): Service<M> {
  checkOptions('service', definition, { name: anything, methods: anything });
  const { name, methods } = definition;
  checkServiceName(name);
  if (typeof methods !== 'object' || methods === null) invalidArg('methods', 'an object', methods);
  for (const [key, each] of Object.entries(methods)) {
    checkServiceName(methodName(name, key));
    if (each?.codec?.encode === undefined) invalidArg(`methods.${key}`, 'a method', each);
  }
  return {
    name,
    methods,
    client: (caller) => {
      const entries = Object.entries(methods).map(([key, each]) => {
        const served = methodName(name, key);
        const call = (input: unknown, options?: StreamOptions): unknown =>
          caller.invoke(served, each, input, options);
        return [key, call] as const;
      });
      return Object.freeze(Object.fromEntries(entries)) as Client<M>;
    },
  };
}
