/** `dwcp/rpc`: calls and streams to the nearest healthy node that serves a name. */
export { createRpc } from './rpc.ts';
export type { RpcCallEvent } from './call-event.ts';
export type { InterceptedRequest, Interceptor, NextCall, NextStream } from './interceptors.ts';
export type { ItemSource } from './item-sender.ts';
export type { Metadata } from './metadata.ts';
export type { Codec, CodecName } from './payload.ts';
export { HandlerError, isRemoteError } from './remote-error.ts';
export type { RemoteDetail, RemoteError } from './remote-error.ts';
export { bidiStream, clientStream, defineService, oneWay, serverStream, unary } from './service.ts';
export type {
  AnyMethod,
  Bytes,
  BytesMethodOptions,
  Client,
  ClientMethod,
  HandlerMethod,
  Implementation,
  Method,
  MethodCaller,
  MethodOptions,
  Methods,
  Payloads,
  Service,
  ServiceServer,
  ValueMethodOptions,
  Values,
} from './service.ts';
export type {
  BytesHandler,
  CallContext,
  CallOptions,
  HandleOptions,
  HealthView,
  ItemStream,
  JsonHandler,
  MethodKind,
  NodeRef,
  RequestOptions,
  Rpc,
  RpcOptions,
  RpcStats,
  ServiceStats,
  StreamOptions,
} from './types.ts';
export { createLinks } from '../links/index.ts';
export type { Links, LinksOptions } from '../links/index.ts';
export { systemClock } from '../clock.ts';
export { systemRandom } from '../random.ts';
