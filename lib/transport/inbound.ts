/**
 * The receiving half of a stream: checks, assembly and byte credit.
 * Invariant: allowance of the peer + owed bytes + bytes of unsettled messages = window. Credit of a partial
 * message is returned as it is assembled, of a complete one when its handler settles. The window doubles
 * when a whole one was consumed within about one round trip, so it ends near the bandwidth-delay product; over a long
 * path within several, so it ends at as many of them.
 */
import type { Clock } from '../clock.ts';
import { DwcpError } from '../errors.ts';
import type { LinkLimits } from '../limits.ts';
import { Assembly } from './assembly.ts';
import { type Frame, FrameFlag, Priority } from './frame-pipe.ts';
import type { BudgetUser, InboundBudget } from './inbound-budget.ts';
import { Joiner } from './joiner.ts';
import { priorityOf, sequenceOf } from './outbound.ts';
import { ownBytes } from './own-bytes.ts';

/** Credit is returned in pieces of window / 4, not per message. */
const grantShare = 4;
/** A window consumed within this many round trips was too small. */
const growthRtts = 2;
/**
 * Over a short round trip bytes come in bursts of the event loop: they are counted for so many ms, or every burst
 * would look like a fast path, and a window that is too large is a queue that urgent frames wait behind.
 */
const shortMeasureMs = 5;
/**
 * What streams below the urgent classes may have under way together while urgent frames pass: over a short round
 * trip this keeps the path busy, and is soon read.
 */
const besideUrgentBytes = 48 * 1024;
const leastBesideUrgentBytes = 16 * 1024;
/** Below this round trip, ms, the queue is not on the path but before the receiver, and a call waits for all of it. */
const nearRttMs = 1;
const nearBesideUrgentBytes = 24 * 1024;

/** From this round trip on, ms, a window grows faster than TCP opens its own, which would wait for it otherwise. */
const longRttMs = 5;
const longGrowth = 4;
/**
 * On a long path a window covers so many round trips: bbr has three under way until it knows the rate, and does not believe one
 * it saw while there was nothing to send; a lost segment holds back what comes for one or two more.
 */
const longGrowthRtts = 6;

/** What a receiving half needs of its connection. */
export interface InboundContext {
  readonly clock: Clock;
  readonly limits: LinkLimits;
  readonly budget: InboundBudget;
  /** Lowest round trip seen, ms; undefined until known. */
  minRttMs(): number | undefined;
  /** True while frames of the urgent classes come in. */
  urgent(): boolean;
}

/** A complete message and what its settling gives back. */
export interface InMessage {
  readonly bytes: Buffer;
  /** Credit not returned during assembly, bytes. */
  readonly creditBytes: number;
}

/** Takes messages that were not complete when their last frame came. */
export interface LateTaker {
  joined(message: InMessage): void;
}

/** The receiving half of one stream. */
export class Inbound implements BudgetUser {
  readonly #context: InboundContext;
  readonly #sendCredit: (bytes: number) => void;
  /** Made with the first large message. */
  #joiner: Joiner | undefined;
  #windowBytes: number;
  #allowanceBytes: number;
  #owedBytes = 0;
  #heldBytes = 0;
  #partial: Assembly | undefined;
  #sequence = 0;
  #finished = false;
  #closed = false;
  #consumedBytes = 0;
  #consumedSinceMs: number;
  #urgent = false;

  constructor(context: InboundContext, toleratedBytes: number, sendCredit: (n: number) => void) {
    this.#context = context;
    this.#sendCredit = sendCredit;
    this.#windowBytes = context.limits.initialCreditBytes;
    this.#allowanceBytes = toleratedBytes;
    this.#consumedSinceMs = context.clock.monotonic();
  }

  /** The peer half-closed, and all its messages were delivered. */
  get finished(): boolean {
    return this.#finished && (this.#joiner === undefined || this.#joiner.idle);
  }

  get windowBytes(): number {
    return this.#windowBytes;
  }

