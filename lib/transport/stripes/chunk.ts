/**
 * A chunk: a link frame that may travel over any socket of a link. Its payload begins with 16 bytes,
 *   u48 offset, u48 after, u8 kind, u8 barrier, u16 zero
 * little-endian, then comes the payload of the frame it carries, whose flags, channel and stream stand in the link header.
 * `offset` is where the chunk lies in the sequence of bytes its direction numbers; a chunk fills 16 of them and its
 * payload. `after` is the end of the chunk of the same stream it must follow, 0 when none is on its way. A barrier, 1,
 * waits for everything before it.
 */
import { DwcpError } from '../../errors.ts';
import { checkKindAndFlags } from '../envelope.ts';
import { type Frame, FrameKind, type OutgoingFrame } from '../frame-pipe.ts';

/** Bytes before the payload. */
export const chunkHeaderBytes = 16;
/** The sequence ends here: 256 TiB. */
export const maxOffset: number = 2 ** 48 - 1;

/** A chunk as it was read. The frame's payload is a view. */
export interface Chunk {
  readonly offset: number;
  /** Just past it. */
  readonly end: number;
  readonly after: number;
  readonly barrier: boolean;
  readonly frame: Frame;
}

/** A chunk to send; the payload is copied, so that it can be sent again. */
export function encodeChunk(frame: OutgoingFrame, offset: number, after: number): OutgoingFrame {
  let sizeBytes = chunkHeaderBytes;
  for (const part of frame.payload) sizeBytes += part.length;
  const bytes = Buffer.allocUnsafe(sizeBytes);
  bytes.writeUIntLE(offset, 0, 6);
  bytes.writeUIntLE(after, 6, 6);
  bytes.writeUInt32LE(frame.kind, 12);
  if (isBarrier(frame.kind)) bytes[13] = 1;
  let at = chunkHeaderBytes;
  for (const part of frame.payload) {
    bytes.set(part, at);
    at += part.length;
  }
  return { ...frame, kind: FrameKind.chunk, payload: [bytes] };
}

/**
 * Reads a frame of kind chunk.
 * @throws ERR_DWCP_FRAME_CORRUPT, ERR_DWCP_FRAME_KIND, ERR_DWCP_FRAME_FLAGS
 */
export function decodeChunk(frame: Frame): Chunk {
  const { payload } = frame;
  if (payload.length < chunkHeaderBytes) throw corrupt('A chunk is shorter than its header');
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
  const offset = bytes.readUIntLE(0, 6);
  const after = bytes.readUIntLE(6, 6);
  const kind = bytes[12]! as FrameKind;
  if (bytes[13]! > 1 || bytes.readUInt16LE(14) !== 0) {
    throw new DwcpError('ERR_DWCP_FRAME_FLAGS', 'Reserved bits of a chunk are set');
  }
  if (!travels(kind)) {
    throw new DwcpError('ERR_DWCP_FRAME_KIND', `A chunk carries no frame of kind ${kind}`);
  }
  checkKindAndFlags(kind, frame.flags);
  const end = offset + payload.length;
  if (end > maxOffset) throw corrupt('A chunk ends beyond the last offset');
  if (after > offset) throw corrupt('A chunk follows one that comes later');
  return {
    offset,
    end,
    after,
    barrier: bytes[13] === 1,
    frame: { ...frame, kind, payload: bytes.subarray(16) },
  };
}

/** Whether frames of a kind travel as chunks; pings and what holds the sockets together do not. */
export function travels(kind: FrameKind): boolean {
  switch (kind) {
    case FrameKind.data:
    case FrameKind.credit:
    case FrameKind.reset:
    case FrameKind.goaway:
      return true;
    default:
      return false;
  }
}

/** A goaway ends what came before it, on all streams. */
function isBarrier(kind: FrameKind): boolean {
  return kind === FrameKind.goaway;
}

/** The error for a chunk or control frame that makes no sense. */
export function corrupt(message: string): DwcpError {
  return new DwcpError('ERR_DWCP_FRAME_CORRUPT', message);
}
