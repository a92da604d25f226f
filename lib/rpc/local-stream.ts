/**
 * Two ends of a stream inside this node, for streams that a node serves to itself: same contract as one over a
 * link, without bytes crossing anything. Messages are copied, delivered in a later microtask, and a send
 * settles when the other end is done with the message, which is all the backpressure there is to it. Every few
 * messages wait for the event loop, or timers and sockets would wait for the end of the stream.
 */
import { nextTurn, type Clock } from '../clock.ts';
import { DwcpError, type ErrorCode } from '../errors.ts';
import { Channel } from '../links/link.ts';
import type { SendOptions, Stream } from '../transport/stream.ts';

type MessageHandler = (message: Buffer) => void | Promise<void>;

/** What one end may take of a turn: messages, of which one may be a batch of thousands of items, and ms. */
const perTurn = { messages: 64, ms: 5 };

/** One end. */
export class LocalStream implements Stream {
  readonly id: number = 0;
  readonly channel: number = Channel.rpc;
  readonly #peer: () => LocalStream;
  readonly #clock: Clock;
  #sentInTurn = 0;
  #turnMs: number;
  /** The next turn, when it is waited for. */
  #turn: Promise<void> | undefined;
  #onMessage: MessageHandler = () => {};
  #onEnd: () => void = () => {};
  #onClose: (error: DwcpError | undefined) => void = () => {};
  #ended = false;
  #closed = false;

  constructor(peer: () => LocalStream, clock: Clock) {
    this.#peer = peer;
    this.#clock = clock;
    this.#turnMs = clock.monotonic();
  }

  /** Two connected ends. */
  static pair(clock: Clock): [LocalStream, LocalStream] {
    const a: LocalStream = new LocalStream(() => b, clock);
    const b: LocalStream = new LocalStream(() => a, clock);
    return [a, b];
  }

  async send(parts: Uint8Array | readonly Uint8Array[], options: SendOptions = {}): Promise<void> {
    if (this.#closed || this.#ended) throw new DwcpError('ERR_DWCP_CLOSED', 'The stream ended');
    const message = Buffer.concat(parts instanceof Uint8Array ? [parts] : parts);
    if (options.end) this.#ended = true;
    await this.#later();
    const taken = this.#peer().#receive(message);
    if (options.end) this.#peer().#peerEnded();
    await taken;
  }

  post(
    parts: Uint8Array | readonly Uint8Array[],
    options: SendOptions,
    onSettled: (error: DwcpError | undefined) => void,
  ): void {
    this.send(parts, options).then(
      () => onSettled(undefined),
      (error: unknown) => onSettled(error as DwcpError),
    );
  }

  end(): void {
    if (this.#closed || this.#ended) return;
    this.#ended = true;
    void this.#later().then(() => this.#peer().#peerEnded());
  }

  reset(code: ErrorCode, text?: string): void {
    if (this.#closed) return;
    const cause = new DwcpError(code, text);
    this.#close(cause);
    const error = new DwcpError('ERR_DWCP_STREAM_RESET', cause.message, { cause });
    queueMicrotask(() => this.#peer().#close(error));
  }

  onMessage(handler: MessageHandler): void {
    this.#onMessage = handler;
  }

  onEnd(handler: () => void): void {
    this.#onEnd = handler;
  }

  onClose(handler: (error: DwcpError | undefined) => void): void {
    this.#onClose = handler;
  }

  /** A microtask, or the next turn when this one had its share; in the order of the calls. */
  #later(): Promise<void> {
    if (this.#turn) return this.#turn;
    this.#sentInTurn += 1;
    const spentMs = this.#clock.monotonic() - this.#turnMs;
    if (this.#sentInTurn < perTurn.messages && spentMs < perTurn.ms) return Promise.resolve();
    this.#turn = new Promise((resolve) => {
      nextTurn(this.#clock, () => {
        this.#sentInTurn = 0;
        this.#turnMs = this.#clock.monotonic();
        this.#turn = undefined;
        resolve();
      });
    });
    return this.#turn;
  }

  #receive(message: Buffer): void | Promise<void> {
    return this.#closed ? undefined : this.#onMessage(message);
  }

  #peerEnded(): void {
    if (this.#closed) return;
    this.#onEnd();
    if (this.#ended) {
      this.#close(undefined);
      this.#peer().#close(undefined);
    }
  }

  #close(error: DwcpError | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    queueMicrotask(() => this.#onClose(error));
  }
}
