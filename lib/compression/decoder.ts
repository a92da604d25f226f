/**
 * The hierarchy, receiving side: reads frames of an `Encoder` and keeps their values as bases. Only what was
 * verified is kept and acknowledged. A base that is not here is no error but an answer to the sender, with what
 * there is instead, so that both sides recover whatever either of them lost.
 */
import { anything, aBoolean, checkOptions } from '../check-options.ts';
import { invalidArg, isDwcpError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { defaultLimits } from '../limits.ts';
import type { CodecLimits } from '../limits.ts';
import type { CodecBinding, NativeBinding } from '../native/contract.ts';
import { BaseStore } from './base-store.ts';
import type { BaseStoreStats, Version } from './base-store.ts';
import { Baseline } from './baseline.ts';
import { decodeFrame } from './decode.ts';
import type { Decoded } from './decode.ts';
import type { DictionaryChoice } from './dictionary.ts';
import { digestEquals, digestKinds } from './digest.ts';
import { parseFrame } from './frame.ts';
import { inputBuffer } from './payload.ts';
import type { Nack, NackReason, Offer } from './peer-keys.ts';
import { signature } from './signature.ts';
import { bindingOf } from './tier.ts';
import type { Digest, DigestKind } from './types.ts';

/** Options of {@link Decoder}. */
export interface DecoderOptions extends DictionaryChoice {
  /** Limits that differ from the defaults. */
  readonly limits?: Partial<CodecLimits> | undefined;
  /** Offer signatures of what is held, 0.8 % of the value. Default true. */
  readonly signatures?: boolean | undefined;
  /** The tier to use; the loaded one if absent. */
  readonly native?: NativeBinding | undefined;
}

/** A value, or the answer to a frame whose base is not here. */
export type DecodeOutcome =
  | {
      /** Kept as a base: not to be changed. */
      readonly bytes: Buffer;
      readonly digest: Digest;
      /** For `EncoderPeer.acked`; undefined when the value was too large to keep. */
      readonly ack: Digest | undefined;
      readonly nack?: undefined;
    }
  | {
      readonly bytes?: undefined;
      readonly ack?: undefined;
      /** For `EncoderPeer.nacked`. */
      readonly nack: Nack;
    };

/** A snapshot of a decoder. */
export interface DecoderStats {
  readonly decoded: number;
  readonly contentBytes: number;
  readonly frameBytes: number;
  readonly nacks: Readonly<Record<NackReason, number>>;
  readonly bases: BaseStoreStats;
}

/** Versions of a key that are kept: frames may be late, and acks on their way. */
const MAX_VERSIONS = 8;
/** What reading a good frame against other bytes than it was made against ends in. */
const PAYLOAD_ERRORS: ReadonlySet<ErrorCode> = new Set([
  'ERR_DWCP_FRAME_CHECKSUM',
  'ERR_DWCP_FRAME_CORRUPT',
  'ERR_DWCP_CODEC',
]);
/** A smaller value is sent whole rather than asked about, bytes. */
const SIGNATURE_FROM_BYTES = 4 * 1024;

/**
 * Decodes values of peers.
 * @example
 * const decoder = new Decoder();
 * const { bytes, ack, nack } = await decoder.decode('catalog', frame);
 * reply(ack ? { ack } : { nack }); // to the sender's peer.acked or peer.nacked
 */
export class Decoder {
  readonly #options: DecoderOptions;
  readonly #binding: CodecBinding;
  readonly #limits: CodecLimits;
  readonly #bases: BaseStore;
  readonly #nacks: Record<NackReason, number> = { missing: 0, chain: 0, damaged: 0 };
  #decoded = 0;
  #contentBytes = 0;
  #frameBytes = 0;

  /** @throws ERR_DWCP_INVALID_ARG */
  constructor(options: DecoderOptions = {}) {
    checkOptions('options', options, {
      limits: anything,
      signatures: aBoolean,
      native: anything,
      dictionary: anything,
      dictionaries: anything,
    });
    this.#options = options;
    this.#binding = bindingOf(options.native);
    this.#limits = { ...defaultLimits.codec, ...options.limits };
    this.#bases = new BaseStore(this.#limits.maxBaseBytes, MAX_VERSIONS);
  }

  /**
   * Decodes a frame of `key`; `frame` is borrowed until the promise settles.
   * @throws ERR_DWCP_FRAME_*, ERR_DWCP_OUTPUT_LIMIT, ERR_DWCP_WINDOW_LIMIT, ERR_DWCP_LIMIT, ERR_DWCP_CODEC,
   * ERR_DWCP_DICTIONARY_MISMATCH, ERR_DWCP_ABORTED
   */
  async decode(
    key: string,
    frame: Uint8Array,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<DecodeOutcome> {
    if (typeof key !== 'string') invalidArg('key', 'a string', key);
    const { base: wanted } = parseFrame(this.#binding, inputBuffer('frame', frame));
    const base = wanted && this.#bases.get(key, wanted);
    if (wanted && !base) return { nack: await this.#nack(key, 'missing', wanted) };
    if (wanted && base!.depth >= this.#limits.maxBaseChain) {
      return { nack: await this.#nack(key, 'chain', wanted) };
    }
    const options = { ...this.#options, limits: this.#limits, signal };
    let decoded: Decoded;
    try {
      const held = base ? [base] : [];
      decoded = await this.#bases.hold(held, () => decodeFrame(frame, options, base?.baseline));
    } catch (error) {
      if (!base || !(await this.#isBaseAtFault(base, wanted, error))) throw error;
      return { nack: await this.#nack(key, 'damaged', wanted) };
    }
    return this.#keep(key, decoded, frame.length, base ? base.depth + 1 : 0);
  }

  /**
   * Makes a value that came another way, as from disk, a base. Its bytes are borrowed for as long as it is
   * kept and must not change.
   * @throws ERR_DWCP_INVALID_ARG
   * @example
   * await decoder.seed('catalog', await readFile('catalog.json'));
   * send(await decoder.offer('catalog')); // to the sender's peer.offered
   */
  async seed(key: string, bytes: Uint8Array | Baseline): Promise<Digest> {
    if (typeof key !== 'string') invalidArg('key', 'a string', key);
    const baseline = bytes instanceof Baseline ? bytes : Baseline.of(bytes);
    const digest = await baseline.digestAsync(digestKinds(this.#binding)[0]!, this.#binding);
    this.#bases.add(key, baseline, digest);
    return digest;
  }

  /**
   * The newest version of `key` that is held, for a sender that does not know; undefined when there is none.
   * @param kind of the digest that names it; by default the best of this tier.
   */
  async offer(
    key: string,
    kind: DigestKind = digestKinds(this.#binding)[0]!,
  ): Promise<Offer | undefined> {
    const [newest] = this.#bases.versions(key);
    return newest && this.#bases.hold([newest], () => this.#offerOf(newest, kind));
  }

  /** Drops what is held of `key`. */
  forget(key: string): void {
    this.#bases.delete(key);
  }

  /**
   * What was decoded since the start, and what is held; a copy.
   * @example decoder.stats().nacks.missing
   */
  stats(): DecoderStats {
    return {
      decoded: this.#decoded,
      contentBytes: this.#contentBytes,
      frameBytes: this.#frameBytes,
      nacks: { ...this.#nacks },
      bases: this.#bases.stats,
    };
  }

  async #keep(
    key: string,
    { bytes, digest: verified }: Decoded,
    frameBytes: number,
    depth: number,
  ): Promise<DecodeOutcome> {
    this.#decoded++;
    this.#contentBytes += bytes.length;
    this.#frameBytes += frameBytes;
    const baseline = Baseline.of(bytes, verified);
    const kind = verified?.kind ?? digestKinds(this.#binding)[0]!;
    const digest = verified ?? (await baseline.digestAsync(kind, this.#binding));
    this.#bases.add(key, baseline, digest, { depth });
    const isKept = this.#bases.get(key, digest) !== undefined;
    return { bytes, digest, ack: isKept ? digest : undefined };
  }

  /**
   * True when the frame may well be good: the value held here was changed, and goes; or the sender's was not what
   * its digest says, as after a forged signature.
   */
  async #isBaseAtFault(base: Version, wanted: Digest, error: unknown): Promise<boolean> {
    const { key, baseline } = base;
    if (!isDwcpError(error) || !PAYLOAD_ERRORS.has(error.code)) return false;
    const actual = await Baseline.of(baseline.bytes).digestAsync(wanted.kind, this.#binding);
    if (digestEquals(actual, wanted)) return error.code === 'ERR_DWCP_FRAME_CHECKSUM';
    this.#bases.delete(key, wanted);
    return true;
  }

  async #nack(key: string, reason: NackReason, wanted: Digest): Promise<Nack> {
    this.#nacks[reason]++;
    const offer = reason === 'missing' ? await this.offer(key, wanted.kind) : undefined;
    return { reason, wanted, offer };
  }

  async #offerOf(version: Version, digestKind: DigestKind): Promise<Offer> {
    const { baseline } = version;
    const { native, signatures = true } = this.#options;
    const held = await baseline.digestAsync(digestKind, this.#binding);
    this.#bases.name(version, held);
    if (!signatures || baseline.sizeBytes < SIGNATURE_FROM_BYTES) return { held };
    const made = await signature(baseline, { digestKind, native });
    return made.length <= this.#limits.maxSignatureBytes ? { held, signature: made } : { held };
  }
}
