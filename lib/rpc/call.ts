/**
 * One call: attempts, retries, hedges, deadline and cancellation. First answer wins, losers are
 * cancelled. The rules:
 * - refused (not executed) or lost before it left: another endpoint, in the same turn;
 * - lost afterwards: another endpoint if idempotent, otherwise the error goes to the caller;
 * - late: the endpoint is judged; if silent, every idempotent call waiting on it gets a second attempt,
 *   free of budget; if others were answered meanwhile it is a tail, hedged within the budget;
 * - never the same endpoint twice in a call, until none is left and one comes back.
 */
import { onAbort } from '../abort.ts';
import type { Budget, Lease } from '../balancing/index.ts';
import type { Clock, Timer } from '../clock.ts';
import { DwcpError, isDwcpError } from '../errors.ts';
import type { Attempt, Outcome } from './attempt.ts';
import { headerOf, type CallSpec } from './call-spec.ts';
import { asError, hopeless, mayComeBack, refusalError, tooOld, unbudgeted } from './failures.ts';
import { remoteError } from './remote-error.ts';
import type { Route, Waiter } from './route.ts';
import type { Refusal } from './wire.ts';
import type { HeaderFields } from './wire-request.ts';

/** Counters the calls of a node share. */
export interface CallCounters {
  retried: number;
  hedged: number;
  hedgeWins: number;
}

/** What a call needs of its node. */
export interface CallEnvironment {
  readonly clock: Clock;
  readonly route: Route;
  readonly retryBudget: Budget;
  readonly hedgeBudget: Budget;
  readonly counters: CallCounters;
  /** Starts an attempt. Throws when the endpoint takes none. */
  start(
    nodeId: string,
    header: HeaderFields,
    payload: Uint8Array,
    done: (outcome: Outcome) => void,
  ): Attempt;
}

/** How a call ended, for observers. */
export interface CallResult {
  readonly payload?: Uint8Array | undefined;
  readonly error?: DwcpError | undefined;
  readonly nodeId: string | undefined;
  readonly attempts: number;
  readonly hedged: boolean;
}

interface Try {
  readonly nodeId: string;
  readonly lease: Lease;
  readonly hedge: boolean;
  attempt: Attempt | undefined;
  timer: Timer | undefined;
  late: boolean;
  rescued: boolean;
}

/** How long a call waits for an endpoint to come, at most, ms. */
const waitForEndpointMs = 1_000;
/** A timer this late means our own loop stalled: read what arrived before judging the peer, ms. */
const loopLagMs = 5;
/** Silence after which even a call that cannot be hedged may be the trial of an endpoint, ms. */
const blindTrialAfterMs = 1_000;
/** Sending time granted to large requests before an answer counts as late. */
const assumedBytesPerMs = 10_000;
/** A request that kills whoever takes it must not tour the cluster; what was never sent kills nobody. */
const maxAttempts = 6;

/** A call under way; create it, then `start()`. */
export class Call implements Waiter {
  readonly #spec: CallSpec;
  readonly #env: CallEnvironment;
  readonly #settle: (result: CallResult) => void;
  readonly #deadlineAtMs: number;
  /** Monotonic ms of its beginning. */
  readonly startMs: number;
  /** Under way; nearly always one. */
  #tries: Try[] = [];
  /** Nodes not to use again; made when the first attempt was not enough. */
  #tried: Set<string> | undefined;
  #attempts = 0;
  #hedged = false;
  #open = true;
  #deadline: Timer | undefined;
  #unlisten: (() => void) | undefined;
  #wait: Timer | undefined;
  #lastError: DwcpError | undefined;

  constructor(spec: CallSpec, env: CallEnvironment, settle: (result: CallResult) => void) {
    this.#spec = spec;
    this.#env = env;
    this.#settle = settle;
    this.startMs = env.clock.monotonic();
    this.#deadlineAtMs = this.startMs + spec.deadlineMs;
    if (spec.exclude.length > 0) this.#tried = new Set(spec.exclude);
  }

