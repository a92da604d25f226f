/**
 * The hierarchy, sending side: for each value and peer the smallest frame that peer can read, made once for all
 * peers that hold the same base. No sockets, no timers: the user carries frames there and acks back. Memory is
 * bounded by `maxBaseBytes`; a base in use by a call in flight stays until the call is done.
 */
import { anything, checkOptions, having } from '../check-options.ts';
import { systemClock } from '../clock.ts';
import type { Clock } from '../clock.ts';
import { DwcpError, invalidArg } from '../errors.ts';
import { defaultLimits } from '../limits.ts';
import type { CodecLimits } from '../limits.ts';
import type { CodecBinding, NativeBinding } from '../native/contract.ts';
import { BaseStore } from './base-store.ts';
import type { Version } from './base-store.ts';
import { Baseline } from './baseline.ts';
import type { Form } from './codec-speeds.ts';
import type { Dictionary } from './dictionary.ts';
import { digestKinds, digestName } from './digest.ts';
import { EncoderPeer } from './encoder-peer.ts';
import type { PeerOptions } from './encoder-peer.ts';
import { EncoderCounters } from './encoder-stats.ts';
import type { Choice, EncoderStats } from './encoder-stats.ts';
import { makeFrame } from './frame-maker.ts';
import type { MadeFrame } from './frame-maker.ts';
import { inputBuffer } from './payload.ts';
import { PeerKeys } from './peer-keys.ts';
import type { Ground } from './peer-keys.ts';
import { LevelChooser } from './level-chooser.ts';
import { throwIfAborted } from './signal.ts';
import { bindingOf } from './tier.ts';
import type { Digest } from './types.ts';
import { ValueCache } from './value-cache.ts';

/** Options of {@link Encoder}. */
export interface EncoderOptions {
  /** Limits that differ from the defaults; `maxBaseBytes`, `maxBaseChain` and `maxSignatureBytes` matter here. */
  readonly limits?: Partial<CodecLimits> | undefined;
  /** For small values, to peers that say they have it. */
  readonly dictionary?: Dictionary | undefined;
  /** Level while the speed of a link is not known. Default 3. */
  readonly level?: number | undefined;
  /** Longest time above that level that a slow link may cost, as far as can be foretold, ms. Default 1,000. */
  readonly maxEncodeMs?: number | undefined;
  /** Measures what encoding takes. */
  readonly clock?: Pick<Clock, 'monotonic'> | undefined;
  /** The tier to use; the loaded one if absent. */
  readonly native?: NativeBinding | undefined;
}

/** Options of one `encode`. */
export interface EncodeForOptions {
  /** For whom; a peer of this encoder. */
  readonly peer: EncoderPeer;
  readonly signal?: AbortSignal | undefined;
}

/** A frame for a peer, and how it came about. */
export interface PeerFrame extends Choice {
  /** Shared with other peers: not to be changed. */
  readonly frame: Buffer;
  /** Digest of the value, which the peer acknowledges. */
  readonly digest: Digest;
  /** The version the peer needs to read it. */
  readonly base: Digest | undefined;
}

interface FrameRequest {
  readonly next: Baseline;
  readonly digest: Digest;
  readonly ground: Ground;
}

/** Memory of a kept frame beside its bytes; a small one keeps a piece of Node's buffer pool. */
const ENTRY_BYTES = 4 * 1024;
/** Versions of a key kept beside those that peers acknowledged. */
const MAX_VERSIONS = 8;
/** Share of `maxBaseBytes` for frames that more than one peer may want. */
const FRAME_SHARE = 1 / 8;
/** Signatures of peers that are kept, in the size of the largest. */
const MAX_SIGNATURES = 8;

const optionChecks = {
  limits: anything,
  dictionary: anything,
  level: ['an integer from -50 to 19', (value: unknown) => Number.isInteger(value)],
  maxEncodeMs: [
    'a number of ms above 0',
    (value: unknown) => typeof value === 'number' && value > 0,
  ],
  clock: having('monotonic'),
  native: anything,
} as const;

