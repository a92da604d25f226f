/**
 * `createRpc`: handlers, calls, announcements and statistics of one node, composed. Owns the rpc channel
 * of the links it is given; does not own the links.
 */
import diagnosticsChannel from 'node:diagnostics_channel';
import { Budget } from '../balancing/index.ts';
import { anything, checkOptions } from '../check-options.ts';
import { sleep, type Clock } from '../clock.ts';
import { DwcpError } from '../errors.ts';
import { defaultLimits, type CallLimits } from '../limits.ts';
import { Channel } from '../links/link.ts';
import { Histogram } from '../telemetry/histogram.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { attemptLocal, attemptRemote } from './attempt.ts';
import { Call, type CallCounters, type CallResult } from './call.ts';
import { callSpec, type CallSpec } from './call-spec.ts';
import { Directory } from './directory.ts';
import { serveStream } from './inbound.ts';
import { codecId, decodePayload } from './payload.ts';
import { Route } from './route.ts';
import { Server, checkServiceName } from './server.ts';
import type {
  BytesHandler,
  CallOptions,
  HandleOptions,
  JsonHandler,
  Rpc,
  RpcOptions,
  RpcStats,
} from './types.ts';

/** Published on `diagnostics_channel` `dwcp:rpc:call` when a call ended. */
export interface RpcCallEvent {
  readonly service: string;
  /** The node whose answer counted; undefined when none did. */
  readonly nodeId: string | undefined;
  readonly durationMs: number;
  readonly attempts: number;
  readonly hedged: boolean;
  readonly error: DwcpError | undefined;
}