  start(): void {
    const { signal, deadlineMs } = this.#spec;
    if (signal?.aborted) return this.#onAbort();
    this.#unlisten = onAbort(signal, this.#onAbort);
    this.#deadline = this.#env.clock.setTimer(() => this.#onDeadline(), Math.ceil(deadlineMs));
    if (!this.#launch(false)) this.#waitOrFail();
  }

  /** Ends the call with an error now. */
  cancel(error: DwcpError): void {
    this.#finish({ error });
  }

  rescue(nodeId: string): void {
    const stuck = this.#tries.find((entry) => entry.nodeId === nodeId);
    if (!stuck || stuck.rescued || !this.#open || !this.#spec.idempotent) return;
    if (this.#hedge() || this.#hedgeAgain()) stuck.rescued = true;
    else this.#env.route.waiting.add(this);
  }

  wake(): void {
    if (!this.#open) return;
    const unanswered = this.#tries.length > 0;
    if (unanswered ? this.#hedgeAgain() : this.#launchAgain()) this.#stopWaiting();
  }

  /** With every endpoint tried, those that lost the call and are back may have it once more. */
  #launchAgain(): boolean {
    this.#forgetTried();
    return this.#launch(false);
  }

  #forgetTried(): void {
    const underWay = this.#tries.map(({ nodeId }) => nodeId);
    this.#tried = new Set([...this.#spec.exclude, ...underWay]);
  }

  #hedgeAgain(): boolean {
    this.#forgetTried();
    return this.#hedge();
  }

  /** Starts an attempt on the best endpoint not tried yet; false when there is none. */
  #launch(hedge: boolean): boolean {
    const { idempotent, key } = this.#spec;
    while (this.#attempts < maxAttempts) {
      const lease = this.#env.route.picker.pick({
        exclude: this.#tried,
        key,
        trialAfterMs: idempotent ? 0 : blindTrialAfterMs,
      });
      if (!lease) return false;
      this.#tried ??= new Set();
      this.#tried.add(lease.endpoint.id);
      if (!this.#begin(lease, hedge)) continue;
      this.#attempts += 1;
      return true;
    }
    return false;
  }

