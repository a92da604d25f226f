/**
 * The driver of membership: runs the pure core over links, dials new members and forgets gone ones. Owns
 * its gossip streams and one timer per member without a link. Full mesh: every node keeps a link
 * to every other; of two nodes the one with the smaller id dials first, the other only if no link came.
 */
import { EventEmitter } from 'node:events';
import { sleep } from '../clock.ts';
import type { Clock, Timer } from '../clock.ts';
import { addressKey } from '../links/address-key.ts';
import type { Link, Links } from '../links/link.ts';
import type { Random } from '../random.ts';
import { silentLogger } from '../telemetry/logger.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Address } from '../transport/frame-pipe.ts';
import { initialMembership, stepMembership } from './core.ts';
import type { MembershipInput, MembershipOutput, MembershipState } from './core.ts';
import type { Discovery } from './discovery.ts';
import { Gossip } from './gossip.ts';
import type { Member } from './member.ts';

/** Events of {@link Membership}. */
export interface MembershipEvents {
  join: [member: Member];
  update: [member: Member];
  /** It left in order, or was unreachable for `forgetAfterMs`. */
  leave: [member: Member];
  /** Another node claimed something wrong about this one, and was answered. */
  refuted: [claim: Member];
}

/** Numbers of membership for `status()`. */
export interface MembershipSnapshot {
  readonly self: Member;
  readonly members: readonly Member[];
  /** Malformed or refused gossip messages. */
  readonly rejected: number;
  /** Claims dropped because the table was full. */
  readonly overflows: number;
}

/** Options of {@link Membership}. */
export interface MembershipOptions {
  readonly links: Links;
  /** This node; `version` and `state` are minted here. */
  readonly self: Pick<Member, 'nodeId' | 'incarnation' | 'region' | 'address'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly discovery?: Discovery;
  /** A member without a link is forgotten after this, ms. */
  readonly forgetAfterMs?: number;
  readonly logger?: Logger;
}

const dialFirstMs = 30;
const dialSecondMs = 400;
const leftForgetMs = 60_000;

/**
 * Who is in the cluster.
 * @example
 * const membership = new Membership({ links, self, clock, random, discovery: seeds([seed]) });
 * membership.on('join', ({ nodeId, region }) => console.log(nodeId, 'joined in', region));
 */
export class Membership extends EventEmitter<MembershipEvents> {
  readonly #links: Links;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #forgetAfterMs: number;
  readonly #gossip: Gossip;
  readonly #dialled = new Map<string, Address>();
  readonly #seeds = new Map<string, Address>();
  readonly #dialTimers = new Map<string, Timer>();
  readonly #forgetTimers = new Map<string, Timer>();
  readonly #discovery: Discovery | undefined;
  readonly #stopDiscovery: () => void;
  #announcing = new AbortController();
  readonly #onUp = (link: Link): void => this.#linkUp(link);
  readonly #onDown = (link: Link): void => this.#linkDown(link);
  #state: MembershipState;
  #closed = false;