  /**
   * Takes one data frame; returns the message it completes, or gives it to `late` when it is put together.
   * @throws ERR_DWCP_PROTOCOL, ERR_DWCP_LIMIT; the stream must be reset then
   */
  accept(frame: Frame, late: LateTaker): InMessage | undefined {
    this.#check(frame);
    const sizeBytes = frame.payload.length;
    if (!this.#context.budget.charge(sizeBytes)) {
      throw limit('maxAssemblyBytes', 'The connection holds too many unfinished bytes');
    }
    this.#sequence = (this.#sequence + 1) & 3;
    this.#urgent = priorityOf(frame.flags) <= Priority.rpc;
    this.#allowanceBytes -= sizeBytes;
    const idle = this.#owedBytes + this.#heldBytes + this.#consumedBytes === 0;
    if (idle) this.#consumedSinceMs = this.#context.clock.monotonic();
    this.#finished = (frame.flags & FrameFlag.fin) !== 0;
    if ((frame.flags & FrameFlag.end) === 0) {
      if (sizeBytes > 0) this.#assemble(frame.payload);
      return undefined;
    }
    return this.#complete(frame.payload, late);
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
    const keptBytes = this.#besideUrgent();
    const dueBytes = this.#owedBytes - keptBytes;
    // Half of a small window at a time: smaller grants cut the value into more frames than it is worth.
    if (keptBytes > 0 && dueBytes * 2 < this.#windowBytes - keptBytes) return;
    if (this.#heldBytes >= this.#windowBytes || !this.#context.budget.mayGrant(this)) return;
    const bytes = dueBytes + this.#grow(dueBytes);
    this.#owedBytes = keptBytes;
    this.#allowanceBytes += bytes;
    this.#sendCredit(bytes);
  }

  /** The stream is over: drops what was assembled. Messages with handlers stay charged until settled. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const partialBytes = this.#partialBytes;
    this.#partial = undefined;
    this.#context.budget.forget(this);
    this.#context.budget.releaseGrowth(this.#windowBytes - this.#context.limits.initialCreditBytes);
    this.#context.budget.release(partialBytes + (this.#joiner?.clear() ?? 0));
  }

  /** Credit that is owed and kept back, so that urgent frames do not wait behind what it would bring. */
  #besideUrgent(): number {
    if (this.#urgent || !this.#context.urgent()) return 0;
    const rttMs = this.#context.minRttMs();
    if (rttMs === undefined || rttMs >= longRttMs) return 0;
    const togetherBytes = rttMs < nearRttMs ? nearBesideUrgentBytes : besideUrgentBytes;
    const shareBytes = togetherBytes / Math.max(1, this.#context.budget.partials);
    const windowBytes = Math.max(shareBytes, leastBesideUrgentBytes);
    return Math.max(0, this.#windowBytes - windowBytes);
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

  get #partialBytes(): number {
    return this.#partial?.sizeBytes ?? 0;
  }

  #assemble(payload: Uint8Array): void {
    if (!this.#partial) {
      this.#context.budget.beginPartial(this);
      this.#partial = new Assembly(this.#context.limits.maxMessageBytes);
    }
    this.#partial.append(payload);
    this.#owedBytes += payload.length;
    this.grant();
  }

  #complete(payload: Uint8Array, late: LateTaker): InMessage | undefined {
    const creditBytes = payload.length;
    const partial = this.#partial;
    this.#heldBytes += this.#partialBytes + creditBytes;
    if (!partial && this.#joiner?.idle !== false) {
      return { bytes: ownBytes(payload), creditBytes };
    }
    this.#partial = undefined;
    const whole = partial ?? new Assembly(creditBytes);
    whole.append(payload);
    if (partial) this.#context.budget.endPartial(this);
    const bytes = this.#joiner?.idle === false ? undefined : whole.finish();
    if (bytes) return { bytes, creditBytes };
    this.#joiner ??= new Joiner(this.#context.clock);
    this.#joiner.finish(whole, (joined) => late.joined({ bytes: joined, creditBytes }));
    return undefined;
  }

  #grow(consumedBytes: number): number {
    this.#consumedBytes += consumedBytes;
    const rttMs = this.#context.minRttMs();
    if (this.#consumedBytes < this.#windowBytes || rttMs === undefined) return 0;
    const now = this.#context.clock.monotonic();
    const elapsedMs = now - this.#consumedSinceMs;
    const long = rttMs >= longRttMs;
    if (!long && elapsedMs < shortMeasureMs) return 0;
    const spanMs = rttMs * (long ? longGrowthRtts : growthRtts);
    const fast = this.#consumedBytes * spanMs >= this.#windowBytes * elapsedMs;
    this.#consumedBytes = 0;
    this.#consumedSinceMs = now;
    if (!fast) return 0;
    const factor = long ? longGrowth : 2;
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
