/**
 * The handlers of one node and the admission of requests to them. A refusal always comes before the handler
 * runs, so a refused request was certainly not executed. Requests under way are counted in all, by caller
 * and by service; each admission is released once.
 */
import { DwcpError, invalidArg } from '../errors.ts';
import type { CallLimits } from '../limits.ts';
import type { ResolvedCodec } from './payload.ts';
import type { CallContext, MethodKind, NodeRef } from './types.ts';
import { Refusal } from './wire.ts';
import { headerBounds, type RequestHeader } from './wire-request.ts';

/** A handler of any kind and codec; what it was registered as decides what it is given. */
export type AnyHandler = (input: never, context: CallContext) => unknown;

/** A handler and how it is served. */
export interface Registration {
  readonly fn: AnyHandler;
  readonly kind: MethodKind;
  readonly codec: ResolvedCodec;
  readonly maxInFlight: number;
  /** Requests under way. */
  running: number;
}

/** Leave to run a request; release it when its handler is done. */
export interface Admission {
  readonly registration: Registration;
  /** Aborts the handler; set by whoever runs it. */
  abort: (reason: DwcpError) => void;
  /** Tells that the node is closing. */
  drain: (reason: DwcpError) => void;
  release(): void;
}

/** Names found good: the same few are asked for again and again. */
const goodNames = new Set<string>();
const maxGoodNames = 4_096;

/** Checks a service name: well-formed text of 1 to 255 bytes. @throws ERR_DWCP_INVALID_ARG */
export function checkServiceName(service: unknown): string {
  if (typeof service !== 'string') return invalidArg('service', 'a string', service);
  if (goodNames.has(service)) return service;
  const bytes = Buffer.from(service);
  const fits = bytes.length >= 1 && bytes.length <= headerBounds.serviceBytes;
  if (!fits || bytes.toString() !== service) {
    return invalidArg('service', '1 to 255 bytes of well-formed text', service);
  }
  if (goodNames.size >= maxGoodNames) goodNames.clear();
  goodNames.add(service);
  return service;
}

/** Registry and admission. */
export class Handlers {
  readonly #limits: CallLimits;
  readonly #registrations = new Map<string, Registration>();
  readonly #running = new Set<Admission>();
  readonly #byPeer = new Map<string, number>();
  #idle: (() => void) | undefined;
  #draining: DwcpError | undefined;
  handled = 0;
  refused = 0;

  constructor(limits: CallLimits) {
    this.#limits = limits;
  }

  /** Registers a handler. @throws ERR_DWCP_INVALID_ARG when one stands, ERR_DWCP_LIMIT at maxServices. */
  add(service: string, registration: Omit<Registration, 'running'>): void {
    if (typeof registration.fn !== 'function') invalidArg('fn', 'a function', registration.fn);
    if (this.has(service)) invalidArg('service', 'one without a handler yet', service);
    if (this.#registrations.size >= this.#limits.maxServices) {
      throw new DwcpError('ERR_DWCP_LIMIT', `maxServices ${this.#limits.maxServices} is reached`, {
        detail: { limit: 'maxServices' },
      });
    }
    this.#registrations.set(service, { ...registration, running: 0 });
  }

  remove(service: string): void {
    this.#registrations.delete(service);
  }

  has(service: string): boolean {
    return this.#registrations.has(service);
  }

  /** Requests under way. */
  get size(): number {
    return this.#running.size;
  }

  /** Leave to run a request of `peer`, or why not. */
  admit(header: RequestHeader, kind: MethodKind, peer: NodeRef): Admission | Refusal {
    const registration = this.#registrations.get(header.service);
    const refusal = this.#refusal(registration, header, kind, peer);
    if (refusal !== undefined || !registration) {
      this.refused += 1;
      return refusal ?? Refusal.noService;
    }
    return this.#admit(registration, peer.nodeId);
  }

  /** Refuses whatever comes from now on, and tells streams that they should end. */
  drain(reason: DwcpError): void {
    this.#draining = reason;
    for (const admission of Array.from(this.#running)) admission.drain(reason);
  }

  /** Resolves when no handler runs. */
  async idle(): Promise<void> {
    if (this.#running.size === 0) return;
    await new Promise<void>((resolve) => (this.#idle = resolve));
  }

  /** Aborts every running handler. */
  abortAll(reason: DwcpError): void {
    for (const admission of Array.from(this.#running)) admission.abort(reason);
  }

  #refusal(
    registration: Registration | undefined,
    { codec, codecName }: RequestHeader,
    kind: MethodKind,
    { nodeId }: NodeRef,
  ): Refusal | undefined {
    if (this.#draining) return Refusal.draining;
    if (!registration) return Refusal.noService;
    if (registration.kind !== kind) return Refusal.kind;
    if (registration.codec.id !== codec || registration.codec.name !== codecName) {
      return Refusal.codec;
    }
    const { maxHandlersInFlight, maxHandlersPerPeer } = this.#limits;
    const full =
      this.#running.size >= maxHandlersInFlight ||
      registration.running >= registration.maxInFlight ||
      (this.#byPeer.get(nodeId) ?? 0) >= maxHandlersPerPeer;
    return full ? Refusal.overLimit : undefined;
  }

  #admit(registration: Registration, nodeId: string): Admission {
    const admission: Admission = {
      registration,
      abort: () => {},
      drain: () => {},
      release: () => {
        if (!this.#running.delete(admission)) return;
        registration.running -= 1;
        this.handled += 1;
        const left = this.#byPeer.get(nodeId)! - 1;
        if (left === 0) this.#byPeer.delete(nodeId);
        else this.#byPeer.set(nodeId, left);
        if (this.#running.size === 0) this.#idle?.();
      },
    };
    this.#running.add(admission);
    registration.running += 1;
    this.#byPeer.set(nodeId, (this.#byPeer.get(nodeId) ?? 0) + 1);
    return admission;
  }
}
