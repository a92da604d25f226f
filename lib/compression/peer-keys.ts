/**
 * What one peer is known to hold, key by key: only what it acknowledged becomes a base, never what was merely
 * sent. Acks may be lost, late, doubled or out of order: the newest acknowledged send wins, and what the peer
 * said it lacks is no base until it was sent again. Bounded; forgetting a key costs one whole value.
 */
import type { BaseStore, Version } from './base-store.ts';
import { digestEquals, digestName } from './digest.ts';
import type { Digest } from './types.ts';
import { ValueCache } from './value-cache.ts';

/** A version a peer holds, and how to make deltas against it without having it. */
export interface Offer {
  /** Digest of the version. */
  readonly held: Digest;
  /** What `signature` gave for it. */
  readonly signature?: Buffer | undefined;
}

/** Why a frame was not decoded: its base is not held, the chain was too long, or the base was not what it should be. */
export type NackReason = 'missing' | 'chain' | 'damaged';

/** A peer's answer to a frame it cannot decode. */
export interface Nack {
  readonly reason: NackReason;
  /** The base of that frame. */
  readonly wanted: Digest;
  /** What it holds instead. */
  readonly offer?: Offer | undefined;
}

/** Why a frame was made the way it was: what there was to make it against. */
export type Reason = 'base' | 'signature' | 'no-base' | 'base-evicted' | 'chain';

/** What a frame for a key can be made against. */
export interface Ground {
  readonly reason: Reason;
  readonly base?: Version | undefined;
  readonly signature?: Buffer | undefined;
  /** Deltas in a row up to the frame. */
  readonly depth: number;
}

interface Sent {
  readonly digest: Digest;
  /** Order of the version when it was sent. */
  readonly order: number;
  readonly depth: number;
}

interface KeyState {
  acked: Sent | undefined;
  /** Sends that were not acknowledged, oldest first. */
  sent: readonly Sent[];
  /** What the peer lacks, by name. */
  lost: readonly string[];
}

/** Keys remembered per peer. */
const MAX_KEYS = 16_384;
/** Sends of a key, and versions the peer lacks, that are remembered. */
const MAX_SENDS = 32;

/** The keys of one peer. */
export class PeerKeys {
  readonly #states = new ValueCache<KeyState>(MAX_KEYS);
  readonly #bases: BaseStore;
  readonly #signatures: ValueCache<Buffer>;
  readonly #id: string;
  readonly #maxChain: number;

  /** @param signatures shared by all peers, so that there is one bound. */
  constructor(id: string, bases: BaseStore, signatures: ValueCache<Buffer>, maxChain: number) {
    this.#id = id;
    this.#bases = bases;
    this.#signatures = signatures;
    this.#maxChain = maxChain;
  }

  /** Keys remembered. */
  get size(): number {
    return this.#states.stats.entries;
  }

  /** What the next frame of `key` is made against. */
  ground(key: string): Ground {
    const acked = this.#states.get(key)?.acked;
    if (acked && acked.depth >= this.#maxChain) return { reason: 'chain', depth: 0 };
    const base = acked && this.#bases.get(key, acked.digest);
    if (acked && base) return { reason: 'base', base, depth: acked.depth + 1 };
    const signature = this.#signatures.get(this.#name(key));
    if (signature) return { reason: 'signature', signature, depth: 1 };
    return { reason: acked ? 'base-evicted' : 'no-base', depth: 0 };
  }

  /** True while the version is what the peer acknowledged last. */
  wants({ key, digests }: Version): boolean {
    const acked = this.#states.get(key)?.acked;
    return acked !== undefined && digests.some((digest) => digestEquals(digest, acked.digest));
  }

  /** A frame with this content is on its way to the peer. */
  sent(key: string, digest: Digest, { order }: Version, depth: number): void {
    const state = this.#state(key);
    const others = state.sent.filter((other) => !digestEquals(other.digest, digest));
    state.sent = [...others.slice(1 - MAX_SENDS), { digest, order, depth }];
    state.lost = state.lost.filter((name) => name !== digestName(digest));
  }

  /** The peer decoded and keeps it. */
  acked(key: string, digest: Digest): void {
    const state = this.#state(key);
    if (state.lost.includes(digestName(digest))) return;
    const sent = state.sent.find((each) => digestEquals(each.digest, digest));
    const known = sent ?? this.#claimed(key, digest);
    if (!known || (state.acked && known.order < state.acked.order)) return;
    state.acked = known;
    state.sent = state.sent.filter((each) => each.order > known.order);
    this.#signatures.delete(this.#name(key));
  }

  /** The peer lacks a base. What it offers counts only while that base is the one deltas are made against. */
  nacked(key: string, { wanted, offer }: Nack): void {
    const state = this.#state(key);
    state.lost = [...state.lost.slice(1 - MAX_SENDS), digestName(wanted)];
    if (state.acked && !digestEquals(state.acked.digest, wanted)) return;
    state.acked = undefined;
    this.#signatures.delete(this.#name(key));
    if (offer) this.offered(key, offer);
  }

  /** The peer says what it holds, which counts for more than what it acknowledged before. */
  offered(key: string, { held, signature }: Offer): void {
    const state = this.#state(key);
    const name = this.#name(key);
    if (state.lost.includes(digestName(held))) return;
    state.acked = this.#claimed(key, held);
    this.#signatures.delete(name);
    if (!state.acked && signature) this.#signatures.set(name, signature, signature.length);
  }

  /** The peer holds nothing any more. */
  reset(): void {
    for (const key of this.#states.names()) this.#signatures.delete(this.#name(key));
    this.#states.clear();
  }

  /** A version this side has and did not send, or not lately. */
  #claimed(key: string, digest: Digest): Sent | undefined {
    const version = this.#bases.get(key, digest);
    return version && { digest, order: version.order, depth: version.depth };
  }

  #state(key: string): KeyState {
    let state = this.#states.get(key);
    if (!state) this.#states.set(key, (state = { acked: undefined, sent: [], lost: [] }), 1);
    return state;
  }

  #name(key: string): string {
    return `${this.#id.length} ${this.#id} ${key}`;
  }
}
