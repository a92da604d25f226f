/**
 * A stream from this node: picks the nearest healthy endpoint as calls do, moves on while none has taken it,
 * then belongs to the one that did until the end. The rules:
 * - refused, or lost before it left: another endpoint, in the same turn;
 * - silent or lost before it was taken: another endpoint if idempotent; the former is cancelled first;
 * - taken: nothing is retried or hedged. Items already seen or sent cannot be unseen: only the caller knows
 *   how to go on from there.
 * The source is first asked for an item when an endpoint took the stream, so moving on loses none.
 */
import { onAbort } from '../abort.ts';
import type { Lease } from '../balancing/index.ts';
import type { Timer } from '../clock.ts';
import { DwcpError, isDwcpError } from '../errors.ts';
import type { CallEnvironment } from './call.ts';
import { headerOf, type CallSpec } from './call-spec.ts';
import { asError, hopeless, mayComeBack, refusalError, tooOld, unbudgeted } from './failures.ts';
import { Inbox } from './inbox.ts';
import { ItemSender } from './item-sender.ts';
import { remoteError, type ErrorReply } from './remote-error.ts';
import type { Waiter } from './route.ts';
import { StreamAttempt, type AttemptOwner } from './stream-attempt.ts';
import type { Stream } from '../transport/stream.ts';
import type { Refusal, WireLimits } from './wire.ts';
import { StreamKind } from './wire-request.ts';

/** A stream, checked. */
export interface StreamSpec extends CallSpec {
  readonly kind: StreamKind;
  /** Items to send, unless the kind is server. */
  readonly items: unknown;
  readonly idleTimeoutMs: number | undefined;
  /** Time for an endpoint to take it, ms. */
  readonly openTimeoutMs: number;
}

/** What a stream needs of its node. */
export interface StreamEnvironment extends Pick<
  CallEnvironment,
  'clock' | 'route' | 'retryBudget' | 'counters'
> {
  readonly limits: WireLimits;
  /** Opens a stream to a node. Throws when it takes none. */
  open(nodeId: string): Stream;
}

/** How a stream ended, for observers. */
export interface StreamResult {
  readonly error?: DwcpError | undefined;
  readonly nodeId: string | undefined;
  readonly attempts: number;
}

/** How long a stream waits for an endpoint to come, at most, ms. */
const waitForEndpointMs = 1_000;
/** An opening that kills whoever takes it must not tour the cluster. */
const maxAttempts = 6;

interface Try {
  readonly lease: Lease;
  readonly attempt: StreamAttempt;
  late: Timer | undefined;
}

/** A stream; create it, then `start()`. */
export class StreamCall implements Waiter, AttemptOwner {
  /** What the endpoint sends. */
  readonly inbox: Inbox;
  /** Reply of a client stream. */
  readonly reply: Promise<Buffer>;
  readonly #spec: StreamSpec;
  readonly #resolve: (payload: Buffer) => void;
  readonly #reject: (error: unknown) => void;
  #env!: StreamEnvironment;
  #settle: (result: StreamResult) => void = () => {};
  #deadlineAtMs = 0;
  #tried: Set<string>;
  #attempts = 0;
  #try: Try | undefined;
  #sender: ItemSender | undefined;
  #open = true;
  #taken = false;
  #progressMs = 0;
  #deadline: Timer | undefined;
  #opening: Timer | undefined;
  #idle: Timer | undefined;
  #wait: Timer | undefined;
  #unlisten: (() => void) | undefined;
  #lastError: DwcpError | undefined;

  /** `onFirst` is called when a reader asks for the first item. */
  constructor(spec: StreamSpec, onFirst: () => void) {
    this.#spec = spec;
    this.#tried = new Set(spec.exclude);
    this.inbox = new Inbox({
      decode: spec.codec.decode,
      onFirst,
      onGiveUp: (cause) =>
        this.#finish(
          isDwcpError(cause)
            ? cause
            : new DwcpError('ERR_DWCP_ABORTED', 'The reader stopped early.', { cause }),
        ),
    });
    let [resolve, reject]: [(payload: Buffer) => void, (error: unknown) => void] = [
      () => {},
      () => {},
    ];
    this.reply = new Promise((yes, no) => ([resolve, reject] = [yes, no]));
    // Whoever reads items learns of the end from them.
    this.reply.catch(() => {});
    [this.#resolve, this.#reject] = [resolve, reject];
  }

