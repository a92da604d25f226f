/**
 * The receiving half of a stream: checks, assembly and byte credit.
 * Invariant: allowance of the peer + owed bytes + bytes of unsettled messages = window. Credit of a partial
 * message is returned as it is assembled, of a complete one when its handler settles. The window doubles
 * when a whole one was consumed within about one round trip, so it ends near the bandwidth-delay product.
 */
import type { Clock } from '../clock.ts';
import { DwcpError } from '../errors.ts';
import type { LinkLimits } from '../limits.ts';
import { type Frame, FrameFlag } from './frame-pipe.ts';
import type { BudgetUser, InboundBudget } from './inbound-budget.ts';
import { sequenceOf } from './outbound.ts';

/** Credit is returned in pieces of window / 4, not per message. */
const grantShare = 4;
/** A window consumed within this many round trips was too small. */
const growthRtts = 2;

/** From this round trip on, ms, a window grows faster than TCP opens its own, which would wait for it otherwise. */
const longRttMs = 5;
const longGrowth = 4;

/** What a receiving half needs of its connection. */
export interface InboundContext {
  readonly clock: Clock;
  readonly limits: LinkLimits;
  readonly budget: InboundBudget;
  /** Lowest round trip seen, ms. */
  minRttMs(): number | undefined;
}

/** A complete message and what its settling gives back. */
export interface InMessage {
  readonly bytes: Buffer;
  /** Credit not returned during assembly, bytes. */
  readonly creditBytes: number;
}

/** The receiving half of one stream. */
export class Inbound implements BudgetUser {
  readonly #context: InboundContext;
  readonly #sendCredit: (bytes: number) => void;
  #windowBytes: number;
  #allowanceBytes: number;
  #owedBytes = 0;
  #heldBytes = 0;
  #partial: Buffer[] = [];
  #partialBytes = 0;
  #sequence = 0;
  #finished = false;
  #closed = false;
  #consumedBytes = 0;
  #consumedSinceMs: number;

  constructor(context: InboundContext, toleratedBytes: number, sendCredit: (n: number) => void) {
    this.#context = context;
    this.#sendCredit = sendCredit;
    this.#windowBytes = context.limits.initialCreditBytes;
    this.#allowanceBytes = toleratedBytes;
    this.#consumedSinceMs = context.clock.monotonic();
  }

  /** The peer half-closed. */
  get finished(): boolean {
    return this.#finished;
  }

  get windowBytes(): number {
    return this.#windowBytes;
  }

  /**
   * Takes one data frame; returns the message it completes.
   * @throws ERR_DWCP_PROTOCOL, ERR_DWCP_LIMIT; the stream must be reset then
   */
  accept(frame: Frame): InMessage | undefined {
    this.#check(frame);
    const sizeBytes = frame.payload.length;
    if (!this.#context.budget.charge(sizeBytes)) {
      throw limit('maxAssemblyBytes', 'The connection holds too many unfinished bytes');
    }
    this.#sequence = (this.#sequence + 1) & 3;
    this.#allowanceBytes -= sizeBytes;
    const idle = this.#owedBytes + this.#heldBytes + this.#consumedBytes === 0;
    if (idle) this.#consumedSinceMs = this.#context.clock.monotonic();
    this.#finished = (frame.flags & FrameFlag.fin) !== 0;
    if ((frame.flags & FrameFlag.end) === 0) {
      if (sizeBytes > 0) this.#assemble(frame.payload);
      return undefined;
    }
    const bytes = this.#complete(frame.payload);
    this.#heldBytes += bytes.length;
    return { bytes, creditBytes: sizeBytes };
  }

  /** The handler of a message is done with it. */
  settle(message: InMessage): void {
    this.#heldBytes -= message.bytes.length;
    this.#owedBytes += message.creditBytes;
    this.#context.budget.release(message.bytes.length);
    this.grant();
  }

  /** Returns owed credit, if it is worth a frame and nothing speaks against it. */
  grant(): void {
    if (this.#closed || this.#finished || this.#owedBytes * grantShare < this.#windowBytes) return;
    if (this.#heldBytes >= this.#windowBytes || !this.#context.budget.mayGrant(this)) return;
    const bytes = this.#owedBytes + this.#grow(this.#owedBytes);
    this.#owedBytes = 0;
    this.#allowanceBytes += bytes;
    this.#sendCredit(bytes);
  }

  /** The stream is over: drops what was assembled. Messages with handlers stay charged until settled. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const partialBytes = this.#partialBytes;
    this.#partial = [];
    this.#partialBytes = 0;
    this.#context.budget.forget(this);
    this.#context.budget.releaseGrowth(this.#windowBytes - this.#context.limits.initialCreditBytes);
    this.#context.budget.release(partialBytes);
  }

  #check({ flags, payload }: Frame): void {
    const ends = (flags & FrameFlag.end) !== 0;
    const fin = (flags & FrameFlag.fin) !== 0;
    if (this.#finished) throw protocol('Data after half-close');
    if (sequenceOf(flags) !== this.#sequence) throw protocol('A data frame is missing or moved');
    if (payload.length > this.#allowanceBytes) throw protocol('More bytes than credit');
    if (fin && !ends && (payload.length > 0 || this.#partialBytes > 0)) {
      throw protocol('Half-close inside a message');
    }
    if (payload.length === 0 && !ends && !fin) throw protocol('An empty frame that ends nothing');
    if (this.#partialBytes + payload.length > this.#context.limits.maxMessageBytes) {
      throw limit('maxMessageBytes', 'A message is longer than maxMessageBytes');
    }
  }

  #assemble(payload: Uint8Array): void {
    if (this.#partialBytes === 0) this.#context.budget.beginPartial(this);
    this.#partial.push(Buffer.from(payload));
    this.#partialBytes += payload.length;
    this.#owedBytes += payload.length;
    this.grant();
  }

  #complete(payload: Uint8Array): Buffer {
    if (this.#partialBytes === 0) return Buffer.from(payload);
    const bytes = Buffer.concat([...this.#partial, payload], this.#partialBytes + payload.length);
    this.#partial = [];
    this.#partialBytes = 0;
    this.#context.budget.endPartial(this);
    return bytes;
  }

  #grow(consumedBytes: number): number {
    this.#consumedBytes += consumedBytes;
    if (this.#consumedBytes < this.#windowBytes) return 0;
    const now = this.#context.clock.monotonic();
    const rttMs = Math.max(this.#context.minRttMs() ?? 0, 1);
    const fast = now - this.#consumedSinceMs <= growthRtts * rttMs;
    this.#consumedBytes = 0;
    this.#consumedSinceMs = now;
    if (!fast) return 0;
    const factor = rttMs < longRttMs ? 2 : longGrowth;
    const wanted = Math.min(this.#windowBytes * factor, this.#context.limits.maxCreditBytes);
    const growthBytes = wanted - this.#windowBytes;
    if (growthBytes <= 0 || !this.#context.budget.reserveGrowth(growthBytes)) return 0;
    this.#windowBytes = wanted;
    return growthBytes;
  }
}

function protocol(message: string): DwcpError {
  return new DwcpError('ERR_DWCP_PROTOCOL', message);
}

function limit(name: string, message: string): DwcpError {
  return new DwcpError('ERR_DWCP_LIMIT', message, { detail: { limit: name } });
}
