/**
 * The calling side of a node: calls and streams under way, the routes and budgets they share, and their
 * numbers. Bounded by `maxCallsInFlight`, streams included.
 */
import { Budget } from '../balancing/index.ts';
import { DwcpError } from '../errors.ts';
import { Histogram } from '../telemetry/histogram.ts';
import { attemptLocal, attemptRemote } from './attempt.ts';
import { Call, type CallCounters, type CallEnvironment, type CallResult } from './call.ts';
import { callChannel, type RpcCallEvent } from './call-event.ts';
import { callSpec, type CallSpec } from './call-spec.ts';
import type { Directory } from './directory.ts';
import { openLocal } from './local-session.ts';
import type { ResolvedCodec } from './payload.ts';
import { Route } from './route.ts';
import type { Server } from './server.ts';
import { openOn } from './stream-attempt.ts';
import { StreamCall, type StreamResult, type StreamSpec } from './stream-call.ts';
import type { SessionOptions } from './stream-session.ts';
import type { CallOptions, MethodKind, RpcOptions, RpcStats, StreamOptions } from './types.ts';
import { StreamKind } from './wire-request.ts';

/** What the calling side needs of the node. */
export interface ClientOptions extends Omit<RpcOptions, 'limits'>, SessionOptions {
  readonly server: Server;
  readonly directory: Directory;
}

/** Kinds of method that stream. */
export type StreamingKind = Exclude<MethodKind, 'unary'>;

const kindIds: Readonly<Record<StreamingKind, StreamKind>> = {
  serverStream: StreamKind.server,
  clientStream: StreamKind.client,
  bidiStream: StreamKind.duplex,
};

type ClientStats = Omit<RpcStats, 'handling' | 'handled' | 'refused' | 'malformed'>;

