/**
 * An in-memory network of `Links` on a simulated clock: messages take a one-way delay, nodes can be killed,
 * frozen and thawed, links cut. Streams follow the contract of lib/transport/stream.ts.
 */
import { EventEmitter } from 'node:events';
import { DwcpError, type ErrorCode } from '../../lib/errors.ts';
import type { Channel, Hello, Link, LinkEvents, LinkStats, Links } from '../../lib/links/link.ts';
import type { SendOptions, Stream } from '../../lib/transport/stream.ts';
import type { StallingClock } from './clock.ts';

export interface FakeNodeOptions {
  readonly nodeId: string;
  readonly region: string;
}

/** The nodes and what lies between them. */
export class FakeNetwork {
  readonly clock: StallingClock;
  readonly #nodes = new Map<string, FakeLinks>();

  constructor(clock: StallingClock) {
    this.clock = clock;
  }

  node(nodeId: string, region: string): FakeLinks {
    const links = new FakeLinks(this, { nodeId, region });
    this.#nodes.set(nodeId, links);
    return links;
  }

  /** Links two nodes, `delayMs` one way. */
  connect(a: FakeLinks, b: FakeLinks, delayMs: number): void {
    const pair = FakeLink.pair(this, a, b, delayMs);
    a.attach(pair[0]);
    b.attach(pair[1]);
  }

  /** The node dies: its peers see their links fall now. */
  kill(node: FakeLinks): void {
    node.dead = true;
    for (const link of Array.from(node.all())) link.close();
  }

  /** The node stops reading and running; its links stay up. */
  freeze(node: FakeLinks): void {
    node.frozen = [];
  }

  thaw(node: FakeLinks): void {
    const queued = node.frozen ?? [];
    node.frozen = undefined;
    for (const deliver of queued) deliver();
    // A live link answers the pings it finds.
    for (const link of node.all()) link.transmit(() => {});
  }
}

export class FakeLinks extends EventEmitter<LinkEvents> implements Links {
  readonly network: FakeNetwork;
  readonly self: FakeNodeOptions;
  dead = false;
  frozen: (() => void)[] | undefined;
  allow: (verb: string, namespace: string) => boolean = () => true;
  readonly #links = new Map<string, FakeLink>();
  readonly #handlers = new Map<number, (link: Link, stream: Stream) => void>();

  constructor(network: FakeNetwork, self: FakeNodeOptions) {
    super();
    this.network = network;
    this.self = self;
  }

  attach(link: FakeLink): void {
    this.#links.set(link.peer.nodeId, link);
    this.emit('up', link);
  }

