/**
 * The six child processes: start, ask, kill, freeze, wake, restart, cut, heal. The parent owns them:
 * whatever ends it, ends them. A child that is asked answers within a deadline or the demo says so.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock, type Timer } from '../../clock.ts';
import { DwcpError } from '../../errors.ts';
import type { Address } from '../../transport/frame-pipe.ts';
import type { CutEnd, MemberMessage, RequestMessage, RequestName, Requests } from './protocol.ts';
import { members, type MemberName } from './wan.ts';

const script = fileURLToPath(new URL('./member.js', import.meta.url));
const defaultDeadlineMs = 15_000;

/** Life of a child, as the parent made it. */
export type MemberState = 'starting' | 'alive' | 'frozen' | 'dead';

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
  readonly timer: Timer;
}

/** News from the children. */
export interface ClusterEvents {
  message: [nodeId: string, message: MemberMessage];
  state: [nodeId: string, state: MemberState];
  /** A child ended that nobody killed. */
  crashed: [nodeId: string, reason: string];
}

/** One child process and the questions it has not answered yet. */
class Member {
  readonly name: MemberName;
  process: ChildProcess | undefined;
  address: Address | undefined;
  state: MemberState = 'dead';
  readonly waiting = new Map<number, Waiting>();

  constructor(name: MemberName) {
    this.name = name;
  }

  fail(reason: string): void {
    for (const { reject, timer } of this.waiting.values()) {
      timer.cancel();
      reject(new DwcpError('ERR_DWCP_CLOSED', reason));
    }
    this.waiting.clear();
  }
}

/** Three regions of two processes. */
export class Cluster extends EventEmitter<ClusterEvents> {
  readonly #members = new Map(members.map((name) => [name.nodeId, new Member(name)]));
  readonly #folder: string;
  readonly #cuts = new Map<string, Set<string>>(members.map(({ nodeId }) => [nodeId, new Set()]));
  readonly #onExit = (): void => this.killAll();
  #nextId = 1;

  /** @param folder where the nodes keep their state */
  constructor(folder: string) {
    super();
    this.#folder = folder;
    process.on('exit', this.#onExit);
  }

  /** Starts all six; the first one is the seed of the others. */
  async start(): Promise<void> {
    const [first, ...others] = members;
    await this.spawn(first!.nodeId);
    await Promise.all(others.map(({ nodeId }) => this.spawn(nodeId)));
  }

  /** Starts one process, on the address and storage it had before if it ran already. */
  async spawn(nodeId: string): Promise<void> {
    const member = this.#member(nodeId);
    const child = fork(script, [], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      serialization: 'advanced',
    });
    member.process = child;
    this.#setState(member, 'starting');
    let complaint = '';
    child.stderr?.on('data', (part: Buffer) => {
      complaint = (complaint + part.toString('utf8')).slice(-2000);
    });
    child.on('message', (message) => this.#hear(member, message as MemberMessage));
    child.on('exit', (code, signal) => {
      if (member.process !== child) return;
      member.process = undefined;
      const wanted = member.state === 'dead';
      member.fail(`${nodeId} ended (${signal ?? code})`);
      this.#setState(member, 'dead');
      if (!wanted) this.emit('crashed', nodeId, complaint.trim() || `exit ${signal ?? code}`);
    });
    const answer = await this.ask(nodeId, 'start', {
      ...member.name,
      listen: member.address ?? { host: '127.0.0.1', port: 0 },
      seeds: this.#seedsFor(nodeId),
      storagePath: join(this.#folder, nodeId),
      cutFrom: this.#cutEnds(nodeId),
    });
    member.address = answer.address;
    this.#setState(member, 'alive');
  }

  /** Asks a child; rejects when it ends first or does not answer in time. */
  ask<N extends RequestName>(
    nodeId: string,
    op: N,
    args: Requests[N]['args'],
    deadlineMs: number = defaultDeadlineMs,
  ): Promise<Requests[N]['answer']> {
    const member = this.#member(nodeId);
    const child = member.process;
    if (child === undefined || !child.connected) {
      return Promise.reject(new DwcpError('ERR_DWCP_CLOSED', `${nodeId} does not run`));
    }
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = systemClock.setTimer(() => {
        member.waiting.delete(id);
        reject(new DwcpError('ERR_DWCP_DEADLINE', `${nodeId} did not answer \`${op}\``));
      }, deadlineMs);
      member.waiting.set(id, { resolve, reject, timer });
      const message: RequestMessage = { id, op, args };
      child.send(message, (error) => {
        if (!error || !member.waiting.delete(id)) return;
        timer.cancel();
        reject(error);
      });
    });
  }