/** See the file header. */
export class Client {
  readonly #options: ClientOptions;
  /** By service. */
  readonly #environments = new Map<string, CallEnvironment>();
  readonly #calls = new Set<Call>();
  readonly #streams = new Set<StreamCall>();
  readonly #retryBudget = new Budget({ share: 0.2, perSecond: 10, burst: 100 });
  readonly #hedgeBudget = new Budget({ share: 0.05, perSecond: 0.1, burst: 10 });
  readonly #latencyMs = new Histogram();
  readonly #counters: CallCounters = { retried: 0, hedged: 0, hedgeWins: 0 };
  #started = 0;
  #ok = 0;
  #failed = 0;
  #idle: (() => void) | undefined;
  #closed: DwcpError | undefined;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  /** Runs a call; its value. */
  call(
    service: string,
    codec: ResolvedCodec,
    input: unknown,
    options: CallOptions,
  ): Promise<unknown> {
    const { limits, self } = this.#options;
    const { defaultDeadlineMs } = limits;
    return new Promise((resolve, reject) => {
      const what = { service, codec, input, limits, selfId: self.nodeId, defaultDeadlineMs };
      const spec = callSpec(what, options);
      const full = this.#full();
      if (full) throw full;
      this.#run(spec, ({ error, payload }) => {
        if (error) return reject(error);
        // A codec of the user's own is not asked to read a reply that never was.
        if (spec.oneWay && codec.name !== undefined) return resolve(undefined);
        try {
          resolve(codec.decode(asBuffer(payload)));
        } catch (undecodable) {
          reject(undecodable);
        }
      });
    });
  }

  /** Prepares a stream; it begins when its first item is asked for, or with `startNow`. */
  stream(
    service: string,
    kind: StreamingKind,
    codec: ResolvedCodec,
    input: unknown,
    options: StreamOptions,
    startNow: boolean,
  ): StreamCall {
    const { limits, self } = this.#options;
    const { idleTimeoutMs, ...rest } = options;
    const served = kind === 'serverStream';
    const what = {
      service,
      codec,
      input: served ? input : undefined,
      limits,
      selfId: self.nodeId,
      defaultDeadlineMs: Number.POSITIVE_INFINITY,
    };
    const spec: StreamSpec = {
      ...callSpec(what, rest),
      ...(!served && { payload: new Uint8Array(0) }),
      kind: kindIds[kind],
      items: served ? undefined : input,
      idleTimeoutMs,
      openTimeoutMs: limits.defaultDeadlineMs,
    };
    const stream = new StreamCall(spec, () => this.#start(stream, spec, kind));
    if (startNow) this.#start(stream, spec, kind);
    return stream;
  }

  /** A peer's link or announcement changed. */
  changed(nodeId: string): void {
    for (const { route } of this.#environments.values()) route.changed(nodeId);
    this.#dropUnused();
  }

  /** This node began or stopped to serve a name. */
  own(service: string, served: boolean): void {
    this.#environments.get(service)?.route.own(served);
    this.#dropUnused();
  }

  stats(): ClientStats {
    return {
      calls: this.#started,
      ok: this.#ok,
      failed: this.#failed,
      ...this.#counters,
      inFlight: this.#calls.size + this.#streams.size,
      streams: this.#streams.size,
      latencyMs: this.#latencyMs.snapshot(),
      retryTokens: this.#retryBudget.balance,
      hedgeTokens: this.#hedgeBudget.balance,
      services: [...this.#environments.values()].map(({ route }) => ({
        service: route.service,
        endpoints: route.picker.stats(),
      })),
    };
  }

  /** Ends this node's streams, starts nothing new, and resolves when its calls are done. */
  drain(reason: DwcpError): Promise<void> {
    this.#closed = reason;
    for (const stream of Array.from(this.#streams)) stream.cancel(reason);
    return new Promise((resolve) => {
      this.#idle = resolve;
      this.#tellIdle();
    });
  }

  cancelAll(reason: DwcpError): void {
    for (const call of Array.from(this.#calls)) call.cancel(reason);
  }

  #full(): DwcpError | undefined {
    const { maxCallsInFlight } = this.#options.limits;
    if (this.#calls.size + this.#streams.size < maxCallsInFlight) return undefined;
    return new DwcpError('ERR_DWCP_LIMIT', `maxCallsInFlight ${maxCallsInFlight} is reached`, {
      detail: { limit: 'maxCallsInFlight' },
    });
  }

  /** What calls and streams of a service share; its route is held until `#ended`. */
  #enter(service: string): CallEnvironment {
    const env = this.#environment(service);
    const nowMs = env.clock.monotonic();
    this.#retryBudget.deposit(nowMs);
    this.#hedgeBudget.deposit(nowMs);
    this.#started += 1;
    env.route.hold();
    return env;
  }

  #run(spec: CallSpec, onResult: (result: CallResult) => void): void {
    const env = this.#enter(spec.service);
    const call = new Call(spec, env, (result) => {
      const durationMs = env.clock.monotonic() - call.startMs;
      this.#calls.delete(call);
      if (!result.error) this.#latencyMs.record(durationMs);
      this.#ended(env.route, 'unary', result, durationMs);
      onResult(result);
    });
    this.#calls.add(call);
    call.start();
  }

  #start(stream: StreamCall, spec: StreamSpec, kind: StreamingKind): void {
    const refusal = this.#closed ?? this.#full();
    if (refusal) return stream.cancel(refusal);
    const { clock, self, directory, limits } = this.#options;
    const env = {
      ...this.#enter(spec.service),
      limits,
      open: (nodeId: string) => {
        if (nodeId === self.nodeId) return openLocal(self, this.#options);
        const link = directory.linkFor(nodeId, spec.service);
        if (!link) throw new DwcpError('ERR_DWCP_LINK_DOWN', `no link to ${nodeId}`);
        return openOn(link, spec.service);
      },
    };
    const startMs = clock.monotonic();
    this.#streams.add(stream);
    return stream.start(env, (result) => {
      this.#streams.delete(stream);
      const ended = { ...result, hedged: false };
      this.#ended(env.route, kind, ended, clock.monotonic() - startMs);
    });
  }

  #ended(
    route: Route,
    kind: MethodKind,
    result: StreamResult & Pick<CallResult, 'hedged'>,
    durationMs: number,
  ): void {
    const { error, nodeId, attempts, hedged } = result;
    const { service } = route;
    route.release();
    if (route.unused) this.#environments.delete(service);
    if (error) this.#failed += 1;
    else this.#ok += 1;
    if (callChannel.hasSubscribers) {
      const event: RpcCallEvent = {
        service,
        kind,
        nodeId,
        durationMs,
        attempts,
        hedged,
        error,
      };
      callChannel.publish(event);
    }
    this.#tellIdle();
  }

  #tellIdle(): void {
    if (this.#calls.size + this.#streams.size === 0) this.#idle?.();
  }

  #environment(service: string): CallEnvironment {
    const known = this.#environments.get(service);
    if (known) return known;
    const { clock, random, self, health, directory, handlers, server, limits } = this.#options;
    const options = { clock, random, self, health, directory };
    const env: CallEnvironment = {
      clock,
      route: new Route(service, options, handlers.has(service)),
      retryBudget: this.#retryBudget,
      hedgeBudget: this.#hedgeBudget,
      counters: this.#counters,
      start: (nodeId, header, payload, done) => {
        if (nodeId === self.nodeId) return attemptLocal(server, self, header, payload, done);
        const link = directory.linkFor(nodeId, service);
        if (!link) throw new DwcpError('ERR_DWCP_LINK_DOWN', `no link to ${nodeId}`);
        return attemptRemote(link, header, payload, limits, done);
      },
    };
    this.#environments.set(service, env);
    return env;
  }

  #dropUnused(): void {
    for (const [service, { route }] of this.#environments) {
      if (route.unused) this.#environments.delete(service);
    }
  }
}

function asBuffer(bytes: Uint8Array | undefined): Buffer {
  if (!bytes) return Buffer.alloc(0);
  if (Buffer.isBuffer(bytes)) return bytes;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
