/**
 * Values to frames and back, for store and wire alike, on the tier this node runs. Every digest is
 * computed once per value and kind (it stays with the `Baseline`), heavy work runs off the event loop,
 * and the memory of decodes under way is bounded.
 */
import {
  Baseline,
  codecsOf,
  compress,
  decodeFrame,
  digestKindsOf,
  encodeDelta,
  encodeFull,
} from '../compression/index.ts';
import type { Decoded, Digest, Encoded } from '../compression/index.ts';
import { decodeFrameSync } from '../compression/decode.ts';
import { parseFrame } from '../compression/frame.ts';
import type { FrameInfo } from '../compression/frame.ts';
import { fullCodec } from '../compression/full-frame.ts';
import { bindingOf } from '../compression/tier.ts';
import { Codec, DigestKind } from '../compression/types.ts';
import { DwcpError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import type { CodecBinding, NativeBinding } from '../native/contract.ts';
import { ByteBudget } from './byte-budget.ts';

/** Up to this size the work takes less than handing it to another turn, bytes. */
const IN_PLACE_BYTES = 4 * 1024;

/** What the reader of a frame can do. */
export interface FrameReader {
  readonly codecs: readonly Codec[];
  readonly digests: readonly DigestKind[];
}

/** Options of {@link FrameCodec}. */
export interface FrameCodecOptions {
  readonly limits: Limits;
  /** The tier; the loaded one if absent. */
  readonly native?: NativeBinding | undefined;
}

/** Encodes and decodes values. */
export class FrameCodec {
  /** What this node itself can read: what it stores must stay readable to it. */
  readonly own: FrameReader;
  #audience: FrameReader;
  readonly #native: NativeBinding | undefined;
  readonly #binding: CodecBinding;
  readonly #limits: Limits;
  readonly #decoding: ByteBudget;

  constructor({ limits, native }: FrameCodecOptions) {
    this.#native = native;
    this.#binding = bindingOf(native);
    this.#limits = limits;
    this.#decoding = new ByteBudget(2 * limits.state.maxInFlightBytes);
    this.#audience = this.own = { codecs: codecsOf(native).decode, digests: digestKindsOf(native) };
  }

  /** CRC-32C, for records. */
  readonly crc32c = (bytes: Uint8Array): number => this.#binding.crc32c(bytes);

  /** Bytes of decodes under way. */
  get decodingBytes(): number {
    return this.#decoding.usedBytes;
  }

  /**
   * What this node and every linked peer can read: deltas are stored in this form, so that what is
   * stored can be sent to all.
   */
  get audience(): FrameReader {
    return this.#audience;
  }

  /** The readers of the peers linked now. */
  setPeers(peers: readonly FrameReader[]): void {
    const all = <T>(own: readonly T[], of: (peer: FrameReader) => readonly T[]): T[] =>
      own.filter((each) => peers.every((peer) => of(peer).includes(each)));
    const digests = all(this.own.digests, (peer) => peer.digests);
    const codecs = all(this.own.codecs, (peer) => peer.codecs);
    this.#audience = {
      // One peer that reads no deltas must not cost all others theirs.
      codecs: codecs.includes(Codec.chunk) ? codecs : this.own.codecs,
      digests: digests.length > 0 ? digests : this.own.digests,
    };
  }

  /** The best digest kind both this node and `reader` have. */
  digestKind(reader: FrameReader): DigestKind {
    return this.own.digests.find((kind) => reader.digests.includes(kind)) ?? DigestKind.sha256;
  }

  digest(value: Baseline, kind: DigestKind): Promise<Digest> {
    return value.digestAsync(kind, this.#binding);
  }

  /** A frame of the whole value. */
  async full(value: Baseline, reader: FrameReader = this.own): Promise<Pick<Encoded, 'frame'>> {
    const { bytes, sizeBytes } = value;
    if (sizeBytes <= IN_PLACE_BYTES) {
      const codec = fullCodec(this.#binding, sizeBytes, reader.codecs);
      const checksum = this.digestKind(reader);
      return { frame: compress(bytes, { codec, checksum, native: this.#native }) };
    }
    const digest = await this.digest(value, this.digestKind(reader));
    return encodeFull(bytes, { codecs: reader.codecs, digest, native: this.#native });
  }

  /** A frame against `base`, or a whole one where that is no larger. */
  async delta(base: Baseline, next: Baseline, reader: FrameReader = this.own): Promise<Encoded> {
    const digest = await this.digest(next, this.digestKind(reader));
    return encodeDelta(base, next.bytes, { codecs: reader.codecs, digest, native: this.#native });
  }

  /** Header of a frame. @throws ERR_DWCP_FRAME_* */
  inspect(frame: Uint8Array): FrameInfo {
    return parseFrame(this.#binding, frame);
  }

  /** True when `reader` can decode and verify the frame. */
  readableBy(frame: Uint8Array, reader: FrameReader): boolean {
    const info = this.inspect(frame);
    const kind = info.checksum.kind as number as DigestKind;
    return reader.codecs.includes(info.codec) && reader.digests.includes(kind);
  }

  /**
   * The verified value in a frame. Only frames with a content digest are accepted.
   * @throws ERR_DWCP_FRAME_*, ERR_DWCP_BASE_*, ERR_DWCP_OUTPUT_LIMIT and what `decodeFrame` throws
   */
  async decode(frame: Buffer, base?: Baseline): Promise<Baseline> {
    const { maxValueBytes } = this.#limits.state;
    const limits = { ...this.#limits.codec, maxOutputBytes: maxValueBytes };
    const options = { limits, native: this.#native };
    const { contentBytes } = this.inspect(frame);
    if (contentBytes <= IN_PLACE_BYTES && (base?.sizeBytes ?? 0) <= IN_PLACE_BYTES) {
      return verified(decodeFrameSync(frame, options, base));
    }
    return this.#decoding.run(Math.min(contentBytes, maxValueBytes), async () =>
      verified(await decodeFrame(frame, options, base)),
    );
  }
}

function verified({ bytes, digest }: Decoded): Baseline {
  if (digest) return Baseline.of(bytes, digest);
  throw new DwcpError('ERR_DWCP_FRAME_CHECKSUM', 'a value frame must carry a content digest');
}