const callChannel = diagnosticsChannel.channel('dwcp:rpc:call');
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
  readonly #options: RpcOptions;
  readonly #clock: Clock;
  readonly #limits: CallLimits;
  readonly #server: Server;
  readonly #directory: Directory;
  readonly #routes = new Map<string, Route>();
  readonly #calls = new Set<Call>();
  readonly #retryBudget = new Budget({ share: 0.2, perSecond: 10, burst: 100 });
  readonly #hedgeBudget = new Budget({ share: 0.05, perSecond: 0.1, burst: 10 });
  readonly #latencyMs = new Histogram();
  readonly #counters: CallCounters = { retried: 0, hedged: 0, hedgeWins: 0 };
  #started = 0;
  #ok = 0;
  #failed = 0;
  #malformed = 0;
  #idle: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: RpcOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#limits = { ...defaultLimits.call, ...options.limits };
    this.#server = new Server(options.clock, this.#limits);
    this.#directory = new Directory(options.links, options.clock, (nodeId) => {
      for (const route of this.#routes.values()) route.changed(nodeId);
      this.#dropUnused();
    });
    const logger = options.logger ?? silentLogger;
    const inbound = {
      links: options.links,
      server: this.#server,
      directory: this.#directory,
      limits: this.#limits,
      onMalformed: (error: DwcpError): void => {
        this.#malformed += 1;
        logger.warn({ err: error }, 'rpc message refused');
      },
    };
    options.links.handle(Channel.rpc, (link, stream) => serveStream(link, stream, inbound));
  }

  handle(service: string, fn: BytesHandler | JsonHandler, options: HandleOptions = {}): () => void {
    this.#assertOpen();
    checkServiceName(service);
    checkOptions('options', options, { codec: anything });
    this.#server.handle(service, fn, codecId(options.codec));
    this.#serve(service, true);
    let registered = true;
    return () => {
      if (!registered) return;
      registered = false;
      this.#server.unhandle(service);
      this.#serve(service, false);
    };
  }

  // The overloads of `Rpc.call` tie the reply's type to the codec.
  // oxlint-disable-next-line typescript/no-explicit-any
  async call(service: string, payload: unknown, options: CallOptions = {}): Promise<any> {
    this.#assertOpen();
    const spec = callSpec(service, payload, options, this.#limits, this.#options.self.nodeId);
    const nowMs = this.#clock.monotonic();
    const { maxCallsInFlight } = this.#limits;
    if (this.#calls.size >= maxCallsInFlight) {
      throw new DwcpError('ERR_DWCP_LIMIT', `maxCallsInFlight ${maxCallsInFlight} is reached`, {
        detail: { limit: 'maxCallsInFlight' },
      });
    }
    this.#retryBudget.deposit(nowMs);
    this.#hedgeBudget.deposit(nowMs);
    const result = await this.#run(spec);
    if (result.error) throw result.error;
    return decodePayload(spec.codec, asBuffer(result.payload));
  }

  serving(service: string): string[] {
    const nodes = [...this.#directory.serving(service)].map((link) => link.peer.nodeId);
    if (this.#server.has(service)) nodes.push(this.#options.self.nodeId);
    return nodes;
  }

  stats(): RpcStats {
    return {
      calls: this.#started,
      ok: this.#ok,
      failed: this.#failed,
      ...this.#counters,
      inFlight: this.#calls.size,
      handling: this.#server.handling,
      handled: this.#server.handled,
      refused: this.#server.refused,
      malformed: this.#malformed,
      latencyMs: this.#latencyMs.snapshot(),
      retryTokens: this.#retryBudget.balance,
      hedgeTokens: this.#hedgeBudget.balance,
      services: [...this.#routes.values()].map((route) => ({
        service: route.service,
        endpoints: route.picker.stats(),
      })),
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

  #serve(service: string, on: boolean): void {
    this.#directory.serve(service, on);
    this.#routes.get(service)?.own(on);
    this.#dropUnused();
  }

  #run(spec: CallSpec): Promise<CallResult> {
    const { clock, self } = this.#options;
    const route = this.#route(spec.service);
    const startMs = clock.monotonic();
    this.#started += 1;
    return new Promise((resolve) => {
      const call = new Call(
        spec,
        {
          clock,
          route,
          retryBudget: this.#retryBudget,
          hedgeBudget: this.#hedgeBudget,
          counters: this.#counters,
          start: (nodeId, header, payload, done) => {
            if (nodeId === self.nodeId) {
              return attemptLocal(this.#server, self, header, payload, done);
            }
            const link = this.#directory.linkFor(nodeId, spec.service);
            if (!link) throw new DwcpError('ERR_DWCP_LINK_DOWN', `no link to ${nodeId}`);
            return attemptRemote(link, header, payload, this.#limits, done);
          },
        },
        (result) => {
          this.#ended(call, route, spec, result, clock.monotonic() - startMs);
          resolve(result);
        },
      );
      this.#calls.add(call);
      route.hold();
      call.start();
    });
  }

  #ended(call: Call, route: Route, spec: CallSpec, result: CallResult, durationMs: number): void {
    this.#calls.delete(call);
    route.release();
    if (route.unused) this.#routes.delete(spec.service);
    const { error, nodeId, attempts, hedged } = result;
    if (error) this.#failed += 1;
    else {
      this.#ok += 1;
      this.#latencyMs.record(durationMs);
    }
    if (callChannel.hasSubscribers) {
      const event: RpcCallEvent = {
        service: spec.service,
        nodeId,
        durationMs,
        attempts,
        hedged,
        error,
      };
      callChannel.publish(event);
    }
    if (this.#calls.size === 0) this.#idle?.();
  }

  #route(service: string): Route {
    const known = this.#routes.get(service);
    if (known) return known;
    const { clock, random, self, health } = this.#options;
    const options = { clock, random, self, health, directory: this.#directory };
    const route = new Route(service, options, this.#server.has(service));
    this.#routes.set(service, route);
    return route;
  }

  #dropUnused(): void {
    for (const [service, route] of this.#routes) if (route.unused) this.#routes.delete(service);
  }

  async #drain(timeoutMs: number): Promise<void> {
    this.#server.draining = true;
    this.#directory.drain();
    const own = new Promise<void>((resolve) => {
      if (this.#calls.size === 0) resolve();
      else this.#idle = resolve;
    });
    const stop = new AbortController();
    const timeout = sleep(this.#clock, timeoutMs, stop.signal).catch(() => {});
    await Promise.race([Promise.all([own, this.#server.idle()]), timeout]);
    stop.abort();
    const closed = new DwcpError('ERR_DWCP_CLOSED', 'the node closed');
    for (const call of Array.from(this.#calls)) call.cancel(closed);
    this.#server.abortAll(closed);
    this.#directory.close();
  }
}

function asBuffer(bytes: Uint8Array | undefined): Buffer {
  if (!bytes) return Buffer.alloc(0);
  if (Buffer.isBuffer(bytes)) return bytes;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
