/**
 * One attempt of a call on one endpoint: over a link, or on this node itself. Reports exactly one
 * outcome unless cancelled first. `sent: false` is a promise that the peer cannot have executed it.
 */
import { DwcpError, isDwcpError } from '../errors.ts';
import { Channel, type Link } from '../links/link.ts';
import type { SendOptions, Stream } from '../transport/stream.ts';
import { tooOldError } from './failures.ts';
import { readMetadata } from './metadata.ts';
import { Reader } from './reader.ts';
import type { Reply, Server } from './server.ts';
import type { NodeRef } from './types.ts';
import { decodeMessage, type WireLimits } from './wire.ts';
import {
  encodeRequestHeader,
  needsVersion2,
  type HeaderFields,
  type RequestHeader,
  type RpcVersion,
} from './wire-request.ts';

/** How an attempt ended. */
export type Outcome =
  Reply | { readonly type: 'lost'; readonly error: DwcpError; readonly sent: boolean };

/** An attempt under way. */
export interface Attempt {
  /** Ends it without an outcome; the handler's signal fires. */
  cancel(): void;
}

const requestOptions: SendOptions = { end: true, priority: 1 };

/** What this build writes to a peer. */
export function versionFor(link: Link): RpcVersion {
  return link.peer.wireMax >= 2 ? 2 : 1;
}

/**
 * Opens a stream and sends the request.
 * @throws ERR_DWCP_LINK_DOWN when the link takes no streams, ERR_DWCP_FRAME_VERSION when the peer is too old
 */
export function attemptRemote(
  link: Link,
  header: HeaderFields,
  payload: Uint8Array,
  limits: WireLimits,
  done: (outcome: Outcome) => void,
): Attempt {
  const version = versionFor(link);
  if (version === 1 && needsVersion2(header)) {
    throw tooOldError(header.service, link.peer.nodeId);
  }
  const head = encodeRequestHeader(header, version);
  return new RemoteAttempt(link.open(Channel.rpc), header, [head, payload], limits, done);
}

class RemoteAttempt implements Attempt {
  readonly #stream: Stream;
  readonly #header: HeaderFields;
  readonly #limits: WireLimits;
  #done: ((outcome: Outcome) => void) | undefined;
  /** Whether the whole request was handed to the pipe; undefined while that is open. */
  #sent: boolean | undefined;
  /** How the attempt ended, when that came before it was known whether the request had left. */
  #lostEarly: DwcpError | undefined;

  constructor(
    stream: Stream,
    header: HeaderFields,
    message: readonly Uint8Array[],
    limits: WireLimits,
    done: (outcome: Outcome) => void,
  ) {
    this.#stream = stream;
    this.#header = header;
    this.#limits = limits;
    this.#done = done;
    stream.onMessage((bytes) => this.#message(bytes));
    stream.onEnd(() => this.#lost(undefined));
    stream.onClose((error) => this.#lost(error));
    stream.post(message, requestOptions, (error) => {
      if (error) this.#notSent(error);
      else this.#handedOver();
    });
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

  #handedOver(): void {
    this.#sent = true;
    if (this.#header.oneWay) this.#finish({ type: 'ok', payload: new Uint8Array(0) });
    if (this.#lostEarly) this.#finish({ type: 'lost', error: this.#lostEarly, sent: true });
  }

  #notSent(error: DwcpError): void {
    this.#sent = false;
    this.#finish({ type: 'lost', error: this.#lostEarly ?? error, sent: false });
    this.#stream.reset('ERR_DWCP_ABORTED', 'the request could not be sent');
  }

  #message(bytes: Buffer): void {
    if (!this.#done) return;
    try {
      const message = decodeMessage(bytes, this.#limits);
      if (message.type !== 'ok' && message.type !== 'error' && message.type !== 'refused') {
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
  #lost(cause: DwcpError | undefined): void {
    if (!this.#done) return;
    const error = cause ?? protocolError('the peer ended the stream without a reply');
    const peerExpired =
      error.code === 'ERR_DWCP_STREAM_RESET' && isDwcpError(error.cause, 'ERR_DWCP_DEADLINE');
    if (peerExpired) return this.#finish({ type: 'expired' });
    if (this.#header.idempotent) this.#finish({ type: 'lost', error, sent: true });
    else if (this.#sent === undefined) this.#lostEarly = error;
    else this.#finish({ type: 'lost', error, sent: this.#sent });
  }
}

/** Runs the request on this node's own handler, with a copy of the payload as over a link. */
export function attemptLocal(
  server: Server,
  self: NodeRef,
  fields: HeaderFields,
  payload: Uint8Array,
  done: (outcome: Outcome) => void,
): Attempt {
  const header = localHeader(fields);
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

/** A header as its own node would read it. */
export function localHeader(fields: HeaderFields): RequestHeader {
  const { metadata } = fields;
  return { ...fields, metadata: metadata && readMetadata(new Reader(metadata)) };
}

function protocolError(text: string): DwcpError {
  return new DwcpError('ERR_DWCP_PROTOCOL', text);
}
