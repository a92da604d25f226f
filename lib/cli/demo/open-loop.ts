/**
 * Open-loop load: a call is due every 1/rate seconds whether or not earlier ones have returned, and
 * its latency counts from when it was due. A stalled caller therefore shows in the figures instead
 * of hiding in them (coordinated omission).
 */
import { systemClock, type Timer } from '../../clock.ts';
import { reasonOf } from '../command.ts';
import { machineMs, type CallRecord } from './protocol.ts';

const reportMs = 100;

/** Makes calls at a steady rate and hands over records in batches. */
export class OpenLoop {
  readonly #call: () => Promise<string>;
  readonly #report: (records: CallRecord[]) => void;
  readonly #intervalMs: number;
  readonly #underWay = new Set<Promise<void>>();
  #records: CallRecord[] = [];
  #dueMs = machineMs();
  #reportedMs = machineMs();
  #timer: Timer | undefined;

  /**
   * @param perSecond calls due per second
   * @param call makes one call, resolves with who served it
   * @param report takes finished records, about ten times a second
   */
  constructor(
    perSecond: number,
    call: () => Promise<string>,
    report: (records: CallRecord[]) => void,
  ) {
    this.#intervalMs = 1000 / perSecond;
    this.#call = call;
    this.#report = report;
    this.#tick();
  }

  /** Ends the load, waits for the calls under way, reports the rest. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    await Promise.all(this.#underWay);
    this.#flush();
  }

  #tick(): void {
    const nowMs = machineMs();
    for (; this.#dueMs <= nowMs; this.#dueMs += this.#intervalMs) this.#launch(this.#dueMs);
    if (nowMs - this.#reportedMs >= reportMs) this.#flush();
    this.#timer = systemClock.setTimer(() => this.#tick(), Math.max(0, this.#dueMs - machineMs()));
  }

  #launch(dueMs: number): void {
    const finish = (by: string | undefined, error: string | undefined): void => {
      this.#records.push({ dueMs, tookMs: machineMs() - dueMs, by, error });
      this.#underWay.delete(done);
    };
    const done: Promise<void> = this.#call().then(
      (by) => finish(by, undefined),
      (error: unknown) => finish(undefined, reasonOf(error)),
    );
    this.#underWay.add(done);
  }

  #flush(): void {
    this.#reportedMs = machineMs();
    if (this.#records.length === 0) return;
    this.#report(this.#records);
    this.#records = [];
  }
}