/**
 * Encodes values for peers.
 * @example
 * const encoder = new Encoder();
 * const peer = encoder.peer('eu-1', { codecs, digestKinds }); // as the peer announced them
 * const { frame } = await encoder.encode('catalog', value, { peer });
 * peer.acked('catalog', ack); // what the peer's Decoder gave for the frame
 */
export class Encoder {
  readonly #options: EncoderOptions;
  readonly #binding: CodecBinding;
  readonly #limits: CodecLimits;
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #bases: BaseStore;
  readonly #frames: ValueCache<MadeFrame>;
  readonly #signatures: ValueCache<Buffer>;
  readonly #peers = new Map<string, { peer: EncoderPeer; keys: PeerKeys }>();
  readonly #making = new Map<string, Promise<MadeFrame>>();
  readonly #levels: LevelChooser;
  readonly #counters = new EncoderCounters();

  /** @throws ERR_DWCP_INVALID_ARG */
  constructor(options: EncoderOptions = {}) {
    checkOptions('options', options, optionChecks);
    this.#options = options;
    this.#binding = bindingOf(options.native);
    this.#limits = { ...defaultLimits.codec, ...options.limits };
    this.#clock = options.clock ?? systemClock;
    this.#levels = new LevelChooser(this.#binding.abilities, options);
    const { maxBaseBytes, maxSignatureBytes } = this.#limits;
    this.#bases = new BaseStore(maxBaseBytes, MAX_VERSIONS);
    this.#frames = new ValueCache(maxBaseBytes * FRAME_SHARE);
    this.#signatures = new ValueCache(maxSignatureBytes * MAX_SIGNATURES);
  }

