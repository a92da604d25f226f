/**
 * What an encoder chose and what it cost: counters by method and reason, and the channel
 * `dwcp:compression:choose`, published to only while somebody listens.
 */
import { channel } from 'node:diagnostics_channel';
import type { BaseStoreStats } from './base-store.ts';
import type { Method } from './frame-maker.ts';
import type { NackReason, Reason } from './peer-keys.ts';

/** One choice: what `dwcp:compression:choose` carries. */
export interface Choice {
  readonly key: string;
  /** The peer's id. */
  readonly peer: string;
  readonly method: Method;
  /** zstd level, or what corresponds; -100 where the link is faster than any codec. */
  readonly level: number;
  /** What there was to make it against. */
  readonly reason: Reason;
  readonly contentBytes: number;
  readonly frameBytes: number;
  /** Size of the base, for deltas against a version that is here, bytes. */
  readonly baseBytes: number | undefined;
  /** Time to make it; 0 when it was shared. */
  readonly encodeMs: number;
  /** True when it was made for another peer. */
  readonly shared: boolean;
}

/** Counters of one method. */
export interface MethodCounters {
  readonly frames: number;
  /** Frames that had been made for another peer. */
  readonly shared: number;
  readonly contentBytes: number;
  readonly frameBytes: number;
  readonly encodeMs: number;
}

/** A snapshot of an encoder. */
export interface EncoderStats {
  readonly methods: Readonly<Partial<Record<Method, MethodCounters>>>;
  readonly reasons: Readonly<Partial<Record<Reason, number>>>;
  readonly nacks: Readonly<Record<NackReason, number>>;
  readonly peers: number;
  /** Frames being made. */
  readonly encoding: number;
  readonly bases: BaseStoreStats;
  /** Frames kept for other peers. */
  readonly frames: { readonly sizeBytes: number; readonly maxBytes: number };
  /** Memory of peers' signatures, bytes. */
  readonly signatureBytes: number;
}

type Counters = { -readonly [K in keyof MethodCounters]: MethodCounters[K] };

const chooseChannel = channel('dwcp:compression:choose');

/** Counters of one encoder. */
export class EncoderCounters {
  readonly #methods = new Map<Method, Counters>();
  readonly #reasons = new Map<Reason, number>();
  readonly #nacks: Record<NackReason, number> = { missing: 0, chain: 0, damaged: 0 };

  chose(choice: Choice): void {
    const { method, reason, contentBytes, frameBytes, encodeMs, shared } = choice;
    let counters = this.#methods.get(method);
    if (!counters) {
      counters = { frames: 0, shared: 0, contentBytes: 0, frameBytes: 0, encodeMs: 0 };
      this.#methods.set(method, counters);
    }
    counters.frames++;
    if (shared) counters.shared++;
    counters.contentBytes += contentBytes;
    counters.frameBytes += frameBytes;
    counters.encodeMs += encodeMs;
    this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
    if (chooseChannel.hasSubscribers) chooseChannel.publish(choice);
  }

  nacked(reason: NackReason): void {
    this.#nacks[reason]++;
  }

  snapshot(): Pick<EncoderStats, 'methods' | 'reasons' | 'nacks'> {
    const methods: Partial<Record<Method, MethodCounters>> = {};
    for (const [method, counters] of this.#methods) methods[method] = { ...counters };
    const reasons: Partial<Record<Reason, number>> = Object.fromEntries(this.#reasons);
    return { methods, reasons, nacks: { ...this.#nacks } };
  }
}
