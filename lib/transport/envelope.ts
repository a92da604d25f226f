/**
 * The link envelope. Each socket carries, per direction, one 8-byte preface and then frames:
 *   preface  "DWCP", u8 lowest wire version, u8 highest, u16 zero
 *   frame    u32 payload length, u8 kind, u8 flags, u16 channel, u32 stream, u32 CRC-32C, payload
 * Numbers are little-endian. The CRC covers the header (CRC field zero) and the payload; under TLS,
 * which authenticates every byte already, it is zero.
 */
import { DwcpError } from '../errors.ts';
import { crc32c } from './checksum.ts';
import { FrameFlag, FrameKind, type OutgoingFrame } from './frame-pipe.ts';

/** Size of a frame header, bytes. */
export const headerSizeBytes = 16;
/** Size of the link preface, bytes. */
export const prefaceSizeBytes = 8;

/** A range of wire versions, both ends included. */
export interface WireRange {
  readonly min: number;
  readonly max: number;
}

/** The wire versions this build speaks. */
export const wireVersions: WireRange = { min: 1, max: 1 };

const magic = 0x50435744; // "DWCP" read little-endian
const crcOffset = 12;
const priorityBits = 0xc0;
const dataFlags =
  FrameFlag.end | FrameFlag.open | FrameFlag.fin | FrameFlag.sequenceMask | priorityBits;

/**
 * The 8 bytes each side says first; the caller's own memory.
 * @example socket.write(encodePreface());
 */
export function encodePreface(range: WireRange = wireVersions): Buffer {
  const preface = Buffer.alloc(prefaceSizeBytes);
  preface.writeUInt32LE(magic, 0);
  preface[4] = range.min;
  preface[5] = range.max;
  return preface;
}

/**
 * The highest wire version both sides speak.
 * @throws ERR_DWCP_FRAME_MAGIC, ERR_DWCP_FRAME_FLAGS, ERR_DWCP_FRAME_VERSION
 */
export function agreeVersion(preface: Buffer, own: WireRange = wireVersions): number {
  if (preface.readUInt32LE(0) !== magic) {
    throw new DwcpError('ERR_DWCP_FRAME_MAGIC', 'The peer does not speak the dwcp link protocol');
  }
  if (preface.readUInt16LE(6) !== 0) {
    throw new DwcpError('ERR_DWCP_FRAME_FLAGS', 'Reserved preface bits are set');
  }
  const [min, max] = [preface[4]!, preface[5]!];
  const version = Math.min(max, own.max);
  if (min > max || version < Math.max(min, own.min)) {
    throw new DwcpError(
      'ERR_DWCP_FRAME_VERSION',
      `The peer speaks wire versions ${min} to ${max}, this build ${own.min} to ${own.max}`,
      { detail: { min, max } },
    );
  }
  return version;
}

/**
 * Checks the parts of a frame that need no state.
 * @throws ERR_DWCP_FRAME_KIND, ERR_DWCP_FRAME_FLAGS
 */
export function checkKindAndFlags(kind: number, flags: number): void {
  if (kind < FrameKind.data || kind > FrameKind.bundle) {
    throw new DwcpError('ERR_DWCP_FRAME_KIND', `Unknown frame kind ${kind}`, { detail: { kind } });
  }
  const carries = kind === FrameKind.data || kind === FrameKind.chunk;
  const allowed = carries ? dataFlags : priorityBits;
  if ((flags & ~allowed) !== 0) {
    throw new DwcpError('ERR_DWCP_FRAME_FLAGS', `Reserved flags 0x${flags.toString(16)}`, {
      detail: { kind, flags },
    });
  }
}

/** What framing needs to know of its link. */
export interface EnvelopeOptions {
  /** Largest payload, bytes. */
  readonly maxPayloadBytes: number;
  /** False under TLS: the CRC field is zero and must be. */
  readonly checksum: boolean;
}