  /**
   * The peer of this name, new or known. A known one keeps what it acknowledged and takes the new options:
   * call it again after a reconnect.
   * @throws ERR_DWCP_INVALID_ARG
   * @example const peer = encoder.peer('eu-1', { digestKinds: [DigestKind.sha256] });
   */
  peer(id: string, options: PeerOptions = {}): EncoderPeer {
    if (typeof id !== 'string') invalidArg('id', 'a string', id);
    const known = this.#peers.get(id);
    if (known) {
      known.peer.configure(options);
      return known.peer;
    }
    const keys = new PeerKeys(id, this.#bases, this.#signatures, this.#limits.maxBaseChain);
    const peer = new EncoderPeer(id, options, {
      keys,
      binding: this.#binding,
      limits: this.#limits,
      nacked: (reason) => this.#counters.nacked(reason),
      close: () => this.#close(id, peer),
    });
    this.#peers.set(id, { peer, keys });
    return peer;
  }

  /**
   * Makes the frame of a value for a peer. Bytes are borrowed until the promise settles, and copied if they are
   * kept as a base; a `Baseline` is kept as it is, and its digest and index serve all peers.
   * @throws ERR_DWCP_INVALID_ARG, ERR_DWCP_ABORTED, ERR_DWCP_CLOSED (the peer)
   * @example
   * const version = Baseline.of(value);
   * for (const peer of peers) send(peer, (await encoder.encode(key, version, { peer })).frame);
   */
  async encode(
    key: string,
    next: Uint8Array | Baseline,
    { peer, signal }: EncodeForOptions,
  ): Promise<PeerFrame> {
    if (typeof key !== 'string') invalidArg('key', 'a string', key);
    throwIfAborted(signal);
    this.#keysOf(peer);
    const given = next instanceof Baseline ? next : Baseline.of(inputBuffer('next', next));
    const own = await given.digestAsync(digestKinds(this.#binding)[0]!, this.#binding);
    const digest = await given.digestAsync(peer.digestKind, this.#binding);
    throwIfAborted(signal);
    const keys = this.#keysOf(peer);
    const version = this.#admit(key, given, own, given === next);
    this.#bases.name(version, digest);
    const ground = keys.ground(key);
    const held = ground.base ? [version, ground.base] : [version];
    const [made, choice] = await this.#bases.hold(held, () =>
      this.#frameFor(peer, key, { next: given, digest, ground }),
    );
    throwIfAborted(signal);
    keys.sent(key, digest, version, made.base ? ground.depth : 0);
    this.#counters.chose(choice);
    return { ...choice, frame: made.frame, digest, base: made.base };
  }

  /** Forgets a key: its versions go, and the next frame of it is whole. */
  forget(key: string): void {
    this.#bases.delete(key);
  }

  /**
   * Every choice since the start, and what is held; a copy.
   * @example encoder.stats().methods.delta.frameBytes
   */
  stats(): EncoderStats {
    const { sizeBytes, maxBytes } = this.#frames.stats;
    return {
      ...this.#counters.snapshot(),
      peers: this.#peers.size,
      encoding: this.#making.size,
      bases: this.#bases.stats,
      frames: { sizeBytes, maxBytes },
      signatureBytes: this.#signatures.stats.sizeBytes,
    };
  }

  #keysOf(peer: EncoderPeer): PeerKeys {
    const known = this.#peers.get(peer.id);
    if (known?.peer === peer) return known.keys;
    throw new DwcpError('ERR_DWCP_CLOSED', `peer ${peer.id} is closed, or of another encoder`);
  }

  #close(id: string, peer: EncoderPeer): void {
    if (this.#peers.get(id)?.peer !== peer) return;
    peer.reset();
    this.#peers.delete(id);
  }

  #admit(key: string, given: Baseline, digest: Digest, isOwned: boolean): Version {
    const known = this.#bases.get(key, digest)?.baseline;
    const isWanted = (version: Version): boolean =>
      [...this.#peers.values()].some(({ keys }) => keys.wants(version));
    const baseline = known ?? (isOwned ? given : Baseline.of(copyOf(given.bytes), digest));
    return this.#bases.add(key, baseline, digest, { isWanted });
  }

  async #frameFor(
    peer: EncoderPeer,
    key: string,
    { next, digest, ground }: FrameRequest,
  ): Promise<readonly [MadeFrame, Choice]> {
    const form: Form = ground.base || ground.signature ? 'delta' : 'whole';
    const contentBytes = next.sizeBytes;
    const level = this.#levels.choose(key, form, contentBytes, peer.bytesPerMs);
    const { dictionary } = this.#options;
    const usable = dictionary && peer.dictionaries.includes(dictionary.id) ? dictionary : undefined;
    const plan = {
      next,
      digest,
      codecs: peer.codecs,
      level,
      base: ground.base?.baseline,
      signature: ground.signature,
      dictionary: usable,
      limits: this.#limits,
      native: this.#options.native,
    };
    const base =
      ground.base && (await ground.base.baseline.digestAsync(digest.kind, this.#binding));
    const name = `${digestName(digest)}<${base ? digestName(base) : ''}<${level}<${peer.codecs.join()}<${usable?.id ?? ''}`;
    const make = async (): Promise<MadeFrame> => {
      const from = this.#clock.monotonic();
      const made = await makeFrame(plan);
      const ms = this.#clock.monotonic() - from;
      encodeMs = ms;
      const frameBytes = made.frame.length;
      this.#levels.observe(key, { form, level, contentBytes, frameBytes, ms });
      return made;
    };
    let encodeMs = 0;
    // What a signature says is one peer's word, so a frame made from it is for that peer alone.
    const [made, shared] = ground.signature
      ? ([await make(), false] as const)
      : await this.#once(name, make);
    const choice: Choice = {
      key,
      peer: peer.id,
      method: made.method,
      level: made.level,
      reason: ground.reason,
      contentBytes,
      frameBytes: made.frame.length,
      baseBytes: made.base ? ground.base?.baseline.sizeBytes : undefined,
      encodeMs,
      shared,
    };
    return [made, choice];
  }

  /** The frame of this name, made at most once; true when it was there already. */
  async #once(
    name: string,
    make: () => Promise<MadeFrame>,
  ): Promise<readonly [MadeFrame, boolean]> {
    const kept = this.#frames.get(name) ?? this.#making.get(name);
    if (kept) return [await kept, true];
    const task = make().finally(() => this.#making.delete(name));
    this.#making.set(name, task);
    const made = await task;
    if (this.#peers.size > 1) this.#frames.set(name, made, made.frame.length + ENTRY_BYTES);
    return [made, false];
  }
}

/** A copy in memory of its own, so that keeping it keeps nothing else. */
function copyOf(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}
