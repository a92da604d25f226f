/** Pings of one connection: which are unanswered, and what the answers say about the round trip. */

/** Unanswered pings remembered; a peer that answers none gets no more. */
const maxPending = 16;
/** Weight of a new sample in the smoothed round trip (RFC 6298 alpha). */
const alpha = 1 / 8;

/** A round trip below this, ms, is believed after so many answers: the first are those of cold code. */
const shortMs = 5;
const shortSamples = 4;

interface PendingPing {
  readonly id: number;
  readonly sentMs: number;
}

/** Round-trip bookkeeping. */
export class PingProbe {
  #pending: PendingPing[] = [];
  #lastId = 0;
  #rttMs: number | undefined;
  #minRttMs: number | undefined;
  #samples = 0;

  /** Smoothed round trip, ms. */
  get rttMs(): number | undefined {
    return this.#rttMs;
  }

  /** Lowest round trip seen, ms; undefined until it can be believed. */
  get minRttMs(): number | undefined {
    return this.wantsMore && (this.#minRttMs ?? 0) < shortMs ? undefined : this.#minRttMs;
  }

  /** Another ping should follow at once. */
  get wantsMore(): boolean {
    return this.#samples < shortSamples;
  }

  /** When the oldest unanswered ping was sent. */
  get pendingSinceMs(): number | undefined {
    return this.#pending[0]?.sentMs;
  }

  /** The payload of a new ping; undefined when too many wait already. */
  next(nowMs: number): Buffer | undefined {
    if (this.#pending.length >= maxPending) return undefined;
    this.#lastId = (this.#lastId + 1) >>> 0;
    this.#pending.push({ id: this.#lastId, sentMs: nowMs });
    const payload = Buffer.alloc(8);
    payload.writeUInt32LE(this.#lastId, 0);
    return payload;
  }

  /** Takes a pong; false when nobody asked for it. An answer settles all older pings too. */
  answered(payload: Buffer, nowMs: number): boolean {
    const id = payload.readUInt32LE(0);
    const at = this.#pending.findIndex((ping) => ping.id === id);
    if (at < 0) return false;
    this.#samples++;
    const sampleMs = nowMs - this.#pending[at]!.sentMs;
    this.#pending.splice(0, at + 1);
    this.#rttMs =
      this.#rttMs === undefined ? sampleMs : this.#rttMs + alpha * (sampleMs - this.#rttMs);
    this.#minRttMs = Math.min(this.#minRttMs ?? sampleMs, sampleMs);
    return true;
  }
}
