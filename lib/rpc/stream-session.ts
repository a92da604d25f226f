/**
 * One streaming request being served: admission, the handler, its items both ways, and how it ends. Works over
 * a link's stream and over a local one. Ends in exactly one of: refused, done, error (all told in a message
 * with the half-close), reset. The admission is released when the handler is done, whatever became of the
 * stream.
 */
import type { Clock, Timer } from '../clock.ts';
import { DwcpError, invalidArg, isDwcpError } from '../errors.ts';
import type { CallLimits } from '../limits.ts';
import type { Stream } from '../transport/stream.ts';
import { HandlerContext } from './context.ts';
import type { Admission, Handlers } from './handlers.ts';
import { Inbox } from './inbox.ts';
import { callThrough, streamThrough, type Interceptors } from './interceptors.ts';
import { ItemSender } from './item-sender.ts';
import { LaterItems } from './later-items.ts';
import { errorReply } from './remote-error.ts';
import type { MethodKind, NodeRef } from './types.ts';
import {
  acceptedMessage,
  doneHeader,
  encodeError,
  encodeRefused,
  type Message,
  type Refusal,
} from './wire.ts';
import { StreamKind, type RequestHeader } from './wire-request.ts';

/** What serving streams needs of the node. */
export interface SessionOptions {
  readonly clock: Clock;
  readonly limits: CallLimits;
  readonly handlers: Handlers;
  readonly interceptors: Interceptors;
}

/** The message that opens a stream. */
export interface OpenRequest {
  readonly kind: StreamKind;
  readonly header: RequestHeader;
  readonly payload: Buffer;
}

const kindNames: Readonly<Record<StreamKind, Exclude<MethodKind, 'unary'>>> = {
  [StreamKind.server]: 'serverStream',
  [StreamKind.client]: 'clientStream',
  [StreamKind.duplex]: 'bidiStream',
};

/** Refuses a stream before any work. */
export function refuseStream(stream: Stream, reason: Refusal): void {
  last(stream, encodeRefused(reason, 2));
}

/** Admits and serves a stream; undefined when it was refused. */
export function openSession(
  stream: Stream,
  request: OpenRequest,
  peer: NodeRef,
  options: SessionOptions,
): StreamSession | undefined {
  const admission = options.handlers.admit(request.header, kindNames[request.kind], peer);
  if (typeof admission === 'number') {
    refuseStream(stream, admission);
    return undefined;
  }
  return new StreamSession(stream, request, peer, admission, options);
}

/** A stream whose handler runs. */
export class StreamSession {
  readonly #stream: Stream;
  readonly #request: OpenRequest;
  readonly #admission: Admission;
  readonly #options: SessionOptions;
  readonly #context: HandlerContext;
  readonly #inbox: Inbox;
  readonly #sender: ItemSender;
  readonly #deadline: Timer | undefined;
  #open = true;
  #ending = false;

  constructor(
    stream: Stream,
    request: OpenRequest,
    peer: NodeRef,
    admission: Admission,
    options: SessionOptions,
  ) {
    this.#stream = stream;
    this.#request = request;
    this.#admission = admission;
    this.#options = options;
    this.#context = new HandlerContext(request.header, peer);
    const { codec } = admission.registration;
    this.#inbox = new Inbox({ decode: codec.decode, onGiveUp: () => {} });
    this.#sender = new ItemSender(stream, codec.encode, options.limits.maxPayloadBytes);
    admission.abort = (reason) => this.#abort(reason);
    admission.drain = (reason) => this.#context.abort(reason);
    this.#deadline = this.#armDeadline();
    if (request.kind === StreamKind.server) this.#inbox.end();
    void this.#serve();
  }

  /** Takes a message of the caller. @throws ERR_DWCP_PROTOCOL */
  message(message: Message): void | Promise<void> {
    if (message.type !== 'items' || this.#request.kind === StreamKind.server) {
      throw new DwcpError('ERR_DWCP_PROTOCOL', `unexpected rpc message: ${message.type}`);
    }
    return this.#inbox.push(message.items);
  }

  /** The caller sends no more items. */
  ended(): void {
    this.#inbox.end();
  }

  /** The stream is gone. */
  closed(error: DwcpError | undefined): void {
    if (error === undefined && this.#ending) return;
    this.#stop(
      new DwcpError('ERR_DWCP_ABORTED', 'The caller gave up or is gone.', { cause: error }),
    );
  }

  #armDeadline(): Timer | undefined {
    const { deadlineMs } = this.#request.header;
    if (deadlineMs === 0) return undefined;
    const timer = this.#options.clock.setTimer(
      () => this.#abort(new DwcpError('ERR_DWCP_DEADLINE', 'The caller’s deadline passed.')),
      deadlineMs,
    );
    timer.unref();
    return timer;
  }

  #abort(reason: DwcpError): void {
    if (!this.#open) return;
    this.#stop(reason);
    this.#stream.reset(reason.code, reason.message);
  }

  /** Nothing can be told to the caller any more. */
  #stop(reason: DwcpError): void {
    if (!this.#open) return;
    this.#open = false;
    this.#deadline?.cancel();
    this.#context.abort(reason);
    this.#inbox.abort(reason);
    this.#sender.stop();
  }

  async #serve(): Promise<void> {
    this.#stream.send(acceptedMessage).catch(() => {});
    try {
      const reply = await this.#run();
      this.#ending = true;
      if (this.#open) await this.#sender.finish([doneHeader, reply]);
    } catch (error) {
      if (this.#open) await this.#fail(error);
    } finally {
      this.#deadline?.cancel();
      this.#open = false;
      this.#inbox.abort(new DwcpError('ERR_DWCP_CLOSED', 'The handler is done.'));
      this.#admission.release();
    }
  }

  /** Runs the handler to its end; the payload the stream ends with. */
  async #run(): Promise<Uint8Array> {
    const { fn, codec, kind } = this.#admission.registration;
    const { header, payload } = this.#request;
    const list = this.#options.interceptors.server;
    const request = {
      side: 'server' as const,
      service: header.service,
      kind,
      input: kind === 'serverStream' ? codec.decode(payload) : this.#inbox,
      metadata: this.#context.metadata,
      context: this.#context,
    };
    const handler = (input: unknown): unknown =>
      Reflect.apply(fn, undefined, [input, this.#context]);
    if (kind !== 'clientStream') {
      const items = await (list.every((each) => each.stream === undefined)
        ? handler(request.input)
        : streamThrough(list, request, ({ input }) => new LaterItems(() => handler(input))));
      await this.#sender.run(items);
      return new Uint8Array(0);
    }
    const reply = codec.encode(await callThrough(list, request, ({ input }) => handler(input)));
    const { maxPayloadBytes } = this.#options.limits;
    if (reply.length <= maxPayloadBytes) return reply;
    return invalidArg('reply', `at most maxPayloadBytes ${maxPayloadBytes}`, reply.length);
  }

  async #fail(error: unknown): Promise<void> {
    const { code, text, detail } = errorReply(error);
    this.#ending = true;
    try {
      await this.#sender.finish(encodeError(code, text, detail, 2));
    } catch (cause) {
      const reason = isDwcpError(cause) ? cause.code : 'ERR_DWCP_ABORTED';
      this.#stream.reset(reason, 'the end of the stream could not be sent');
    }
  }
}

function last(stream: Stream, message: Uint8Array): void {
  stream.send(message, { end: true }).catch((error: unknown) => {
    const code = isDwcpError(error) ? error.code : 'ERR_DWCP_ABORTED';
    stream.reset(code, 'the reply could not be sent');
  });
}
