/**
 * The `FramePipe` seam: one secured pipe that moves batches of frames. No streams, no credit, no
 * retry; those live in `Connection`, once, over every kind of pipe.
 */
import type { PeerIdentity } from '../crypto/peer-identity.ts';
import type { DwcpError } from '../errors.ts';

import type { HalfOpenStats } from './half-open.ts';

export type { PeerIdentity };

/** Kinds of link frame. Unknown kinds are a protocol error. */
export const FrameKind = {
  /** A piece of a message on a stream. */
  data: 1,
  /** Byte credit granted to the sender of a stream: payload u32 bytes. */
  credit: 2,
  /** The stream ends at once: payload u16 reason, then UTF-8 text. */
  reset: 3,
  /** Liveness and round-trip probe: payload 8 opaque bytes. */
  ping: 4,
  /** Answer to a ping, payload echoed. */
  pong: 5,
  /** First frame in each direction: who speaks, and what it can. */
  hello: 6,
  /** The sender will open nothing new; the link closes when streams are done. */
  goaway: 7,
  /** A frame that may travel over any socket of the link, see stripes/chunk.ts. Negotiated in Hello. */
  chunk: 8,
  /** What both ends say about the sockets of the link, see stripes/control.ts. Negotiated in Hello. */
  bundle: 9,
} as const;
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind];

/** Flag bits of a link frame. The two top bits carry the priority class. */
export const FrameFlag = {
  /** Last frame of a message. */
  end: 0x01,
  /** First frame of a new stream. */
  open: 0x02,
  /** The sender sends no further message on this stream (half-close). */
  fin: 0x04,
  /** Number of this data frame on its stream and direction, modulo 4; shows a lost or moved frame. */
  sequenceMask: 0x18,
} as const;

/** Priority classes, most urgent first. */
export const Priority = { control: 0, rpc: 1, state: 2, bulk: 3 } as const;
export type Priority = (typeof Priority)[keyof typeof Priority];

/** One link frame, as it stands on the wire after its 16-byte header was read. */
export interface Frame {
  readonly kind: FrameKind;
  readonly flags: number;
  /** Which room of the house the stream belongs to (rpc, state, membership, …). */
  readonly channel: number;
  /** Stream id; odd when opened by the dialer, even by the acceptor; 0 for the link itself. */
  readonly stream: number;
  /** At most 64 KiB. Received payloads are valid until the handler returns unless copied. */
  readonly payload: Uint8Array;
}

/** A frame to send; the payload may come in pieces, and is borrowed until `send` returns. */
export interface OutgoingFrame extends Omit<Frame, 'payload'> {
  readonly payload: readonly Uint8Array[];
}

/** What a pipe counts. */
export interface PipeStats {
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly framesIn: number;
  readonly framesOut: number;
  /** Bytes handed over and not yet taken by the kernel. */
  readonly bufferedBytes: number;
}

/** What the kernel tells of the path of a pipe. */
export interface PathSample {
  /** Congestion control in use, such as `bbr`. */
  readonly congestion: string | undefined;
  readonly rttMs: number;
  readonly minRttMs: number;
  /** Segments sent again since the pipe stands. */
  readonly retransmits: number;
  /** Newest sample of what arrives, bytes per second. */
  readonly deliveryBytesPerSecond: number;
  /** Sockets of a striped pipe. */
  readonly sockets?: number | undefined;
  /** What the peer of a striped pipe confirmed, bytes per second over the last second. */
  readonly goodputBytesPerSecond?: number | undefined;
  /** Chunks a striped pipe sent again over another socket. */
  readonly resentChunks?: number | undefined;
  /** Sockets a striped pipe lost and went on without. */
  readonly cuts?: number | undefined;
}

/** Who listens to a pipe. Set once with {@link FramePipe.start}. */
export interface PipeHandler {
  /** A batch of frames arrived, in order. */
  onFrames(frames: readonly Frame[]): void;
  /** The pipe fell below its high-water mark after `send` returned false. */
  onWritable(): void;
  /** The pipe is gone; called exactly once. `error` is undefined after an orderly close. */
  onClose(error: DwcpError | undefined): void;
}

/** One side of a pipe. */
export interface FramePipe {
  /** Which engine carries it. */
  readonly tier: 'uring' | 'epoll' | 'net' | 'tls' | 'simulated';
  readonly remoteAddress: string;
  /** Identity proven by TLS; undefined on plaintext. */
  readonly identity: PeerIdentity | undefined;
  /** True when the bytes are encrypted and the peer authenticated. */
  readonly secure: boolean;
  /** The largest payload it takes now, when that is less than the wire's. */
  readonly maxPayloadBytes?: number;
  /** What comes may wait so many round trips for what was sent before it over another socket; 0 when absent. */
  readonly waitRtts?: number;
  /** Begins delivery. Frames that came earlier are delivered now. */
  start(handler: PipeHandler): void;
  /** Queues frames; false means: hold back until `onWritable`. Throws ERR_DWCP_CLOSED when closed. */
  send(frames: readonly OutgoingFrame[]): boolean;
  /** Sends what is queued, then closes. */
  close(): void;
  /** Closes at once; `onClose` gets the error. */
  destroy(error?: DwcpError): void;
  stats(): PipeStats;
  /** What the kernel tells of the path; absent or undefined where nobody asks it (node:net, node:tls). */
  path?(): PathSample | undefined;
  /** Tells wrappers such as `shape()` who is at the other end, once Hello told. */
  identified?(peer: { readonly nodeId: string; readonly region: string }): void;
}

/** A place to listen on or dial. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** A listening socket. */
export interface PipeListener {
  readonly address: Address;
  /** Numbers of the sockets that have not spoken the protocol yet, where there are any. */
  halfOpen?(): HalfOpenStats;
  close(): Promise<void>;
}

/** Makes pipes: node:net, node:tls, simulated, later io_uring and epoll. */
export interface PipeTransport {
  readonly tier: FramePipe['tier'];
  listen(address: Address, onPipe: (pipe: FramePipe) => void): Promise<PipeListener>;
  /** Rejects with ERR_DWCP_CONNECT, ERR_DWCP_ABORTED, ERR_DWCP_IDENTITY or ERR_DWCP_DEADLINE. */
  connect(
    address: Address,
    options: { readonly signal?: AbortSignal | undefined },
  ): Promise<FramePipe>;
}