/** Total payload size of an outgoing frame, bytes. */
export function payloadSizeBytes(frame: OutgoingFrame): number {
  if (frame.payload.length === 1) return frame.payload[0]!.length;
  let sizeBytes = 0;
  for (const part of frame.payload) sizeBytes += part.length;
  return sizeBytes;
}

/**
 * Gathers frames into one contiguous buffer: a single write, and nothing borrowed afterwards.
 * @example
 * const encoder = new FrameEncoder({ maxPayloadBytes: 64 * 1024, checksum: true });
 * socket.write(encoder.encode(frames));
 */
export class FrameEncoder {
  readonly #options: EnvelopeOptions;

  constructor(options: EnvelopeOptions) {
    this.#options = options;
  }

  /**
   * Encodes frames back to back; the result belongs to the caller.
   * @throws ERR_DWCP_LIMIT when a payload is longer than `maxPayloadBytes`
   */
  encode(frames: readonly OutgoingFrame[]): Buffer {
    const out = Buffer.allocUnsafe(this.sizeOf(frames));
    this.encodeInto(frames, out, 0);
    return out;
  }

  /**
   * What frames take on the wire, bytes.
   * @throws ERR_DWCP_LIMIT when a payload is longer than `maxPayloadBytes`
   */
  sizeOf(frames: readonly OutgoingFrame[]): number {
    let totalBytes = frames.length * headerSizeBytes;
    for (const frame of frames) {
      const sizeBytes = payloadSizeBytes(frame);
      if (sizeBytes > this.#options.maxPayloadBytes) throw tooLong(sizeBytes, this.#options);
      totalBytes += sizeBytes;
    }
    return totalBytes;
  }

  /** Writes frames back to back from `offset` on, where {@link sizeOf} of them must fit. */
  encodeInto(frames: readonly OutgoingFrame[], out: Buffer, offset: number): void {
    let at = offset;
    for (const frame of frames) at = this.#encodeOne(frame, out, at);
  }

  #encodeOne(frame: OutgoingFrame, out: Buffer, start: number): number {
    let end = start + headerSizeBytes;
    for (const part of frame.payload) {
      out.set(part, end);
      end += part.length;
    }
    out.writeUInt32LE(end - start - headerSizeBytes, start);
    out[start + 4] = frame.kind;
    out[start + 5] = frame.flags;
    out.writeUInt16LE(frame.channel, start + 6);
    out.writeUInt32LE(frame.stream, start + 8);
    out.writeUInt32LE(0, start + crcOffset);
    if (this.#options.checksum) {
      out.writeUInt32LE(crc32c(out.subarray(start, end)), start + crcOffset);
    }
    return end;
  }
}

/** The error for a length field above the limit. */
export function tooLong(sizeBytes: number, options: EnvelopeOptions): DwcpError {
  const limit = options.maxPayloadBytes;
  return new DwcpError(
    'ERR_DWCP_LIMIT',
    `A frame payload of ${sizeBytes} bytes is above maxFramePayloadBytes (${limit})`,
    { detail: { limit: 'maxFramePayloadBytes', sizeBytes } },
  );
}

/**
 * Verifies the CRC of the whole frame between two offsets. Zeroes the CRC field in place: the bytes must be ours.
 * @throws ERR_DWCP_FRAME_CHECKSUM
 */
export function verifyFrame(bytes: Buffer, start: number, end: number, checksum: boolean): void {
  const expected = bytes.readUInt32LE(start + crcOffset);
  if (!checksum) {
    if (expected === 0) return;
    throw new DwcpError('ERR_DWCP_FRAME_CHECKSUM', 'The CRC field must be zero on this link');
  }
  bytes.writeUInt32LE(0, start + crcOffset);
  if (crc32c(bytes.subarray(start, end)) !== expected) {
    throw new DwcpError('ERR_DWCP_FRAME_CHECKSUM', 'The frame does not match its CRC-32C');
  }
}
