/**
 * One `FramePipe` over several sockets of the same peer. It begins as a plain wrapper of the first. When bulk waits for a
 * long path, the direction begins to number its frames (chunk.ts): from then on bulk goes over whichever socket has room,
 * everything else over the oldest, each stream keeps its order, and what a socket took with it when it was cut goes over
 * another. When the last is cut the dialer opens a new one, and the streams above notice only the pause.
 * Owns its sockets. Bounded: what waits here by `pipeHighWaterBytes`, what is kept or put in order by `maxReorderBytes`.
 */
import type { Clock, Timer } from '../../clock.ts';
import { DwcpError } from '../../errors.ts';
import type { LinkLimits } from '../../limits.ts';
import type {
  Frame,
  FramePipe,
  OutgoingFrame,
  PathSample,
  PeerIdentity,
  PipeHandler,
  PipeStats,
} from '../frame-pipe.ts';
import { FrameKind } from '../frame-pipe.ts';
import { payloadSizeBytes } from '../envelope.ts';
import { chunkHeaderBytes, decodeChunk, travels } from './chunk.ts';
import { ChunkQueue, isBulk } from './chunk-queue.ts';
import { type Control, decodeControl, encodeControl } from './control.ts';
import { type Lane, Lanes, sendOn } from './lanes.ts';
import { PathWatch } from './path-watch.ts';
import { Reassembly } from './reassembly.ts';
import { type DialSocket, SocketKeeper } from './socket-keeper.ts';

/** A lane among several holds about so much, bytes. */
const laneDepthBytes = 64 * 1024;
/** An ack is due after so many bytes, or at the next tick. */
const ackBytes = 128 * 1024;
/** Acks, late chunks and the number of sockets are looked at so often, ms. */
const tickMs = 20;
/** Bulk sent over a long path without numbers before they begin, bytes. */
const numberFromBytes = 64 * 1024;
/** With so much under way at every look, the path is what limits, bytes. */
const backlogBytes = 32 * 1024;
/** A chunk may wait so long for one that went over a slow socket, round trips. */
const waitRtts = 6;

/** What a {@link StripedPipe} is made of. */
export interface StripedPipeOptions {
  /** The first socket; the handshake over it is done. */
  readonly pipe: FramePipe;
  readonly clock: Clock;
  readonly limits: LinkLimits;
  /** Sockets the peer takes. */
  readonly peerMaxSockets: number;
  /** Bytes the peer puts in order. */
  readonly peerReorderBytes: number;
  /** Opens one more socket to the peer and joins it; the dialer of the link only. */
  readonly dial?: DialSocket | undefined;
}

/** See the file header. */
export class StripedPipe implements FramePipe {
  readonly #options: StripedPipeOptions;
  readonly #first: FramePipe;
  readonly #lanes = new Lanes(laneDepthBytes);
  readonly #queue: ChunkQueue;
  readonly #reassembly: Reassembly;
  readonly #watch: PathWatch;
  readonly #keeper: SocketKeeper;
  #handler: PipeHandler | undefined;
  #numbered = false;
  /** The peer confirmed that it takes chunks. */
  #confirmed = false;
  #blocked = false;
  #unackedInBytes = 0;
  #ackDue = false;
  #byeReceived = false;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #timer: Timer | undefined;
  #deadline: Timer | undefined;
  #cuts = 0;
  readonly #retiring = new Set<Lane>();
  /** Bulk that was sent without numbers. */
  #plainBulkBytes = 0;

