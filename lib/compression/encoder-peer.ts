/** One peer of an {@link Encoder}: what it can read, what it holds, how fast the link to it is. */
import { checkOptions } from '../check-options.ts';
import { invalidArg } from '../errors.ts';
import type { CodecLimits } from '../limits.ts';
import type { CodecBinding } from '../native/contract.ts';
import { codecSetOf } from './codecs.ts';
import { digestKinds } from './digest.ts';
import { LinkRate } from './link-rate.ts';
import type { Goodput } from './link-rate.ts';
import type { Nack, NackReason, Offer, PeerKeys } from './peer-keys.ts';
import { parseSignature } from './signature-format.ts';
import { DigestKind } from './types.ts';
import type { Codec, Digest } from './types.ts';

/** What a peer announced. */
export interface PeerOptions {
  /** Codecs it reads, as `codecsOf().decode` says there; by default those of this tier. */
  readonly codecs?: readonly Codec[] | undefined;
  /** Digests it verifies fast, best first; by default those of this tier. `sha256` for one that is not trusted. */
  readonly digestKinds?: readonly DigestKind[] | undefined;
  /** Ids of the dictionaries it has. */
  readonly dictionaries?: readonly number[] | undefined;
}

/** What a peer needs of its encoder. */
export interface PeerParts {
  readonly keys: PeerKeys;
  readonly binding: CodecBinding;
  readonly limits: CodecLimits;
  readonly nacked: (reason: NackReason) => void;
  readonly close: () => void;
}

const numbers = [
  'an array of numbers',
  (value: unknown) => Array.isArray(value) && value.every((each) => typeof each === 'number'),
] as const;

/**
 * A peer. Made by `Encoder.peer`.
 * @example
 * const { ack, nack } = await decoder.decode(key, frame); // over there
 * if (ack) peer.acked(key, ack);
 * if (nack) peer.nacked(key, nack), send(await encoder.encode(key, value, { peer }));
 */
export class EncoderPeer {
  readonly id: string;
  readonly #parts: PeerParts;
  readonly #rate = new LinkRate();
  #codecs: readonly Codec[] = [];
  #digestKind: DigestKind = DigestKind.sha256;
  #dictionaries: readonly number[] = [];

  /** @throws ERR_DWCP_INVALID_ARG */
  constructor(id: string, options: PeerOptions, parts: PeerParts) {
    this.id = id;
    this.#parts = parts;
    this.configure(options);
  }

  /** Codecs it reads. */
  get codecs(): readonly Codec[] {
    return this.#codecs;
  }

  /** The digest its frames carry. */
  get digestKind(): DigestKind {
    return this.#digestKind;
  }

  /** Ids of its dictionaries. */
  get dictionaries(): readonly number[] {
    return this.#dictionaries;
  }

  /** Goodput of the link, bytes per ms; undefined until it was measured. */
  get bytesPerMs(): number | undefined {
    return this.#rate.bytesPerMs;
  }

  /**
   * Takes what the peer announced; what it holds stays.
   * @throws ERR_DWCP_INVALID_ARG
   */
  configure(options: PeerOptions): void {
    checkOptions('options', options, {
      codecs: numbers,
      digestKinds: numbers,
      dictionaries: numbers,
    });
    const { binding } = this.#parts;
    const own = digestKinds(binding);
    const { codecs, digestKinds: theirs = own, dictionaries = [] } = options;
    this.#codecs = codecs ?? codecSetOf(binding).decode;
    this.#digestKind = own.find((kind) => theirs.includes(kind)) ?? theirs[0] ?? DigestKind.sha256;
    this.#dictionaries = dictionaries;
  }

  /**
   * The peer decoded this version of `key` and keeps it: deltas may be made against it. Late, repeated and
   * unknown acks do no harm.
   */
  acked(key: string, digest: Digest): void {
    this.#parts.keys.acked(key, checkedDigest(digest));
  }

  /**
   * The peer could not decode a frame. Encode again: the next frame needs only what the peer has.
   * @throws ERR_DWCP_INVALID_ARG, ERR_DWCP_LIMIT, ERR_DWCP_FRAME_* for an offer that is none
   */
  nacked(key: string, nack: Nack): void {
    checkedDigest(nack.wanted);
    if (nack.offer) this.#checkOffer(nack.offer);
    this.#parts.nacked(nack.reason);
    this.#parts.keys.nacked(key, nack);
  }

  /**
   * What the peer holds of `key`, from its `Decoder.offer`: after a reconnect, or before the first frame.
   * @throws ERR_DWCP_INVALID_ARG, ERR_DWCP_LIMIT, ERR_DWCP_FRAME_* for an offer that is none
   */
  offered(key: string, offer: Offer): void {
    this.#checkOffer(offer);
    this.#parts.keys.offered(key, offer);
  }

  /** Bytes that arrived at the peer and the time they took: the level follows. */
  observe(goodput: Goodput): void {
    const { bytes, ms } = goodput;
    if (!(bytes >= 0)) invalidArg('goodput.bytes', 'a number of bytes', bytes);
    if (!(ms >= 0)) invalidArg('goodput.ms', 'a number of ms', ms);
    this.#rate.observe(goodput);
  }

  /** The peer lost everything it held, as after a restart without storage. */
  reset(): void {
    this.#parts.keys.reset();
  }

  /** Forgets the peer; frames for it are refused from now on. */
  close(): void {
    this.#parts.close();
  }

  #checkOffer({ held, signature }: Offer): void {
    checkedDigest(held);
    if (signature) parseSignature(this.#parts.binding, signature, this.#parts.limits);
  }
}

function checkedDigest(digest: Digest): Digest {
  const { kind, bytes } = digest;
  if (kind !== DigestKind.xxh3 && kind !== DigestKind.sha256) {
    invalidArg('digest.kind', 'a DigestKind', kind);
  }
  if (!Buffer.isBuffer(bytes) || bytes.length !== 16) {
    invalidArg('digest.bytes', 'a Buffer of 16 bytes', bytes);
  }
  return digest;
}
