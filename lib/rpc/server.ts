/**
 * Runs unary requests: what the handler returns or throws becomes the one reply. Used alike for requests
 * from the wire and from this node itself.
 */
import type { Clock } from '../clock.ts';
import { DwcpError } from '../errors.ts';
import type { CallLimits } from '../limits.ts';
import { HandlerContext } from './context.ts';
import type { Admission, Handlers } from './handlers.ts';
import { callThrough, type InterceptedRequest, type Interceptors } from './interceptors.ts';
import { errorReply, type ErrorReply } from './remote-error.ts';
import type { NodeRef } from './types.ts';
import type { Refusal } from './wire.ts';
import type { RequestHeader } from './wire-request.ts';

/** What came of a request. */
export type Reply =
  | { readonly type: 'ok'; readonly payload: Uint8Array }
  | ErrorReply
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

/** What a server is made of. */
export interface ServerOptions {
  readonly clock: Clock;
  readonly limits: CallLimits;
  readonly handlers: Handlers;
  readonly interceptors: Interceptors;
}

/** The unary side of a node's handlers. */
export class Server {
  readonly #options: ServerOptions;

  constructor(options: ServerOptions) {
    this.#options = options;
  }

  /** Runs a request. The function returned aborts it: the signal fires and the reply is dropped. */
  execute(execution: Execution): (reason: DwcpError) => void {
    const { header, peer, reply } = execution;
    const admission = this.#options.handlers.admit(header, 'unary', peer);
    if (typeof admission !== 'number') return this.#start(admission, execution);
    reply({ type: 'refused', reason: admission });
    return () => {};
  }

  #start(admission: Admission, execution: Execution): (reason: DwcpError) => void {
    const { header, peer } = execution;
    const context = new HandlerContext(header, peer);
    let open = true;
    const abort = (reason: DwcpError): void => {
      open = false;
      context.abort(reason);
    };
    admission.abort = abort;
    const timer = this.#options.clock.setTimer(() => {
      if (open) execution.reply({ type: 'expired' });
      abort(new DwcpError('ERR_DWCP_DEADLINE', 'The caller’s deadline passed.'));
    }, header.deadlineMs);
    timer.unref();
    const finish = async (): Promise<void> => {
      const reply = await this.#run(admission, execution.payload, context);
      timer.cancel();
      if (open) execution.reply(reply);
      admission.release();
    };
    void finish();
    return abort;
  }

  async #run(
    { registration: { fn, codec } }: Admission,
    payload: Buffer,
    context: HandlerContext,
  ): Promise<Reply> {
    try {
      const input = codec.decode(payload);
      const run = (value: unknown): unknown => Reflect.apply(fn, undefined, [value, context]);
      const list = this.#options.interceptors.server;
      const value = await (list.length === 0
        ? run(input)
        : callThrough(list, seen(context, input), (request) => run(request.input)));
      const bytes = codec.encode(value);
      const { maxPayloadBytes } = this.#options.limits;
      if (bytes.length <= maxPayloadBytes) return { type: 'ok', payload: bytes };
      const text = `the reply of ${bytes.length} bytes passes maxPayloadBytes ${maxPayloadBytes}`;
      return errorReply(new DwcpError('ERR_DWCP_LIMIT', text));
    } catch (error) {
      return errorReply(error);
    }
  }
}

function seen(context: HandlerContext, input: unknown): InterceptedRequest {
  const { service, metadata } = context;
  return { side: 'server', service, kind: 'unary', input, metadata, context };
}
