/**
 * `createRpc`: handlers, requests, announcements and statistics of one node, composed. Owns the rpc channel
 * of the links it is given; does not own the links.
 */
import { aCount, anything, checkOptions } from '../check-options.ts';
import { sleep, type Clock } from '../clock.ts';
import { DwcpError, invalidArg } from '../errors.ts';
import { defaultLimits, type CallLimits } from '../limits.ts';
import { Channel } from '../links/link.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { Client } from './client.ts';
import { Directory } from './directory.ts';
import { checkServiceName, Handlers, type AnyHandler, type Registration } from './handlers.ts';
import { serveStream } from './inbound.ts';
import { Interceptors, type Interceptor } from './interceptors.ts';
import { Invoker } from './invoke.ts';
import { resolveCodec } from './payload.ts';
import { Server } from './server.ts';
import {
  methodName,
  type AnyMethod,
  type Implementation,
  type Methods,
  type Service,
} from './service.ts';
import type {
  BytesHandler,
  CallOptions,
  HandleOptions,
  ItemStream,
  JsonHandler,
  Rpc,
  RpcOptions,
  RpcStats,
  StreamOptions,
} from './types.ts';

const drainTimeoutMs = 5_000;

/**
 * Calls and handlers over a node's links.
 * @param options links, clock, random, who this node is, limits, health verdicts
 * @example
 * const rpc = createRpc({ links, clock, random, self: { nodeId: 'eu-1', region: 'eu' } });
 * rpc.handle('greet', (name) => Buffer.from(`hello ${name}`));
 * const reply = await rpc.call('greet', Buffer.from('you'), { deadlineMs: 500, idempotent: true });
 */
export function createRpc(options: RpcOptions): Rpc {
  return new NodeRpc(options);
}

class NodeRpc implements Rpc {
  readonly #clock: Clock;
  readonly #selfId: string;
  readonly #handlers: Handlers;
  readonly #directory: Directory;
  readonly #client: Client;
  readonly #invoker: Invoker;
  readonly #interceptors = new Interceptors();
  #malformed = 0;
  #closing: Promise<void> | undefined;

  constructor(options: RpcOptions) {
    const { clock, links, self, logger = silentLogger } = options;
    const limits: CallLimits = { ...defaultLimits.call, ...options.limits };
    this.#clock = clock;
    this.#selfId = self.nodeId;
    this.#handlers = new Handlers(limits);
    const serving = { clock, limits, handlers: this.#handlers, interceptors: this.#interceptors };
    const server = new Server(serving);
    this.#directory = new Directory(links, clock, (nodeId) => this.#client.changed(nodeId));
    this.#client = new Client({ ...options, ...serving, server, directory: this.#directory });
    this.#invoker = new Invoker(this.#client, this.#interceptors, () => this.#assertOpen());
    const inbound = {
      links,
      server,
      sessions: serving,
      directory: this.#directory,
      limits,
      onMalformed: (error: DwcpError): void => {
        this.#malformed += 1;
        logger.warn({ err: error }, 'rpc message refused');
      },
    };
    links.handle(Channel.rpc, (link, stream) => serveStream(link, stream, inbound));
  }

  handle(service: string, fn: BytesHandler | JsonHandler, options: HandleOptions = {}): () => void {
    this.#assertOpen();
    checkServiceName(service);
    checkOptions('options', options, { codec: anything, maxInFlight: aCount });
    const codec = resolveCodec('options.codec', options.codec);
    const { maxInFlight = Number.POSITIVE_INFINITY } = options;
    return this.#serve([[service, { fn, codec, kind: 'unary', maxInFlight }]]);
  }

  serve<M extends Methods>(service: Service<M>, implementation: Implementation<M>): () => void {
    this.#assertOpen();
    if (typeof service?.methods !== 'object') invalidArg('service', 'a defined service', service);
    if (typeof implementation !== 'object' || implementation === null) {
      invalidArg('implementation', 'an object', implementation);
    }
    const handlers = implementation as Readonly<Record<string, unknown>>;
    for (const name of Object.keys(implementation)) {
      if (!Object.hasOwn(service.methods, name)) {
        invalidArg(`implementation.${name}`, `a method of ${service.name}`, name);
      }
    }
    const served = Object.entries(service.methods).map(([name, method]) => {
      const fn = handlers[name];
      if (typeof fn !== 'function') invalidArg(`implementation.${name}`, 'a function', fn);
      const { maxInFlight = Number.POSITIVE_INFINITY } = method.options;
      const kind = method.kind === 'oneWay' ? ('unary' as const) : method.kind;
      const bound = fn.bind(implementation) as AnyHandler;
      const how = { fn: bound, codec: method.codec, kind, maxInFlight };
      return [methodName(service.name, name), how] as const;
    });
    return this.#serve(served);
  }

  // The overloads of `Rpc.call` tie the reply's type to the codec.
  // oxlint-disable-next-line typescript/no-explicit-any
  async call(service: string, payload: unknown, options: CallOptions = {}): Promise<any> {
    return this.#invoker.call(service, payload, options);
  }

  invoke(
    service: string,
    method: AnyMethod,
    input: unknown,
    options?: StreamOptions,
  ): Promise<unknown> | ItemStream<unknown> {
    return this.#invoker.invoke(service, method, input, options);
  }

  intercept(side: 'client' | 'server', interceptor: Interceptor): () => void {
    if (side !== 'client' && side !== 'server') invalidArg('side', "'client' or 'server'", side);
    return this.#interceptors.add(side, interceptor);
  }

  serving(service: string): string[] {
    const nodes = [...this.#directory.serving(service)].map((link) => link.peer.nodeId);
    if (this.#handlers.has(service)) nodes.push(this.#selfId);
    return nodes;
  }

  stats(): RpcStats {
    return {
      ...this.#client.stats(),
      handling: this.#handlers.size,
      handled: this.#handlers.handled,
      refused: this.#handlers.refused,
      malformed: this.#malformed,
    };
  }

  close(timeoutMs: number = drainTimeoutMs): Promise<void> {
    this.#closing ??= this.#drain(timeoutMs);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #assertOpen(): void {
    if (this.#closing) throw new DwcpError('ERR_DWCP_CLOSED', 'this node’s rpc is closed');
  }

  /** All of them or, when one is refused, none. */
  #serve(
    served: readonly (readonly [name: string, how: Omit<Registration, 'running'>])[],
  ): () => void {
    const added: string[] = [];
    const remove = (): void => {
      for (const name of added.splice(0)) {
        this.#handlers.remove(name);
        this.#directory.serve(name, false);
        this.#client.own(name, false);
      }
    };
    try {
      for (const [name, how] of served) {
        this.#handlers.add(name, how);
        added.push(name);
      }
    } catch (error) {
      for (const name of added) this.#handlers.remove(name);
      throw error;
    }
    for (const name of added) {
      this.#directory.serve(name, true);
      this.#client.own(name, true);
    }
    return remove;
  }

  async #drain(timeoutMs: number): Promise<void> {
    const closed = new DwcpError('ERR_DWCP_CLOSED', 'the node closed');
    this.#handlers.drain(closed);
    this.#directory.drain();
    const idle = Promise.all([this.#client.drain(closed), this.#handlers.idle()]);
    const stop = new AbortController();
    const timeout = sleep(this.#clock, timeoutMs, stop.signal).catch(() => {});
    await Promise.race([idle, timeout]);
    stop.abort();
    this.#client.cancelAll(closed);
    this.#handlers.abortAll(closed);
    this.#directory.close();
  }
}