  detach(link: FakeLink, error: DwcpError): void {
    if (this.#links.get(link.peer.nodeId) !== link) return;
    this.#links.delete(link.peer.nodeId);
    this.emit('down', link, error);
  }

  /** Runs `fn` here, or when this node thaws; never on a dead node. */
  deliver(fn: () => void): void {
    if (this.dead) return;
    if (this.frozen) this.frozen.push(fn);
    else fn();
  }

  dispatch(link: FakeLink, stream: FakeStream): void {
    const handler = this.#handlers.get(stream.channel);
    if (handler) handler(link, stream);
    else stream.reset('ERR_DWCP_PROTOCOL');
  }

  handle(channel: Channel, onStream: (link: Link, stream: Stream) => void): void {
    this.#handlers.set(channel, onStream);
  }

  authorize(_link: Link, verb: string, namespace: string): boolean {
    return this.allow(verb, namespace);
  }

  get(nodeId: string): FakeLink | undefined {
    return this.#links.get(nodeId);
  }

  all(): readonly FakeLink[] {
    return [...this.#links.values()];
  }

  listen(): never {
    throw new Error('not in the fake');
  }

  stats(): never {
    throw new Error('not in the fake');
  }

  dial(): void {}

  forget(): void {}

  async close(): Promise<void> {
    for (const link of this.#links.values()) link.close();
  }
}

export class FakeLink implements Link {
  readonly peer: Hello;
  readonly tier = 'simulated';
  readonly secure = false;
  readonly remoteAddress = 'fake';
  readonly pingPendingSinceMs: number | undefined = undefined;
  readonly streams: Set<FakeStream> = new Set();
  readonly delayMs: number;
  readonly owner: FakeLinks;
  lastHeardMs = 0;
  /** Sends fail before anything leaves, as with a full send queue. */
  full = false;
  other!: FakeLink;
  #down = false;

  constructor(owner: FakeLinks, peer: FakeNodeOptions, delayMs: number) {
    this.owner = owner;
    this.delayMs = delayMs;
    this.peer = {
      ...peer,
      wireMin: 1,
      wireMax: 2,
      cluster: 'test',
      incarnation: 1,
      advertise: undefined,
      codecs: [],
      digests: [],
      maxMessageBytes: 1 << 20,
      policies: {},
    };
  }

  static pair(
    _net: FakeNetwork,
    a: FakeLinks,
    b: FakeLinks,
    delayMs: number,
  ): [FakeLink, FakeLink] {
    const left = new FakeLink(a, b.self, delayMs);
    const right = new FakeLink(b, a.self, delayMs);
    left.other = right;
    right.other = left;
    return [left, right];
  }

  get rttMs(): number {
    return this.delayMs * 2;
  }

  open(channel: Channel): Stream {
    if (this.#down) throw new DwcpError('ERR_DWCP_LINK_DOWN');
    const mine = new FakeStream(this, channel);
    const theirs = new FakeStream(this.other, channel);
    mine.other = theirs;
    theirs.other = mine;
    mine.transmit(() => this.other.owner.dispatch(this.other, theirs));
    return mine;
  }

  /** Carries an event to the other side after the delay. */
  transmit(fn: () => void): void {
    const { clock } = this.owner.network;
    clock.setTimer(() => {
      if (this.#down) return;
      this.other.owner.deliver(() => {
        this.other.lastHeardMs = clock.monotonic();
        fn();
      });
    }, this.delayMs);
  }

  close(): void {
    if (this.#down) return;
    this.#down = true;
    const error = new DwcpError('ERR_DWCP_LINK_DOWN', 'cut');
    for (const stream of Array.from(this.streams)) stream.closed(error);
    this.owner.detach(this, error);
    this.other.close();
  }

  stats(): LinkStats {
    const none = { bytesIn: 0, bytesOut: 0, framesIn: 0, framesOut: 0, bufferedBytes: 0 };
    return { ...none, rttMs: this.rttMs, streams: this.streams.size, sendQueueBytes: 0 };
  }
}

let nextStream = 0;

export class FakeStream implements Stream {
  readonly id: number = (nextStream += 1);
  readonly channel: number;
  readonly link: FakeLink;
  other!: FakeStream;
  #onMessage: ((message: Buffer) => void | Promise<void>) | undefined;
  #onEnd: (() => void) | undefined;
  #onClose: ((error: DwcpError | undefined) => void) | undefined;
  #closed = false;
  #ended = false;
  #peerEnded = false;

  constructor(link: FakeLink, channel: number) {
    this.link = link;
    this.channel = channel;
    link.streams.add(this);
  }

  transmit(fn: () => void): void {
    this.link.transmit(fn);
  }

  async send(parts: Uint8Array | readonly Uint8Array[], options: SendOptions = {}): Promise<void> {
    if (this.#closed) throw new DwcpError('ERR_DWCP_LINK_DOWN');
    if (this.link.full) throw new DwcpError('ERR_DWCP_LIMIT');
    const message = Buffer.concat(parts instanceof Uint8Array ? [parts] : parts);
    this.transmit(() => this.other.received(message));
    if (options.end) this.end();
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
    if (this.#ended || this.#closed) return;
    this.#ended = true;
    this.transmit(() => this.other.peerEnded());
    if (this.#peerEnded) this.closed(undefined);
  }

  reset(code: ErrorCode, text?: string): void {
    if (this.#closed) return;
    const cause = new DwcpError(code, text);
    this.transmit(() => this.other.closed(new DwcpError('ERR_DWCP_STREAM_RESET', code, { cause })));
    this.closed(cause);
  }

  received(message: Buffer): void {
    if (!this.#closed) void this.#onMessage?.(message);
  }

  peerEnded(): void {
    if (this.#closed) return;
    this.#peerEnded = true;
    this.#onEnd?.();
    if (this.#ended) this.closed(undefined);
  }

  closed(error: DwcpError | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.link.streams.delete(this);
    this.#onClose?.(error);
  }

  onMessage(handler: (message: Buffer) => void | Promise<void>): void {
    this.#onMessage = handler;
  }

  onEnd(handler: () => void): void {
    this.#onEnd = handler;
  }

  onClose(handler: (error: DwcpError | undefined) => void): void {
    this.#onClose = handler;
  }
}
