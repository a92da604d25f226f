/**
 * One attempt to run a stream on one endpoint, over a link or on this node itself: sends the opening message,
 * reads the peer's messages, and tells its owner what they mean. After `cancel` it tells nothing more.
 */
import { DwcpError, isDwcpError } from '../errors.ts';
import { Channel, type Link } from '../links/link.ts';
import type { Stream } from '../transport/stream.ts';
import { versionFor } from './attempt.ts';
import { tooOldError } from './failures.ts';
import type { BatchReader } from './item-batch.ts';
import type { ErrorReply } from './remote-error.ts';
import { decodeMessage, type Refusal, type WireLimits } from './wire.ts';
import { encodeOpen, StreamKind, type HeaderFields } from './wire-request.ts';

/** What an attempt tells its owner. */
export interface AttemptOwner {
  onAccepted(): void;
  onRefused(reason: Refusal): void;
  onItems(items: BatchReader): void | Promise<void>;
  onDone(payload: Buffer): void;
  onError(error: ErrorReply): void;
  /** The stream is over without any of these; `sent: false` promises that the peer did not begin. */
  onLost(error: DwcpError, sent: boolean): void;
}

/** Opens the stream of an attempt. @throws ERR_DWCP_LINK_DOWN, ERR_DWCP_FRAME_VERSION */
export function openOn(link: Link, service: string): Stream {
  if (versionFor(link) < 2) throw tooOldError(service, link.peer.nodeId);
  return link.open(Channel.rpc);
}

/** See the file header. */
export class StreamAttempt {
  readonly stream: Stream;
  readonly #kind: StreamKind;
  readonly #limits: WireLimits;
  readonly #owner: AttemptOwner;
  readonly #sent: Promise<boolean>;
  #live = true;
  #accepted = false;

  constructor(
    stream: Stream,
    request: {
      readonly kind: StreamKind;
      readonly header: HeaderFields;
      readonly payload: Uint8Array;
    },
    limits: WireLimits,
    owner: AttemptOwner,
  ) {
    const { kind, header, payload } = request;
    this.stream = stream;
    this.#kind = kind;
    this.#limits = limits;
    this.#owner = owner;
    stream.onMessage((bytes) => this.#message(bytes));
    stream.onEnd(() => this.#lost(undefined));
    stream.onClose((error) => this.#lost(error));
    this.#sent = stream
      .send([encodeOpen(kind, header), payload], { end: kind === StreamKind.server })
      .then(
        () => true,
        (error: unknown) => {
          const lost = isDwcpError(error) ? error : protocol(String(error));
          this.#finish(() => owner.onLost(lost, false));
          return false;
        },
      );
  }

  /** Ends it without a word to the owner; the handler's signal fires. */
  cancel(error: DwcpError): void {
    this.#live = false;
    this.stream.reset(error.code, error.message);
  }

  #finish(tell: () => void): void {
    if (!this.#live) return;
    this.#live = false;
    tell();
  }

  #message(bytes: Buffer): void | Promise<void> {
    if (!this.#live) return undefined;
    try {
      return this.#read(bytes);
    } catch (error) {
      if (!isDwcpError(error)) throw error;
      this.#finish(() => this.#owner.onLost(error, true));
      this.stream.reset(error.code, error.message);
      return undefined;
    }
  }

  #read(bytes: Buffer): void | Promise<void> {
    const message = decodeMessage(bytes, this.#limits);
    switch (message.type) {
      case 'items':
        if (!this.#accepted || this.#kind === StreamKind.client) break;
        return this.#owner.onItems(message.items);
      case 'accepted':
        if (this.#accepted) break;
        this.#accepted = true;
        return this.#owner.onAccepted();
      case 'refused':
        if (this.#accepted) break;
        this.stream.end();
        return this.#finish(() => this.#owner.onRefused(message.reason));
      case 'done':
        if (!this.#accepted) break;
        if (message.payload.length > 0 && this.#kind !== StreamKind.client) break;
        return this.#finish(() => this.#owner.onDone(message.payload));
      case 'error':
        return this.#finish(() => this.#owner.onError(message));
      default:
    }
    throw protocol(`unexpected rpc message: ${message.type}`);
  }

  #lost(cause: DwcpError | undefined): void {
    if (!this.#live) return;
    const error = cause ?? protocol('the peer ended the stream without saying how');
    if (this.#accepted) this.#finish(() => this.#owner.onLost(error, true));
    else void this.#lostOnceSettled(error);
  }

  async #lostOnceSettled(error: DwcpError): Promise<void> {
    const sent = await this.#sent;
    this.#finish(() => this.#owner.onLost(error, sent));
  }
}

function protocol(text: string): DwcpError {
  return new DwcpError('ERR_DWCP_PROTOCOL', text);
}
