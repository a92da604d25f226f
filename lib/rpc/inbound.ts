/**
 * Inbound streams of the rpc channel: a request to execute, a stream to serve, or a peer's announcements. What
 * does not decode costs at most its stream.
 */
import { DwcpError, isDwcpError } from '../errors.ts';
import type { Link, Links } from '../links/link.ts';
import type { SendOptions, Stream } from '../transport/stream.ts';
import type { Directory } from './directory.ts';
import type { Reply, Server } from './server.ts';
import {
  openSession,
  refuseStream,
  type SessionOptions,
  type StreamSession,
} from './stream-session.ts';
import {
  Refusal,
  decodeMessage,
  encodeError,
  encodeRefused,
  okHeader,
  type Message,
  type WireLimits,
} from './wire.ts';
import type { RpcVersion } from './wire-request.ts';

/** What serving inbound streams needs. */
export interface InboundOptions {
  readonly links: Links;
  readonly server: Server;
  readonly sessions: SessionOptions;
  readonly directory: Directory;
  readonly limits: WireLimits;
  readonly onMalformed: (error: DwcpError) => void;
}

type Request = Extract<Message, { type: 'request' }>;
type Open = Extract<Message, { type: 'open' }>;

/** Takes one inbound stream; call it in the turn the stream appears. */
export function serveStream(link: Link, stream: Stream, options: InboundOptions): void {
  const inbound = new InboundStream(link, stream, options);
  // A request ends here and is answered later; an announcer that ends says goodbye.
  stream.onEnd(() => inbound.ended());
  stream.onClose((error) => inbound.closed(error));
  stream.onMessage((bytes) => inbound.message(bytes));
}

class InboundStream {
  readonly #link: Link;
  readonly #stream: Stream;
  readonly #options: InboundOptions;
  #kind: 'request' | 'announce' | 'open' | undefined;
  #abort: ((reason: DwcpError) => void) | undefined;
  #session: StreamSession | undefined;
  #answered = false;

  constructor(link: Link, stream: Stream, options: InboundOptions) {
    this.#link = link;
    this.#stream = stream;
    this.#options = options;
  }

  ended(): void {
    if (this.#kind === 'announce') this.#stream.end();
    this.#session?.ended();
  }

  closed(cause: DwcpError | undefined): void {
    if (this.#kind === 'announce') this.#options.directory.silenced(this.#link, this.#stream);
    this.#session?.closed(cause);
    if (this.#answered || !this.#abort) return;
    this.#abort(new DwcpError('ERR_DWCP_ABORTED', 'The caller gave up or is gone.', { cause }));
  }

  message(bytes: Buffer): void | Promise<void> {
    try {
      const message = decodeMessage(bytes, this.#options.limits);
      if (this.#session) return this.#session.message(message);
      // What was sent before the refusal came back.
      if (this.#kind === 'open' && message.type === 'items') return undefined;
      return this.#first(message);
    } catch (error) {
      if (!(error instanceof DwcpError)) throw error;
      this.#options.onMalformed(error);
      // In place of the reply, if none was begun: the caller learns which limit it was.
      if (isDwcpError(error, 'ERR_DWCP_LIMIT') && this.#kind === undefined) {
        const version = bytes[0] === 2 ? 2 : 1;
        answer(this.#stream, { type: 'refused', reason: Refusal.tooLarge }, version);
      } else this.#stream.reset(error.code, error.message);
      return undefined;
    }
  }

  #first(message: Message): void {
    const again = this.#kind !== undefined;
    const announcement = message.type === 'announce';
    const opens = announcement || message.type === 'request' || message.type === 'open';
    if (!opens || (again && !(announcement && this.#kind === 'announce'))) {
      throw new DwcpError('ERR_DWCP_PROTOCOL', `unexpected rpc message: ${message.type}`);
    }
    this.#kind = message.type;
    if (message.type === 'request') this.#abort = this.#request(message);
    else if (message.type === 'open') this.#session = this.#open(message);
    else if (!this.#options.directory.announced(this.#link, this.#stream, message.services)) {
      throw new DwcpError('ERR_DWCP_PROTOCOL', 'second announcement stream');
    }
  }

  #open(request: Open): StreamSession | undefined {
    if (!this.#options.links.authorize(this.#link, 'call', request.header.service)) {
      refuseStream(this.#stream, Refusal.unauthorized);
      return undefined;
    }
    const { nodeId, region } = this.#link.peer;
    return openSession(this.#stream, request, { nodeId, region }, this.#options.sessions);
  }

  #request({ version, header, payload }: Request): ((reason: DwcpError) => void) | undefined {
    const stream = this.#stream;
    if (!this.#options.links.authorize(this.#link, 'call', header.service)) {
      answer(stream, { type: 'refused', reason: Refusal.unauthorized }, version);
      return undefined;
    }
    const { nodeId, region } = this.#link.peer;
    const peer = { nodeId, region };
    const { server } = this.#options;
    if (header.oneWay) {
      stream.end();
      // Nobody waits for it, so nothing aborts it but its deadline.
      server.execute({ header, payload, peer, reply: () => {} });
      return undefined;
    }
    return server.execute({
      header,
      payload,
      peer,
      reply: (reply) => {
        this.#answered = true;
        answer(stream, reply, version);
      },
    });
  }
}

function answer(stream: Stream, reply: Reply, version: RpcVersion): void {
  if (reply.type === 'expired') return stream.reset('ERR_DWCP_DEADLINE', 'not answered in time');
  stream.post(encodeReply(reply, version), lastMessage, (error) => {
    if (error) stream.reset(error.code, 'the reply could not be sent');
  });
}

const lastMessage: SendOptions = { end: true };

function encodeReply(
  reply: Exclude<Reply, { type: 'expired' }>,
  version: RpcVersion,
): Uint8Array | readonly Uint8Array[] {
  if (reply.type === 'ok') return [okHeader(version), reply.payload];
  if (reply.type === 'error') return encodeError(reply.code, reply.text, reply.detail, version);
  return encodeRefused(reply.reason, version);
}
