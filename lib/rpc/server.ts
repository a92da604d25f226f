/**
 * The handler side: admits requests within limits, runs handlers, turns what they return or throw into
 * a reply. Used alike for requests from the wire and from this node itself. A refusal always comes
 * before the handler runs, so a refused call was certainly not executed.
 */
import type { Clock } from '../clock.ts';
import { DwcpError, invalidArg } from '../errors.ts';
import type { CallLimits } from '../limits.ts';
import { decodePayload, encodePayload } from './payload.ts';
import type { CallContext, NodeRef } from './types.ts';
import { Refusal, wireBounds, type PayloadCodec, type RequestHeader } from './wire.ts';

/** What came of a request. */
export type Reply =
  | { readonly type: 'ok'; readonly payload: Uint8Array }
  | { readonly type: 'error'; readonly code: string; readonly text: string }
  | { readonly type: 'refused'; readonly reason: Refusal }
  /** The caller's deadline passed here first; whatever the handler does now is not sent. */
  | { readonly type: 'expired' };

/** A request to execute. */
export interface Execution {
  readonly header: RequestHeader;
  readonly payload: Buffer;
  readonly peer: NodeRef;
  /** Gets the one reply; not called after `abort`. */
  readonly reply: (reply: Reply) => void;
}

/** A handler of either codec; the codec it was registered with decides what it is given. */
export type AnyHandler = (payload: never, context: CallContext) => unknown;

interface Registration {
  readonly fn: AnyHandler;
  readonly codec: PayloadCodec;
}

/** Checks a service name: well-formed text of 1 to 255 bytes. @throws ERR_DWCP_INVALID_ARG */
export function checkServiceName(service: unknown): string {
  if (typeof service !== 'string') return invalidArg('service', 'a string', service);
  const bytes = Buffer.from(service);
  const fits = bytes.length >= 1 && bytes.length <= wireBounds.serviceBytes;
  if (!fits || bytes.toString() !== service) {
    return invalidArg('service', '1 to 255 bytes of well-formed text', service);
  }
  return service;
}

/** A handler's context; its AbortController is made only if the handler asks for the signal. */
class Context implements CallContext {
  readonly deadlineMs: number;
  readonly peer: NodeRef;
  readonly service: string;
  readonly key: string | undefined;
  #controller: AbortController | undefined;
  #reason: DwcpError | undefined;

  constructor({ header, peer }: Execution) {
    this.deadlineMs = header.deadlineMs;
    this.service = header.service;
    this.key = header.key;
    this.peer = peer;
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#reason) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  abort(reason: DwcpError): void {
    this.#reason ??= reason;
    this.#controller?.abort(this.#reason);
  }
}

/** The handlers of one node. */
export class Server {
  readonly #clock: Clock;
  readonly #limits: CallLimits;
  readonly #handlers = new Map<string, Registration>();
  readonly #running = new Set<(reason: DwcpError) => void>();
  #idle: (() => void) | undefined;
  draining = false;
  handled = 0;
  refused = 0;

  constructor(clock: Clock, limits: CallLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Registers a handler. @throws ERR_DWCP_INVALID_ARG when one stands, ERR_DWCP_LIMIT at maxServices. */
  handle(service: string, fn: AnyHandler, codec: PayloadCodec): void {
    if (typeof fn !== 'function') invalidArg('fn', 'a function', fn);
    if (this.#handlers.has(service)) invalidArg('service', 'one without a handler yet', service);
    if (this.#handlers.size >= this.#limits.maxServices) {
      throw new DwcpError('ERR_DWCP_LIMIT', `maxServices ${this.#limits.maxServices} is reached`, {
        detail: { limit: 'maxServices' },
      });
    }
    this.#handlers.set(service, { fn, codec });
  }

  unhandle(service: string): void {
    this.#handlers.delete(service);
  }

  has(service: string): boolean {
    return this.#handlers.has(service);
  }

  get handling(): number {
    return this.#running.size;
  }

  /** Runs a request. The function returned aborts it: the signal fires and the reply is dropped. */
  execute(execution: Execution): (reason: DwcpError) => void {
    const handler = this.#handlers.get(execution.header.service);
    const reason = this.#refusal(handler, execution.header);
    if (reason !== undefined || !handler) {
      this.refused += 1;
      execution.reply({ type: 'refused', reason: reason ?? Refusal.noService });
      return () => {};
    }
    return this.#start(handler, execution);
  }

  /** Resolves when no handler runs. */
  async idle(): Promise<void> {
    if (this.#running.size === 0) return;
    await new Promise<void>((resolve) => (this.#idle = resolve));
  }

  /** Aborts every running handler. */
  abortAll(reason: DwcpError): void {
    for (const abort of this.#running) abort(reason);
  }

  #refusal(handler: Registration | undefined, header: RequestHeader): Refusal | undefined {
    if (this.draining) return Refusal.draining;
    if (!handler) return Refusal.noService;
    if (handler.codec !== header.codec) return Refusal.codec;
    if (this.#running.size >= this.#limits.maxHandlersInFlight) return Refusal.overLimit;
    return undefined;
  }

  #start(handler: Registration, execution: Execution): (reason: DwcpError) => void {
    const context = new Context(execution);
    let open = true;
    const abort = (reason: DwcpError): void => {
      open = false;
      context.abort(reason);
    };
    this.#running.add(abort);
    const timer = this.#clock.setTimer(() => {
      if (open) execution.reply({ type: 'expired' });
      abort(new DwcpError('ERR_DWCP_DEADLINE', 'The caller’s deadline passed.'));
    }, execution.header.deadlineMs);
    timer.unref();
    const finish = async (): Promise<void> => {
      const reply = await this.#run(handler, execution.payload, context);
      timer.cancel();
      this.handled += 1;
      this.#running.delete(abort);
      if (open) execution.reply(reply);
      if (this.#running.size === 0) this.#idle?.();
    };
    void finish();
    return abort;
  }

  async #run(handler: Registration, payload: Buffer, context: Context): Promise<Reply> {
    try {
      const value: unknown = await Reflect.apply(handler.fn, undefined, [
        decodePayload(handler.codec, payload),
        context,
      ]);
      const bytes = encodePayload(handler.codec, value);
      const { maxPayloadBytes } = this.#limits;
      if (bytes.length <= maxPayloadBytes) return { type: 'ok', payload: bytes };
      const text = `the reply of ${bytes.length} bytes passes maxPayloadBytes ${maxPayloadBytes}`;
      return { type: 'error', code: 'ERR_DWCP_LIMIT', text };
    } catch (error) {
      return errorReply(error);
    }
  }
}

/** A handler may throw anything, also what cannot be made a text: telling of it must not throw again. */
function errorReply(error: unknown): Reply {
  try {
    if (!(error instanceof Error)) return { type: 'error', code: '', text: String(error) };
    const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
    const message: unknown = error.message;
    return { type: 'error', code, text: String(message) };
  } catch {
    return { type: 'error', code: '', text: 'the handler threw something that has no text' };
  }
}
