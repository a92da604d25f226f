/** `dwcp/rpc`: calls to the nearest healthy node that serves a name. */
export { createRpc } from './rpc.ts';
export type { RpcCallEvent } from './rpc.ts';
export type {
  BytesHandler,
  CallContext,
  CallOptions,
  HandleOptions,
  HealthView,
  JsonHandler,
  NodeRef,
  Rpc,
  RpcOptions,
  RpcStats,
  ServiceStats,
} from './types.ts';
export { createLinks } from '../links/index.ts';
export type { Links, LinksOptions } from '../links/index.ts';
export { systemClock } from '../clock.ts';
export { systemRandom } from '../random.ts';