  constructor(options: MembershipOptions) {
    super();
    this.#links = options.links;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#logger = options.logger ?? silentLogger;
    this.#forgetAfterMs = options.forgetAfterMs ?? 900_000;
    this.#state = initialMembership({ ...options.self, version: 0, state: 'alive' });
    this.#gossip = new Gossip({
      links: this.#links,
      logger: this.#logger,
      table: () => [this.#state.self, ...this.#state.members.values()],
      onClaims: (from, members) => this.#step({ kind: 'claims', from, members }),
    });
    this.#links.on('up', this.#onUp);
    this.#links.on('down', this.#onDown);
    for (const link of this.#links.all()) this.#linkUp(link);
    this.#discovery = options.discovery;
    this.#tellDiscovery();
    this.#stopDiscovery =
      options.discovery?.watch((addresses) => this.#discovered(addresses)) ?? (() => {});
  }

  /** This node's own claim. */
  get self(): Member {
    return this.#state.self;
  }

  /** The other members that are in; a copy. */
  members(): readonly Member[] {
    return [...this.#state.members.values()].filter(({ state }) => state === 'alive');
  }

  get(nodeId: string): Member | undefined {
    const member = this.#state.members.get(nodeId);
    return member?.state === 'alive' ? member : undefined;
  }

  snapshot(): MembershipSnapshot {
    const { self, overflows } = this.#state;
    return { self, members: this.members(), rejected: this.#gossip.rejected, overflows };
  }

  /** Tells everyone a new address or region of this node. */
  announce(self: Pick<Member, 'address' | 'region'>): void {
    this.#step({ kind: 'announce', self });
    this.#tellDiscovery();
  }

  /** Tells everyone that this node goes, and waits until it was sent, at most `timeoutMs`. */
  async leave(timeoutMs = 1_000): Promise<void> {
    if (this.#closed) return;
    this.#step({ kind: 'leave' });
    const deadline = new AbortController();
    await Promise.race([
      this.#gossip.flushed(),
      sleep(this.#clock, timeoutMs, deadline.signal).catch(() => {}),
    ]);
    deadline.abort();
  }

  /** Stops; says nothing to anyone. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stopDiscovery();
    this.#announcing.abort();
    this.#links.off('up', this.#onUp);
    this.#links.off('down', this.#onDown);
    for (const timer of this.#dialTimers.values()) timer.cancel();
    for (const timer of this.#forgetTimers.values()) timer.cancel();
    this.#gossip.close();
  }

  #step(input: MembershipInput): void {
    const { state, outputs } = stepMembership(this.#state, input);
    this.#state = state;
    for (const output of outputs) this.#carryOut(output);
  }

  #carryOut(output: MembershipOutput): void {
    switch (output.kind) {
      case 'send': {
        const link = this.#links.get(output.to);
        if (link !== undefined) this.#gossip.send(link, output.members);
        return;
      }
      case 'broadcast':
        for (const link of this.#links.all()) {
          if (link.peer.nodeId !== output.except) this.#gossip.send(link, output.members);
        }
        return;
      case 'refuted':
        this.#logger.warn({ claim: output.claim }, 'refuted a wrong claim about this node');
        this.emit('refuted', output.claim);
        return;
      default:
        this.#tend(output.member.nodeId);
        this.emit(output.kind, output.member);
    }
  }

  #linkUp(link: Link): void {
    this.#dialTimers.get(link.peer.nodeId)?.cancel();
    this.#dialTimers.delete(link.peer.nodeId);
    this.#step({ kind: 'up', nodeId: link.peer.nodeId });
    this.#tend(link.peer.nodeId);
  }

  #linkDown(link: Link): void {
    this.#tend(link.peer.nodeId);
  }

  /** Brings dialling and timers of one member in line with the table and the links. */
  #tend(nodeId: string): void {
    if (this.#closed) return;
    const member = this.#state.members.get(nodeId);
    const linked = this.#links.get(nodeId) !== undefined;
    if (member?.state !== 'alive') this.#stopDialling(nodeId);
    this.#tendForgetting(nodeId, member, linked);
    if (member?.state !== 'alive' || member.address === undefined) return;
    const dialled = this.#dialled.get(nodeId);
    if (dialled !== undefined) {
      if (addressKey(dialled) === addressKey(member.address)) return;
      this.#stopDialling(nodeId);
    }
    if (linked || this.#dialTimers.has(nodeId)) return;
    const baseMs = this.#state.self.nodeId < nodeId ? 0 : dialSecondMs;
    const timer = this.#clock.setTimer(
      () => this.#dial(nodeId),
      baseMs + this.#random.next() * (baseMs + dialFirstMs),
    );
    timer.unref();
    this.#dialTimers.set(nodeId, timer);
  }

  #tendForgetting(nodeId: string, member: Member | undefined, linked: boolean): void {
    const keep = member === undefined || (linked && member.state === 'alive');
    if (keep) {
      this.#forgetTimers.get(nodeId)?.cancel();
      this.#forgetTimers.delete(nodeId);
    } else if (!this.#forgetTimers.has(nodeId)) {
      const afterMs = member.state === 'left' ? leftForgetMs : this.#forgetAfterMs;
      const timer = this.#clock.setTimer(() => this.#forget(nodeId), afterMs);
      timer.unref();
      this.#forgetTimers.set(nodeId, timer);
    }
  }

  #forget(nodeId: string): void {
    this.#forgetTimers.delete(nodeId);
    this.#step({ kind: 'forget', nodeId });
    this.#stopDialling(nodeId);
  }

  #dial(nodeId: string): void {
    this.#dialTimers.delete(nodeId);
    const member = this.get(nodeId);
    if (member?.address === undefined || this.#links.get(nodeId) !== undefined) return;
    this.#dialled.set(nodeId, member.address);
    this.#links.dial(member.address);
  }

  #stopDialling(nodeId: string): void {
    this.#dialTimers.get(nodeId)?.cancel();
    this.#dialTimers.delete(nodeId);
    const address = this.#dialled.get(nodeId);
    if (address === undefined) return;
    this.#dialled.delete(nodeId);
    if (!this.#seeds.has(addressKey(address))) this.#links.forget(address);
  }

  #tellDiscovery(): void {
    this.#announcing.abort();
    this.#announcing = new AbortController();
    const { nodeId, region, address } = this.#state.self;
    this.#discovery
      ?.announce({ nodeId, region, address }, this.#announcing.signal)
      .catch((error: unknown) => this.#logger.warn({ error }, 'discovery did not take us in'));
  }

  #discovered(addresses: readonly Address[]): void {
    const wanted = new Map(addresses.map((address) => [addressKey(address), address]));
    for (const [key, address] of this.#seeds) {
      if (wanted.has(key)) continue;
      this.#seeds.delete(key);
      this.#links.forget(address);
    }
    for (const [key, address] of wanted) {
      if (this.#seeds.has(key)) continue;
      this.#seeds.set(key, address);
      this.#links.dial(address);
    }
  }
}