  /** Begins; `settle` is told how it ended. */
  start(env: StreamEnvironment, settle: (result: StreamResult) => void): void {
    const { signal, deadlineMs, openTimeoutMs } = this.#spec;
    const { clock } = env;
    this.#env = env;
    this.#settle = settle;
    this.#deadlineAtMs = clock.monotonic() + deadlineMs;
    if (signal?.aborted) return this.#onAbort();
    this.#unlisten = onAbort(signal, this.#onAbort);
    if (deadlineMs !== Number.POSITIVE_INFINITY) {
      this.#deadline = clock.setTimer(() => this.#onDeadline(deadlineMs), Math.ceil(deadlineMs));
    }
    this.#opening = clock.setTimer(() => this.#onDeadline(openTimeoutMs), openTimeoutMs);
    if (!this.#launch()) this.#waitOrFail();
  }

  /** Ends the stream with an error now. */
  cancel(error: DwcpError): void {
    this.#finish(error);
  }

  rescue(nodeId: string): void {
    if (this.#taken || !this.#spec.idempotent) return;
    if (this.#try?.lease.endpoint.id === nodeId) this.#moveOn();
  }

  wake(): void {
    if (!this.#open || this.#try) return;
    this.#tried = new Set(this.#spec.exclude);
    if (this.#launch()) this.#stopWaiting();
  }

  onAccepted(): void {
    const { clock } = this.#env;
    this.#taken = true;
    this.#opening?.cancel();
    this.#try!.late?.cancel();
    const { lease, attempt } = this.#try!;
    this.#env.route.leave(lease.endpoint.id, this);
    lease.stand(clock.monotonic() - lease.startMs);
    this.#progress();
    this.#armIdle();
    const { kind, items, codec } = this.#spec;
    if (kind === StreamKind.server) return;
    this.#sender = new ItemSender(attempt.stream, codec.encode, this.#env.limits.maxPayloadBytes);
    void this.#send(this.#sender, items);
  }

  onItems(items: Parameters<Inbox['push']>[0]): void | Promise<void> {
    this.#progress();
    return this.inbox.push(items);
  }

  onDone(payload: Buffer): void {
    this.#resolve(payload);
    this.inbox.end();
    this.#finish(undefined);
  }

  onError(reply: ErrorReply): void {
    const nodeId = this.#try!.lease.endpoint.id;
    const error = remoteError(reply, this.#spec.service, nodeId);
    this.inbox.fail(error);
    this.#finish(error, true);
  }

  onRefused(reason: Refusal): void {
    const { lease } = this.#leave();
    const nodeId = lease.endpoint.id;
    lease.done(false, this.#env.clock.monotonic() - lease.startMs);
    this.#lastError = refusalError(reason, this.#spec.service, nodeId);
    if (hopeless.has(reason)) return this.#finish(this.#lastError);
    this.#retry(unbudgeted.has(reason));
  }

  onLost(error: DwcpError, sent: boolean): void {
    const expired =
      error.code === 'ERR_DWCP_STREAM_RESET' && isDwcpError(error.cause, 'ERR_DWCP_DEADLINE');
    if (this.#taken) {
      if (expired) return this.#onDeadline(this.#spec.deadlineMs);
      this.#try!.lease.fail();
      this.inbox.fail(error);
      return this.#finish(error, true);
    }
    this.#leave().lease.fail();
    this.#lastError = error;
    if (sent && !this.#spec.idempotent) return this.#finish(error);
    this.#retry(isDwcpError(error, 'ERR_DWCP_LINK_DOWN') || !sent);
  }

  /** Starts an attempt on the best endpoint not tried yet; false when there is none. */
  #launch(): boolean {
    while (this.#attempts < maxAttempts) {
      const lease = this.#env.route.picker.pick({ exclude: this.#tried, key: this.#spec.key });
      if (!lease) return false;
      this.#tried.add(lease.endpoint.id);
      if (!this.#begin(lease)) continue;
      this.#attempts += 1;
      return true;
    }
    return false;
  }

  #begin(lease: Lease): boolean {
    const { clock, route, limits } = this.#env;
    const { kind, payload } = this.#spec;
    const nodeId = lease.endpoint.id;
    try {
      const stream = this.#env.open(nodeId);
      const header = headerOf(this.#spec, this.#deadlineAtMs, clock.monotonic());
      const attempt = new StreamAttempt(stream, { kind, header, payload }, limits, this);
      const late = clock.setTimer(() => {
        if (lease.late()) route.silent(nodeId);
      }, Math.ceil(lease.hedgeDelayMs));
      this.#try = { lease, attempt, late };
      route.enter(nodeId, this);
      return true;
    } catch (error) {
      this.#lastError = asError(error);
      if (tooOld(this.#lastError)) lease.abandon();
      else lease.fail();
      return false;
    }
  }

  /** Forgets the attempt under way. */
  #leave(): Try {
    const left = this.#try!;
    this.#try = undefined;
    left.late?.cancel();
    this.#env.route.leave(left.lease.endpoint.id, this);
    return left;
  }

  /** The endpoint that has the opening is silent: another may be faster. */
  #moveOn(): void {
    const before = this.#try!;
    if (!this.#launch()) return;
    before.late?.cancel();
    this.#env.route.leave(before.lease.endpoint.id, this);
    before.lease.abandon();
    before.attempt.cancel(new DwcpError('ERR_DWCP_ABORTED', 'moved to another node'));
    this.#env.counters.retried += 1;
  }

  #retry(free: boolean): void {
    const { retryBudget, counters, clock } = this.#env;
    if ((free || retryBudget.withdraw(clock.monotonic())) && this.#launch()) {
      counters.retried += 1;
      return;
    }
    this.#waitOrFail();
  }

  #waitOrFail(): void {
    const error = this.#lastError;
    if (error && !mayComeBack.has(error.code)) return this.#finish(error);
    this.#env.route.waiting.add(this);
    this.#wait ??= this.#env.clock.setTimer(() => {
      const cause = this.#lastError;
      const message = `no live node serves ${this.#spec.service}`;
      this.#finish(new DwcpError('ERR_DWCP_NO_ENDPOINT', message, { cause }));
    }, waitForEndpointMs);
  }

  #stopWaiting(): void {
    this.#env?.route.waiting.delete(this);
    this.#wait?.cancel();
    this.#wait = undefined;
  }

  async #send(sender: ItemSender, items: unknown): Promise<void> {
    try {
      const all = await sender.run(items);
      if (all && this.#open) await sender.finish(undefined);
    } catch (error) {
      // A stream that is gone tells so itself, and better.
      const gone = sender.broken && !isDwcpError(error, 'ERR_DWCP_LIMIT');
      if (!gone) this.#onSourceFailed(error);
    }
  }

  /** The caller's own error reaches the caller as it is; the handler learns that the caller gave up. */
  #onSourceFailed(error: unknown): void {
    if (!this.#open) return;
    this.#reject(error);
    this.inbox.abort(error);
    const told = isDwcpError(error)
      ? error
      : new DwcpError('ERR_DWCP_ABORTED', 'The source of items failed.', { cause: error });
    this.#finish(told);
  }

  #progress(): void {
    this.#progressMs = this.#env.clock.monotonic();
  }

  #armIdle(): void {
    const { idleTimeoutMs } = this.#spec;
    if (idleTimeoutMs === undefined) return;
    const { clock } = this.#env;
    const quietMs = clock.monotonic() - this.#progressMs;
    this.#idle = clock.setTimer(
      () => {
        const owed = this.inbox.awaited || this.#sender?.stalled === true;
        if (!owed) this.#progress();
        if (clock.monotonic() - this.#progressMs < idleTimeoutMs) return this.#armIdle();
        const text = `${this.#spec.service} was silent for ${idleTimeoutMs} ms`;
        this.#finish(new DwcpError('ERR_DWCP_DEADLINE', text, { detail: { idleTimeoutMs } }));
      },
      Math.max(1, Math.ceil(idleTimeoutMs - quietMs)),
    );
  }

  readonly #onAbort = (): void => {
    const cause = this.#spec.signal?.reason;
    this.#finish(new DwcpError('ERR_DWCP_ABORTED', undefined, { cause }));
  };

  #onDeadline(deadlineMs: number): void {
    const { service } = this.#spec;
    const what = this.#taken ? 'not finished' : 'taken by no node';
    this.#finish(
      new DwcpError('ERR_DWCP_DEADLINE', `${service} was ${what} within ${deadlineMs} ms`, {
        cause: this.#lastError,
        detail: { service, deadlineMs, triedNodes: [...this.#tried] },
      }),
    );
  }

  /** `keep` leaves what was received for the reader. */
  #finish(error: DwcpError | undefined, keep = false): void {
    if (!this.#open) return;
    this.#open = false;
    for (const timer of [this.#deadline, this.#opening, this.#idle]) timer?.cancel();
    this.#stopWaiting();
    this.#unlisten?.();
    this.#sender?.stop();
    const nodeId = this.#try?.lease.endpoint.id;
    if (this.#try) {
      const { lease, attempt } = this.#leave();
      if (isDwcpError(error, 'ERR_DWCP_DEADLINE') && !this.#taken) lease.fail();
      else lease.abandon();
      if (error && !keep) attempt.cancel(error);
      else attempt.stream.end();
    }
    if (error) {
      if (!keep) this.inbox.abort(error);
      this.#reject(error);
    }
    this.#settle({ error, nodeId, attempts: this.#attempts });
  }
}
