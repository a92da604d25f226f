/**
 * A pipe that changes hands: the handshake reads it first, the Connection afterwards, without a frame lost
 * in between, even when both come in one batch. Owns nothing but the pipe it wraps.
 */
import { DwcpError } from '../errors.ts';
import { FrameKind } from '../transport/frame-pipe.ts';
import type {
  Frame,
  FramePipe,
  OutgoingFrame,
  PathSample,
  PeerIdentity,
  PipeHandler,
  PipeStats,
} from '../transport/frame-pipe.ts';

/** Who reads the pipe until the Connection does. */
export interface HandshakeHandler {
  /** The payload of a frame of kind hello, valid during the call. */
  onPayload(payload: Uint8Array): void;
  /** The pipe closed during the handshake. */
  onClose(error: DwcpError | undefined): void;
}

/** Wraps a pipe; see the file header. */
export class HandoverPipe implements FramePipe {
  readonly #pipe: FramePipe;
  readonly #handshake: HandshakeHandler;
  #target: PipeHandler | undefined;
  #closed: { readonly error: DwcpError | undefined } | undefined;

  constructor(pipe: FramePipe, handshake: HandshakeHandler) {
    this.#pipe = pipe;
    this.#handshake = handshake;
  }

  /** Begins delivery to the handshake. */
  begin(): void {
    this.#pipe.start({
      onFrames: (frames) => this.#onFrames(frames),
      onWritable: () => this.#target?.onWritable(),
      onClose: (error) => this.#onClose(error),
    });
  }

  get tier(): FramePipe['tier'] {
    return this.#pipe.tier;
  }
  get remoteAddress(): string {
    return this.#pipe.remoteAddress;
  }
  get identity(): PeerIdentity | undefined {
    return this.#pipe.identity;
  }
  get secure(): boolean {
    return this.#pipe.secure;
  }

  /** The Connection takes its frames from here on. */
  start(handler: PipeHandler): void {
    this.#target = handler;
    if (this.#closed !== undefined) handler.onClose(this.#closed.error);
  }

  send(frames: readonly OutgoingFrame[]): boolean {
    return this.#pipe.send(frames);
  }

  /** Sends payloads of the handshake; nothing happens on a closed pipe. */
  sendHello(...payloads: readonly Uint8Array[]): void {
    if (this.#closed !== undefined) return;
    const frame = { kind: FrameKind.hello, flags: 0, channel: 0, stream: 0 };
    try {
      this.#pipe.send(payloads.map((payload) => ({ ...frame, payload: [payload] })));
    } catch {
      // Closing already; the close event tells the owner.
    }
  }

  close(): void {
    this.#pipe.close();
  }

  destroy(error?: DwcpError): void {
    this.#pipe.destroy(error);
  }

  stats(): PipeStats {
    return this.#pipe.stats();
  }

  path(): PathSample | undefined {
    return this.#pipe.path?.();
  }

  identified(peer: { readonly nodeId: string; readonly region: string }): void {
    this.#pipe.identified?.(peer);
  }

  #onFrames(frames: readonly Frame[]): void {
    if (this.#target !== undefined) return this.#target.onFrames(frames);
    for (const [index, frame] of frames.entries()) {
      if (this.#closed !== undefined) return;
      // The frame before may have ended the handshake: the rest of the batch is the Connection's.
      if (this.#target !== undefined) {
        const target: PipeHandler = this.#target;
        return target.onFrames(frames.slice(index));
      }
      if (frame.kind !== FrameKind.hello) {
        return this.destroy(
          new DwcpError('ERR_DWCP_HANDSHAKE', 'a frame came before the handshake was done'),
        );
      }
      this.#handshake.onPayload(frame.payload);
    }
  }

  #onClose(error: DwcpError | undefined): void {
    if (this.#closed !== undefined) return;
    this.#closed = { error };
    if (this.#target === undefined) this.#handshake.onClose(error);
    else this.#target.onClose(error);
  }
}
