/**
 * What two ends tell each other about the sockets between them: frames of kind `bundle`, never sent again. The first
 * byte of the payload says which:
 *   1 begin   from here on this direction is numbered
 *   2 ack     u48 base, then up to 16 times u48 start, u48 end of what came beyond it
 *   3 want    u8 sockets: asks the dialer to have so many
 *   4 bye     the link ends in order; nothing will be resumed
 */
import { type Frame, FrameKind, type OutgoingFrame } from '../frame-pipe.ts';
import { corrupt } from './chunk.ts';

/** Bytes from `start` up to `end`. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** Ranges an ack names at most. */
export const maxAckRanges = 16;

/** A control frame as it was read. */
export type Control =
  | { readonly type: 'begin' }
  | { readonly type: 'ack'; readonly base: number; readonly ranges: readonly Range[] }
  | { readonly type: 'want'; readonly sockets: number }
  | { readonly type: 'bye' };

const codes = { begin: 1, ack: 2, want: 3, bye: 4 } as const;

/** Encodes a control frame. */
export function encodeControl(control: Control): OutgoingFrame {
  return {
    kind: FrameKind.bundle,
    flags: 0,
    channel: 0,
    stream: 0,
    payload: [encodePayload(control)],
  };
}

function encodePayload(control: Control): Buffer {
  if (control.type === 'want') return Buffer.from([codes.want, control.sockets]);
  if (control.type !== 'ack') return Buffer.from([codes[control.type]]);
  const ranges = control.ranges.slice(0, maxAckRanges);
  const bytes = Buffer.alloc(7 + 12 * ranges.length);
  bytes[0] = codes.ack;
  bytes.writeUIntLE(control.base, 1, 6);
  let at = 7;
  for (const { start, end } of ranges) {
    bytes.writeUIntLE(start, at, 6);
    bytes.writeUIntLE(end, at + 6, 6);
    at += 12;
  }
  return bytes;
}

/**
 * Reads a frame of kind bundle.
 * @throws ERR_DWCP_FRAME_CORRUPT
 */
export function decodeControl({ payload, stream }: Frame): Control {
  if (stream !== 0) throw corrupt('A bundle frame names a stream');
  const size = payload.length;
  if (size === 1 && payload[0] === codes.begin) return { type: 'begin' };
  if (size === 1 && payload[0] === codes.bye) return { type: 'bye' };
  if (size === 2 && payload[0] === codes.want) return { type: 'want', sockets: payload[1]! };
  if (payload[0] === codes.ack) return decodeAck(payload);
  throw corrupt('A bundle frame of an unknown type or size');
}

function decodeAck(payload: Uint8Array): Control {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
  const count = (bytes.length - 7) / 12;
  if (!Number.isInteger(count) || count < 0 || count > maxAckRanges) {
    throw corrupt('An ack has a wrong size');
  }
  const base = bytes.readUIntLE(1, 6);
  const ranges: Range[] = [];
  let least = base;
  for (let at = 7; at < bytes.length; at += 12) {
    const range = { start: bytes.readUIntLE(at, 6), end: bytes.readUIntLE(at + 6, 6) };
    if (range.start <= least || range.end <= range.start) throw corrupt('An ack is out of order');
    least = range.end;
    ranges.push(range);
  }
  return { type: 'ack', base, ranges };
}
