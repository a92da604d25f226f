/**
 * The handshake over a fresh pipe: the dialer says Hello, the acceptor answers with its own, and each side
 * tells a verdict once it has checked the other. The link is up when both said "accepted". Of two nodes the
 * one with the smaller id is the arbiter: it alone decides which of several pipes between them is the link,
 * so simultaneous dials end in one link and no stream is ever opened on a pipe that loses. The deadline
 * covers the whole exchange.
 */
import type { Clock, Timer } from '../clock.ts';
import { DwcpError, isDwcpError } from '../errors.ts';
import type { FramePipe } from '../transport/frame-pipe.ts';
import { checkHello, isSelf } from './check-hello.ts';
import { HandoverPipe } from './handover-pipe.ts';
import { encodeHello, parseObject, readHello, readToken } from './hello.ts';
import type { Hello } from './link.ts';
import { encodeVerdict, readVerdict } from './verdict.ts';
import type { Verdict } from './verdict.ts';

/** How a handshake ended. */
export type HandshakeOutcome =
  /** `token` is the one this side offered. */
  | {
      readonly kind: 'up';
      readonly pipe: HandoverPipe;
      readonly peer: Hello;
      readonly token: string | undefined;
    }
  /** One more socket of a link. The owner answers it. */
  | { readonly kind: 'join'; readonly pipe: HandoverPipe; readonly token: string }
  | { readonly kind: 'duplicate'; readonly peer: Hello | undefined }
  | { readonly kind: 'self' }
  /** `byPeer` tells who refused. */
  | { readonly kind: 'refused'; readonly error: DwcpError; readonly byPeer: boolean };

/** What a handshake needs from its surroundings. */
export interface HandshakeOptions {
  readonly role: 'dialer' | 'acceptor';
  readonly self: Hello;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly requireSecure: boolean;
  /** The user's word on the peer. */
  permit(peer: Hello, pipe: FramePipe): boolean;
  /** Asked of the arbiter only: is this pipe to become the link? Throws to refuse. */
  arbitrate(peer: Hello, handshake: Handshake): 'accepted' | 'duplicate';
  /** Called exactly once, synchronously with the deciding frame. */
  onOutcome(outcome: HandshakeOutcome, handshake: Handshake): void;
}

/** One handshake under way. The constructor throws, and leaves the pipe alone, if our Hello is wrong. */
export class Handshake {
  readonly #options: HandshakeOptions;
  readonly #pipe: HandoverPipe;
  readonly #deadline: Timer;
  readonly #hello: Buffer;
  #peer: Hello | undefined;
  #ended = false;
  #accepted = false;

  constructor(pipe: FramePipe, options: HandshakeOptions) {
    this.#options = options;
    this.#hello = encodeHello(options.self);
    this.#pipe = new HandoverPipe(pipe, {
      onPayload: (payload) => this.#onPayload(payload),
      onClose: (error) => this.#onClose(error),
    });
    this.#deadline = options.clock.setTimer(() => this.#expire(), options.timeoutMs);
    this.#pipe.begin();
    if (options.role === 'dialer') this.#send(this.#hello);
  }

  /** Gives up: `error` is told to the peer and to the owner. */
  abort(error: DwcpError): void {
    this.#refuse(error);
  }

  /** Drops the pipe at once, to shed load; the peer learns nothing. */
  drop(error: DwcpError): void {
    if (this.#ended) return;
    this.#end({ kind: 'refused', error, byPeer: false });
    this.#pipe.destroy(error);
  }

  #expire(): void {
    const { timeoutMs } = this.#options;
    this.#refuse(new DwcpError('ERR_DWCP_DEADLINE', `no handshake within ${timeoutMs} ms`));
  }

  #send(...payloads: readonly Uint8Array[]): void {
    this.#pipe.sendHello(...payloads);
  }

  #onPayload(payload: Uint8Array): void {
    if (this.#ended) return;
    try {
      const raw = parseObject(payload);
      if ('join' in raw) this.#onJoin(readToken(raw['join'], 'join'));
      else if ('verdict' in raw) this.#onVerdict(readVerdict(raw));
      else if (this.#peer === undefined) this.#onHello(readHello(raw));
      else throw new DwcpError('ERR_DWCP_HANDSHAKE', 'a second Hello');
    } catch (error) {
      if (!isDwcpError(error)) throw error;
      this.#refuse(error);
    }
  }

  #onJoin(token: string): void {
    if (this.#options.role !== 'acceptor' || this.#peer) {
      throw new DwcpError('ERR_DWCP_HANDSHAKE', 'a join where a Hello was due');
    }
    if (this.#options.requireSecure && !this.#pipe.secure) {
      throw new DwcpError('ERR_DWCP_PLAINTEXT_REFUSED', 'this node takes secured links only');
    }
    this.#end({ kind: 'join', pipe: this.#pipe, token });
  }

  #onHello(peer: Hello): void {
    const { role, self, requireSecure } = this.#options;
    const own = role === 'acceptor' ? [this.#hello] : [];
    if (isSelf(self, peer)) {
      this.#send(encodeVerdict({ verdict: 'self' }));
      return this.#end({ kind: 'self' }, 'close');
    }
    checkHello(self, peer, this.#pipe, requireSecure);
    if (!this.#options.permit(peer, this.#pipe)) {
      throw new DwcpError('ERR_DWCP_UNAUTHORIZED', `the authorize hook refused ${peer.nodeId}`);
    }
    this.#peer = peer;
    if (self.nodeId < peer.nodeId) {
      const verdict = this.#options.arbitrate(peer, this);
      this.#send(...own, encodeVerdict({ verdict }));
      if (verdict === 'duplicate') return this.#end({ kind: 'duplicate', peer }, 'close');
      this.#accepted = true;
    } else if (role === 'acceptor') {
      this.#send(...own, encodeVerdict({ verdict: 'accepted' }));
      this.#accepted = true;
    }
    // The dialer that is not the arbiter answers the arbiter's verdict, which follows in the next frame.
  }

  #onVerdict(verdict: Verdict): void {
    const peer = this.#peer;
    switch (verdict.verdict) {
      case 'accepted':
        if (peer === undefined) throw new DwcpError('ERR_DWCP_HANDSHAKE', 'a verdict before Hello');
        if (!this.#accepted) this.#send(encodeVerdict({ verdict: 'accepted' }));
        return this.#end({
          kind: 'up',
          pipe: this.#pipe,
          peer,
          token: this.#options.self.sockets?.token,
        });
      case 'duplicate':
        return this.#end({ kind: 'duplicate', peer }, 'close');
      case 'self':
        return this.#end({ kind: 'self' }, 'close');
      case 'refused': {
        const error = new DwcpError(verdict.code, `the peer refused: ${verdict.reason}`);
        return this.#end({ kind: 'refused', error, byPeer: true }, 'close');
      }
    }
  }

  #refuse(error: DwcpError): void {
    if (this.#ended) return;
    this.#send(encodeVerdict({ verdict: 'refused', code: error.code, reason: error.message }));
    this.#end({ kind: 'refused', error, byPeer: false }, 'close');
  }

  #onClose(cause: DwcpError | undefined): void {
    const error =
      cause ?? new DwcpError('ERR_DWCP_LINK_DOWN', 'the pipe closed during the handshake');
    this.#end({ kind: 'refused', error, byPeer: true });
  }

  #end(outcome: HandshakeOutcome, then?: 'close'): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#deadline.cancel();
    if (then === 'close') this.#pipe.close();
    this.#options.onOutcome(outcome, this);
  }
}
