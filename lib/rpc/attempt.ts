/**
 * One attempt of a call on one endpoint: over a link, or on this node itself. Reports exactly one
 * outcome unless cancelled first. `sent: false` is a promise that the peer cannot have executed it.
 */
import { DwcpError, isDwcpError } from '../errors.ts';
import { Channel, type Link } from '../links/link.ts';
import type { Priority } from '../transport/frame-pipe.ts';
import type { Stream } from '../transport/stream.ts';
import type { Reply, Server } from './server.ts';
import type { NodeRef } from './types.ts';
import { decodeMessage, encodeRequestHeader, type RequestHeader, type WireLimits } from './wire.ts';

/** How an attempt ended. */
export type Outcome =
  Reply | { readonly type: 'lost'; readonly error: DwcpError; readonly sent: boolean };

/** An attempt under way. */
export interface Attempt {
  /** Ends it without an outcome; the handler's signal fires. */
  cancel(): void;
}

const rpcPriority: Priority = 1;

/** Opens a stream and sends the request. @throws ERR_DWCP_LINK_DOWN when the link takes no streams. */
export function attemptRemote(
  link: Link,
  header: RequestHeader,
  payload: Uint8Array,
  limits: WireLimits,
  done: (outcome: Outcome) => void,
): Attempt {
  return new RemoteAttempt(link.open(Channel.rpc), header, payload, limits, done);
}

class RemoteAttempt implements Attempt {
  readonly #stream: Stream;
  readonly #header: RequestHeader;
  readonly #limits: WireLimits;
  #done: ((outcome: Outcome) => void) | undefined;
  /** Settles with whether the whole request was handed to the pipe. */
  readonly #sent: Promise<boolean>;

  constructor(
    stream: Stream,
    header: RequestHeader,
    payload: Uint8Array,
    limits: WireLimits,
    done: (outcome: Outcome) => void,
  ) {
    this.#stream = stream;
    this.#header = header;
    this.#limits = limits;
    this.#done = done;
    stream.onMessage((bytes) => this.#message(bytes));
    stream.onEnd(() => this.#lost(protocolError('the peer ended the stream without a reply')));
    stream.onClose((error) => this.#lost(error ?? protocolError('no reply')));
    this.#sent = stream
      .send([encodeRequestHeader(header), payload], { end: true, priority: rpcPriority })
      .then(
        () => this.#handedOver(),
        (error: unknown) => this.#notSent(error),
      );
  }

  cancel(): void {
    this.#done = undefined;
    this.#stream.reset('ERR_DWCP_ABORTED', 'cancelled by the caller');
  }

  #finish(outcome: Outcome): void {
    const done = this.#done;
    this.#done = undefined;
    done?.(outcome);
  }

  #handedOver(): boolean {
    if (this.#header.oneWay) this.#finish({ type: 'ok', payload: new Uint8Array(0) });
    return true;
  }

  #notSent(cause: unknown): boolean {
    const error = cause instanceof DwcpError ? cause : protocolError(String(cause));
    this.#finish({ type: 'lost', error, sent: false });
    this.#stream.reset('ERR_DWCP_ABORTED', 'the request could not be sent');
    return false;
  }

  #message(bytes: Buffer): void {
    if (!this.#done) return;
    try {
      const message = decodeMessage(bytes, this.#limits);
      if (message.type === 'request' || message.type === 'announce') {
        throw protocolError(`unexpected rpc message: ${message.type}`);
      }
      this.#finish(message);
    } catch (error) {
      if (!(error instanceof DwcpError)) throw error;
      this.#finish({ type: 'lost', error, sent: true });
      this.#stream.reset(error.code, error.message);
    }
  }

  /**
   * Without a reply. An idempotent call moves on in this very turn; any other first learns whether the
   * request had left, which the settled send tells for certain.
   */
  #lost(error: DwcpError): void {
    if (!this.#done) return;
    const peerExpired =
      error.code === 'ERR_DWCP_STREAM_RESET' && isDwcpError(error.cause, 'ERR_DWCP_DEADLINE');
    if (peerExpired) return this.#finish({ type: 'expired' });
    if (this.#header.idempotent) this.#finish({ type: 'lost', error, sent: true });
    else void this.#lostOnceSettled(error);
  }

  async #lostOnceSettled(error: DwcpError): Promise<void> {
    const sent = await this.#sent;
    this.#finish({ type: 'lost', error, sent });
  }
}

/** Runs the request on this node's own handler, with a copy of the payload as over a link. */
export function attemptLocal(
  server: Server,
  self: NodeRef,
  header: RequestHeader,
  payload: Uint8Array,
  done: (outcome: Outcome) => void,
): Attempt {
  let cancelled = false;
  let abort: ((reason: DwcpError) => void) | undefined;
  const copy = Buffer.from(payload);
  queueMicrotask(() => {
    if (cancelled) return;
    const reply = header.oneWay ? (): void => {} : done;
    abort = server.execute({ header, payload: copy, peer: self, reply });
    if (header.oneWay) done({ type: 'ok', payload: new Uint8Array(0) });
  });
  return {
    cancel: () => {
      cancelled = true;
      abort?.(new DwcpError('ERR_DWCP_ABORTED', 'The caller gave up.'));
    },
  };
}

function protocolError(text: string): DwcpError {
  return new DwcpError('ERR_DWCP_PROTOCOL', text);
}