  /** Asks several children at once. */
  askAll<N extends RequestName>(
    nodeIds: readonly string[],
    op: N,
    args: Requests[N]['args'],
  ): Promise<Requests[N]['answer'][]> {
    return Promise.all(nodeIds.map((nodeId) => this.ask(nodeId, op, args)));
  }

  stateOf(nodeId: string): MemberState {
    return this.#member(nodeId).state;
  }

  /** Nodes that run and are not frozen. */
  running(): string[] {
    return members.map((m) => m.nodeId).filter((nodeId) => this.stateOf(nodeId) === 'alive');
  }

  isCut(a: string, b: string): boolean {
    return this.#cuts.get(a)!.has(b) || this.#cuts.get(b)!.has(a);
  }

  /** SIGKILL; resolves when the process is gone. */
  async kill(nodeId: string): Promise<void> {
    const member = this.#member(nodeId);
    const child = member.process;
    if (child === undefined) return;
    this.#setState(member, 'dead');
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGKILL');
    await gone;
  }

  /** SIGSTOP: the process is there, its sockets are open, and it says nothing. */
  freeze(nodeId: string): void {
    const member = this.#member(nodeId);
    if (member.state !== 'alive') return;
    member.process?.kill('SIGSTOP');
    this.#setState(member, 'frozen');
  }

  /** SIGCONT. */
  wake(nodeId: string): void {
    const member = this.#member(nodeId);
    if (member.state !== 'frozen') return;
    member.process?.kill('SIGCONT');
    this.#setState(member, 'alive');
  }

  /** Cuts `group` from every other node, both ways, at both ends. */
  async cut(group: readonly string[]): Promise<void> {
    for (const a of group) {
      for (const { nodeId: b } of members) {
        if (group.includes(b)) continue;
        this.#cuts.get(a)!.add(b);
        this.#cuts.get(b)!.add(a);
      }
    }
    await this.#applyCuts();
  }

  /** Joins everything again. */
  async heal(): Promise<void> {
    for (const cut of this.#cuts.values()) cut.clear();
    await this.#applyCuts();
  }

  /** Kills what is left, at once; safe in an exit handler. */
  killAll(): void {
    for (const member of this.#members.values()) {
      member.state = 'dead';
      member.process?.kill('SIGKILL');
    }
  }

  /** Ends all processes. */
  async close(): Promise<void> {
    await Promise.all(members.map(({ nodeId }) => this.kill(nodeId)));
    this.killAll();
    process.removeListener('exit', this.#onExit);
  }

  async #applyCuts(): Promise<void> {
    await Promise.all(
      this.running().map((nodeId) => this.ask(nodeId, 'cut', { from: this.#cutEnds(nodeId) })),
    );
  }

  #cutEnds(nodeId: string): CutEnd[] {
    return [...this.#cuts.get(nodeId)!].map((other) => ({
      nodeId: other,
      address: this.#member(other).address,
    }));
  }

  #seedsFor(nodeId: string): Address[] {
    return [...this.#members.values()].flatMap(({ name, address }) =>
      name.nodeId === nodeId || address === undefined ? [] : [address],
    );
  }

  #hear(member: Member, message: MemberMessage): void {
    if (message.type !== 'answer' && message.type !== 'refusal') {
      this.emit('message', member.name.nodeId, message);
      return;
    }
    const waiting = member.waiting.get(message.id);
    if (waiting === undefined) return;
    member.waiting.delete(message.id);
    waiting.timer.cancel();
    if (message.type === 'answer') waiting.resolve(message.value as never);
    else waiting.reject(new Error(`${member.name.nodeId}: ${message.reason}`));
  }

  #setState(member: Member, state: MemberState): void {
    member.state = state;
    this.emit('state', member.name.nodeId, state);
  }

  #member(nodeId: string): Member {
    const member = this.#members.get(nodeId);
    if (member === undefined) {
      throw new DwcpError('ERR_DWCP_INVALID_ARG', `there is no node ${nodeId}`);
    }
    return member;
  }
}