  #begin(lease: Lease, hedge: boolean): boolean {
    const nodeId = lease.endpoint.id;
    const entry: Try = {
      nodeId,
      lease,
      hedge,
      attempt: undefined,
      timer: undefined,
      late: false,
      rescued: false,
    };
    try {
      const header = headerOf(this.#spec, this.#deadlineAtMs, lease.startMs);
      entry.attempt = this.#env.start(nodeId, header, this.#spec.payload, (outcome) =>
        this.#onOutcome(entry, outcome),
      );
    } catch (error) {
      this.#lastError = asError(error);
      if (tooOld(this.#lastError)) lease.abandon();
      else lease.fail();
      return false;
    }
    this.#tries.push(entry);
    this.#env.route.enter(nodeId, this);
    const delayMs = lease.hedgeDelayMs + this.#spec.payload.length / assumedBytesPerMs;
    this.#armLate(entry, delayMs, lease.startMs + delayMs);
    return true;
  }

  #armLate(entry: Try, delayMs: number, dueMs: number): void {
    entry.timer = this.#env.clock.setTimer(() => {
      const nowMs = this.#env.clock.monotonic();
      if (nowMs - dueMs > loopLagMs) this.#armLate(entry, 1, nowMs + 1);
      else this.#onLate(entry);
    }, Math.ceil(delayMs));
  }

  #onLate(entry: Try): void {
    entry.late = true;
    if (entry.lease.late()) return this.#env.route.silent(entry.nodeId);
    if (!this.#spec.idempotent || entry.rescued) return;
    if (this.#env.hedgeBudget.withdraw(this.#env.clock.monotonic())) entry.rescued = this.#hedge();
  }

  #hedge(): boolean {
    if (!this.#launch(true)) return false;
    this.#hedged = true;
    this.#env.counters.hedged += 1;
    return true;
  }

  #onOutcome(entry: Try, outcome: Outcome): void {
    if (!this.#open) return;
    const { nodeId } = entry;
    entry.timer?.cancel();
    this.#tries = this.#tries.length === 1 ? [] : this.#tries.filter((other) => other !== entry);
    this.#env.route.leave(nodeId, this);
    const tookMs = this.#env.clock.monotonic() - entry.lease.startMs;
    if (outcome.type === 'lost') return this.#onLost(entry, outcome.error, outcome.sent);
    if (outcome.type === 'expired') return this.#onExpired(entry);
    entry.lease.done(outcome.type === 'ok', tookMs);
    if (outcome.type === 'refused') return this.#onRefused(nodeId, outcome.reason);
    if (entry.hedge) this.#env.counters.hedgeWins += 1;
    if (outcome.type === 'ok') return this.#finish({ payload: outcome.payload }, nodeId);
    this.#finish({ error: remoteError(outcome, this.#spec.service, nodeId) }, nodeId);
  }

  #onLost(entry: Try, error: DwcpError, sent: boolean): void {
    entry.lease.fail();
    this.#lastError = error;
    if (sent && !this.#spec.idempotent) return this.#finish({ error }, entry.lease.endpoint.id);
    if (!sent) this.#attempts -= 1;
    // A lost link moves each of its calls once, however many; only resets draw on the budget.
    this.#retry(isDwcpError(error, 'ERR_DWCP_LINK_DOWN') || !sent);
  }

  /** The handler's clock reached the deadline a moment before ours. */
  #onExpired(entry: Try): void {
    entry.lease.fail();
    if (this.#tries.length === 0) this.#onDeadline();
  }

  #onRefused(nodeId: string, reason: Refusal): void {
    this.#lastError = refusalError(reason, this.#spec.service, nodeId);
    if (hopeless.has(reason)) return this.#finish({ error: this.#lastError }, nodeId);
    this.#retry(unbudgeted.has(reason));
  }

  #retry(free: boolean): void {
    const { retryBudget, counters, clock } = this.#env;
    if (free || retryBudget.withdraw(clock.monotonic())) {
      if (this.#launch(false)) {
        counters.retried += 1;
        return;
      }
    }
    if (this.#tries.length === 0) this.#waitOrFail();
  }

  /** No endpoint is left: wait for one if links may come back, else report the last error. */
  #waitOrFail(): void {
    const error = this.#lastError;
    if (error && !mayComeBack.has(error.code)) return this.#finish({ error });
    this.#env.route.waiting.add(this);
    this.#wait ??= this.#env.clock.setTimer(() => {
      const cause = this.#lastError;
      const message = `no live node serves ${this.#spec.service}`;
      this.#finish({ error: new DwcpError('ERR_DWCP_NO_ENDPOINT', message, { cause }) });
    }, waitForEndpointMs);
  }

  #stopWaiting(): void {
    this.#env.route.waiting.delete(this);
    this.#wait?.cancel();
    this.#wait = undefined;
  }

  readonly #onAbort = (): void => {
    const cause = this.#spec.signal?.reason;
    this.#finish({ error: new DwcpError('ERR_DWCP_ABORTED', undefined, { cause }) });
  };

  #onDeadline(): void {
    const { service, deadlineMs } = this.#spec;
    const message = `${service} was not answered within ${deadlineMs} ms`;
    this.#finish({
      error: new DwcpError('ERR_DWCP_DEADLINE', message, {
        cause: this.#lastError,
        detail: { service, deadlineMs, triedNodes: [...(this.#tried ?? [])] },
      }),
    });
  }

  #finish(result: Pick<CallResult, 'payload' | 'error'>, nodeId?: string): void {
    if (!this.#open) return;
    this.#open = false;
    this.#deadline?.cancel();
    this.#stopWaiting();
    this.#unlisten?.();
    const losers = this.#tries;
    this.#tries = [];
    for (const entry of losers) {
      entry.timer?.cancel();
      this.#env.route.leave(entry.nodeId, this);
      if (entry.late && isDwcpError(result.error, 'ERR_DWCP_DEADLINE')) entry.lease.fail();
      else entry.lease.abandon();
      entry.attempt?.cancel();
    }
    const { payload, error } = result;
    this.#settle({ payload, error, nodeId, attempts: this.#attempts, hedged: this.#hedged });
  }
}
