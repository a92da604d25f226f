/**
 * Inbound streams of the rpc channel: a request to execute or a peer's announcements. What does not
 * decode costs at most its stream.
 */
import { DwcpError, isDwcpError } from '../errors.ts';
import type { Link, Links } from '../links/link.ts';
import type { Stream } from '../transport/stream.ts';
import type { Directory } from './directory.ts';
import type { Reply, Server } from './server.ts';
import {
  Refusal,
  decodeMessage,
  encodeError,
  encodeRefused,
  okHeader,
  type Message,
  type WireLimits,
} from './wire.ts';

/** What serving a stream needs. */
export interface InboundOptions {
  readonly links: Links;
  readonly server: Server;
  readonly directory: Directory;
  readonly limits: WireLimits;
  readonly onMalformed: (error: DwcpError) => void;
}

type Request = Extract<Message, { type: 'request' }>;

/** Takes one inbound stream; call it in the turn the stream appears. */
export function serveStream(link: Link, stream: Stream, options: InboundOptions): void {
  let abort: ((reason: DwcpError) => void) | undefined;
  let kind: 'request' | 'announce' | undefined;
  const refuse = (error: DwcpError): void => {
    options.onMalformed(error);
    stream.reset(error.code, error.message);
  };
  // A request ends here and is answered later; an announcer that ends says goodbye.
  stream.onEnd(() => {
    if (kind === 'announce') stream.end();
  });
  stream.onClose((error) => {
    if (kind === 'announce') options.directory.silenced(link, stream);
    abort?.(new DwcpError('ERR_DWCP_ABORTED', 'The caller gave up or is gone.', { cause: error }));
  });
  stream.onMessage((bytes) => {
    const message = decode(bytes, stream, options, refuse);
    if (!message) return;
    const expected = message.type === 'announce' ? kind !== 'request' : kind === undefined;
    if (!expected || (message.type !== 'announce' && message.type !== 'request')) {
      return refuse(new DwcpError('ERR_DWCP_PROTOCOL', `unexpected rpc message: ${message.type}`));
    }
    kind = message.type;
    if (message.type === 'request') abort = serveRequest(link, stream, message, options);
    else if (!options.directory.announced(link, stream, message.services)) {
      refuse(new DwcpError('ERR_DWCP_PROTOCOL', 'second announcement stream'));
    }
  });
}

function decode(
  bytes: Buffer,
  stream: Stream,
  options: InboundOptions,
  refuse: (error: DwcpError) => void,
): Message | undefined {
  try {
    return decodeMessage(bytes, options.limits);
  } catch (error) {
    if (!(error instanceof DwcpError)) throw error;
    if (isDwcpError(error, 'ERR_DWCP_LIMIT')) {
      options.onMalformed(error);
      answer(stream, { type: 'refused', reason: Refusal.tooLarge });
    } else refuse(error);
    return undefined;
  }
}

function serveRequest(
  link: Link,
  stream: Stream,
  request: Request,
  options: InboundOptions,
): ((reason: DwcpError) => void) | undefined {
  const { header, payload } = request;
  if (!options.links.authorize(link, 'call', header.service)) {
    answer(stream, { type: 'refused', reason: Refusal.unauthorized });
    return undefined;
  }
  const { nodeId, region } = link.peer;
  const peer = { nodeId, region };
  if (header.oneWay) {
    stream.end();
    // Nobody waits for it, so nothing aborts it but its deadline.
    options.server.execute({ header, payload, peer, reply: () => {} });
    return undefined;
  }
  return options.server.execute({ header, payload, peer, reply: (reply) => answer(stream, reply) });
}

function answer(stream: Stream, reply: Reply): void {
  if (reply.type === 'expired') return stream.reset('ERR_DWCP_DEADLINE', 'not answered in time');
  stream.send(encodeReply(reply), { end: true }).catch((error: unknown) => {
    const code = error instanceof DwcpError ? error.code : 'ERR_DWCP_ABORTED';
    stream.reset(code, 'the reply could not be sent');
  });
}

function encodeReply(
  reply: Exclude<Reply, { type: 'expired' }>,
): Uint8Array | readonly Uint8Array[] {
  if (reply.type === 'ok') return [okHeader, reply.payload];
  if (reply.type === 'error') return encodeError(reply.code, reply.text);
  return encodeRefused(reply.reason);
}
