/**
 * Bytes one connection holds for its peer: partly assembled messages and messages whose handler has not
 * settled. Above the soft limit credit is withheld from every stream but one, the oldest with a partial
 * message, which therefore always completes: no deadlock. Windows may grow by half the soft limit together,
 * so what is on its way when credit stops still fits below the hard limit.
 */

/** A receiving half as the budget sees it. */
export interface BudgetUser {
  /** Credit that was withheld may be granted now. */
  grant(): void;
}

/** The account of one connection. */
export class InboundBudget {
  readonly #softBytes: number;
  readonly #hardBytes: number;
  readonly #partial = new Set<BudgetUser>();
  readonly #withheld = new Set<BudgetUser>();
  #bytes = 0;
  #growthBytes = 0;

  constructor(softBytes: number, maxMessageBytes: number) {
    this.#softBytes = softBytes;
    this.#hardBytes = 2 * softBytes + maxMessageBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Streams with a message under way. */
  get partials(): number {
    return this.#partial.size;
  }

  /** Takes bytes on; false when that would pass the hard limit. */
  charge(sizeBytes: number): boolean {
    if (this.#bytes + sizeBytes > this.#hardBytes) return false;
    this.#bytes += sizeBytes;
    return true;
  }

  /** Gives bytes back, and lets withheld streams go on. */
  release(sizeBytes: number): void {
    this.#bytes -= sizeBytes;
    this.#wake();
  }

  /** Lets a window grow, if there is room for it. */
  reserveGrowth(sizeBytes: number): boolean {
    if (2 * (this.#growthBytes + sizeBytes) > this.#softBytes) return false;
    this.#growthBytes += sizeBytes;
    return true;
  }

  /** A window that had grown is gone. */
  releaseGrowth(sizeBytes: number): void {
    this.#growthBytes -= sizeBytes;
  }

  beginPartial(user: BudgetUser): void {
    this.#partial.add(user);
  }

  endPartial(user: BudgetUser): void {
    if (this.#partial.delete(user)) this.#wake();
  }

  /** The stream is gone. */
  forget(user: BudgetUser): void {
    this.#withheld.delete(user);
    this.endPartial(user);
  }

  /** May this stream have credit now? If not, its `grant` is called when it may. */
  mayGrant(user: BudgetUser): boolean {
    if (this.#bytes < this.#softBytes || this.#lead() === user) return true;
    this.#withheld.add(user);
    return false;
  }

  #lead(): BudgetUser | undefined {
    for (const first of this.#partial) return first;
    return undefined;
  }

  #wake(): void {
    if (this.#withheld.size === 0) return;
    const candidates = this.#bytes < this.#softBytes ? [...this.#withheld] : [this.#lead()];
    for (const user of candidates) {
      if (user && this.#withheld.delete(user)) user.grant();
    }
  }
}