  constructor(options: StripedPipeOptions) {
    const { pipe, limits, clock } = options;
    this.#options = options;
    this.#first = pipe;
    const windowBytes = Math.min(limits.maxReorderBytes, options.peerReorderBytes);
    this.#queue = new ChunkQueue(this.#lanes, windowBytes, clock);
    this.#reassembly = new Reassembly(2 * limits.maxReorderBytes);
    this.#watch = new PathWatch(clock);
    this.#keeper = new SocketKeeper({
      clock,
      dial: options.dial,
      bounds: {
        maxPaced: Math.min(limits.maxPacedSockets, options.peerMaxSockets),
        max: Math.min(limits.maxSockets, options.peerMaxSockets),
      },
      resumeTimeoutMs: limits.resumeTimeoutMs,
      onSocket: (socket) => this.join(socket),
      ask: (sockets) => this.#tell({ type: 'want', sockets }),
      onLost: (error) => this.#finish(error),
    });
    this.#lanes.add(pipe);
  }

  get tier(): FramePipe['tier'] {
    return this.#first.tier;
  }
  get remoteAddress(): string {
    return this.#first.remoteAddress;
  }
  get identity(): PeerIdentity | undefined {
    return this.#first.identity;
  }
  get secure(): boolean {
    return this.#first.secure;
  }

  /** The largest payload a frame may have: a numbered one must fit a chunk. */
  get maxPayloadBytes(): number {
    const { maxFramePayloadBytes } = this.#options.limits;
    return this.#numbered ? maxFramePayloadBytes - chunkHeaderBytes : maxFramePayloadBytes;
  }

  get waitRtts(): number {
    return this.#lanes.size > 1 ? waitRtts : 0;
  }

  start(handler: PipeHandler): void {
    this.#handler = handler;
    this.#listen(this.#lanes.main!);
  }

  /** Whether one more socket of the same peer may join. */
  get takesSocket(): boolean {
    const ready = this.#state === 'open' && this.#numbered && this.#reassembly.begun;
    return ready && this.#lanes.size < this.#options.limits.maxSockets;
  }

  /** Takes one more socket, whose peer the caller verified; destroys it when it may not join. */
  join(pipe: FramePipe): void {
    if (!this.takesSocket) return pipe.destroy();
    this.#keeper.joined();
    this.#listen(this.#lanes.add(pipe));
    this.#requestAck();
    this.#pump();
  }

  send(frames: readonly OutgoingFrame[]): boolean {
    if (this.#state !== 'open') throw new DwcpError('ERR_DWCP_CLOSED', 'The pipe is closed');
    for (const frame of frames) this.#watch.sent(frame);
    if (!this.#numbered) return this.#sendPlain(frames);
    for (const frame of frames) this.#enqueue(frame);
    this.#pump();
    this.#blocked = !this.#queue.hasRoom;
    this.#schedule();
    return !this.#blocked;
  }

  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    if (!this.#numbered) return this.#lanes.main?.pipe.close();
    this.#deadline = this.#options.clock.setTimer(
      () => this.#finish(undefined),
      this.#options.limits.handshakeTimeoutMs,
    );
    this.#closeIfSent();
  }

  destroy(error?: DwcpError): void {
    if (this.#state === 'closed') return;
    if (this.#numbered) this.#tell({ type: 'bye' });
    this.#finish(error);
  }

  stats(): PipeStats {
    return this.#lanes.stats(this.#queue.waitingBytes);
  }

  path(): PathSample {
    const pipes = this.#lanes.all.map(({ pipe }) => pipe);
    const resent = { resentChunks: this.#queue.resent, cuts: this.#cuts };
    return { ...this.#watch.path(pipes), ...resent };
  }

  identified(peer: { readonly nodeId: string; readonly region: string }): void {
    this.#first.identified?.(peer);
  }

  /** Both directions can go on over another socket. */
  get #resumable(): boolean {
    return this.#confirmed && this.#reassembly.begun;
  }

  #sendPlain(frames: readonly OutgoingFrame[]): boolean {
    const main = this.#lanes.main!;
    main.writable = main.pipe.send(frames);
    this.#blocked = !main.writable;
    for (const frame of frames) if (isBulk(frame)) this.#plainBulkBytes += payloadSizeBytes(frame);
    const long = this.#watch.minRttMs >= this.#options.limits.longPathMs;
    if (long && this.#plainBulkBytes >= numberFromBytes) this.#begin();
    return main.writable;
  }

  /** From the next frame on this direction is numbered. */
  #begin(): void {
    if (this.#numbered) return;
    this.#numbered = true;
    this.#tell({ type: 'begin' });
    this.#schedule();
  }

  #enqueue(frame: OutgoingFrame): void {
    if (!travels(frame.kind)) {
      const { main } = this.#lanes;
      if (main) sendOn(main, [frame]);
      return;
    }
    this.#queue.add(frame);
  }

  /** Hands over what the lanes take. */
  #pump(): void {
    this.#queue.pump();
    if (this.#blocked && this.#state === 'open') this.#unblock();
  }

  #unblock(): void {
    if (!this.#queue.hasRoom) return;
    this.#blocked = false;
    this.#handler?.onWritable();
  }

  #listen(lane: Lane): void {
    lane.pipe.start({
      onFrames: (frames) => this.#onFrames(lane, frames),
      onWritable: () => {
        lane.writable = true;
        if (this.#numbered) return this.#pump();
        this.#blocked = false;
        this.#handler?.onWritable();
      },
      onClose: (error) => this.#onLaneClosed(lane, error),
    });
  }

  #onFrames(lane: Lane, frames: readonly Frame[]): void {
    const out: Frame[] = [];
    try {
      for (const frame of frames) this.#onFrame(lane, frame, out);
    } catch (error) {
      if (!(error instanceof DwcpError)) throw error;
      this.destroy(error);
      return;
    }
    if (out.length > 0 && this.#state !== 'closed') this.#handler!.onFrames(out);
    if (this.#unackedInBytes >= ackBytes) this.#sendAck();
    if (this.#numbered) this.#pump();
    this.#closeIfSent();
  }

  #onFrame(lane: Lane, frame: Frame, out: Frame[]): void {
    switch (frame.kind) {
      case FrameKind.chunk: {
        const chunk = decodeChunk(frame);
        this.#unackedInBytes += frame.payload.length;
        this.#requestAck();
        return this.#reassembly.accept(chunk, out);
      }
      case FrameKind.bundle:
        return this.#onControl(decodeControl(frame), out);
      default:
        if (travels(frame.kind) && (this.#reassembly.begun || lane.pipe !== this.#first)) {
          throw new DwcpError('ERR_DWCP_PROTOCOL', 'A frame without a number on a numbered link');
        }
        this.#watch.received(frame);
        out.push(frame);
    }
  }

  #onControl(control: Control, out: Frame[]): void {
    switch (control.type) {
      case 'begin':
        this.#reassembly.begin(out);
        this.#begin();
        return this.#requestAck();
      case 'ack': {
        if (!this.#numbered) throw new DwcpError('ERR_DWCP_PROTOCOL', 'An ack of nothing');
        this.#confirmed = true;
        return this.#watch.acked(this.#queue.ack(control.base, control.ranges));
      }
      case 'want':
        return this.#keeper.asked(control.sockets);
      case 'bye':
        this.#byeReceived = true;
    }
  }

  #requestAck(): void {
    this.#ackDue = true;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#timer || this.#state === 'closed') return;
    this.#timer = this.#options.clock.setTimer(this.#tick, tickMs);
    this.#timer.unref();
  }

  #sendAck(): void {
    if (!this.#reassembly.begun) return;
    const { base, ranges } = this.#reassembly;
    if (!this.#tell({ type: 'ack', base, ranges })) return;
    this.#ackDue = false;
    this.#unackedInBytes = 0;
  }

  /** Says something about the sockets; false when there is none. */
  #tell(control: Control): boolean {
    const { main } = this.#lanes;
    return main !== undefined && sendOn(main, [encodeControl(control)]);
  }

  /** Runs as long as anything is under way. */
  readonly #tick = (): void => {
    this.#timer = undefined;
    if (this.#state === 'closed') return;
    if (this.#ackDue) this.#sendAck();
    this.#queue.resendLate(this.#watch.minRttMs);
    if (this.#resumable && this.#state === 'open') {
      const pipes = this.#lanes.all.map(({ pipe }) => pipe);
      const backlogged = this.#queue.unackedBytes >= backlogBytes;
      const extra = this.#keeper.tick(this.#watch, pipes, backlogged);
      for (const lane of this.#lanes.all.slice(this.#lanes.size - extra)) this.#retire(lane);
    }
    this.#pump();
    if (this.#queue.unackedBytes > 0 || this.#ackDue || this.#keeper.busy) this.#schedule();
  };

  /** Sends what it has, then ends; the peer sends what was on its way here over another. */
  #retire(lane: Lane): void {
    this.#retiring.add(lane);
    lane.pipe.close();
  }

  #onLaneClosed(lane: Lane, error: DwcpError | undefined): void {
    if (!this.#lanes.remove(lane)) return;
    if (this.#state === 'closed') return;
    const over = this.#byeReceived || this.#state === 'closing';
    if (!this.#resumable || (over && this.#lanes.size === 0)) return this.#finish(error);
    if (over) return;
    if (!this.#retiring.delete(lane)) this.#cuts++;
    this.#queue.requeue(lane);
    if (this.#lanes.size === 0) this.#keeper.allLost(error);
    this.#requestAck();
    this.#pump();
  }

  /** An orderly end: everything arrived, so nothing is resumed. */
  #closeIfSent(): void {
    if (this.#state !== 'closing' || this.#queue.unackedBytes > 0) return;
    if (!this.#numbered) return;
    this.#sendAck();
    this.#tell({ type: 'bye' });
    for (const { pipe } of this.#lanes.all) pipe.close();
  }

  #finish(error: DwcpError | undefined): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#timer?.cancel();
    this.#deadline?.cancel();
    this.#keeper.stop();
    for (const lane of this.#lanes.all) {
      // The oldest takes the bye along.
      if (this.#numbered && lane === this.#lanes.main) lane.pipe.close();
      else lane.pipe.destroy(error);
    }
    process.nextTick(() => this.#handler?.onClose(error));
  }
}
