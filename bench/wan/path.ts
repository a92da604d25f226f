/** An emulated path under way: the relay process, and commands run at either end of it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { type PathProfile, queueBytesOf } from './profiles.ts';
import { buildPrograms, type Programs } from './programs.ts';

/** Address of the far end in its namespace. */
export const FAR_HOST = '10.99.0.2';
/** Patience with a process that was told to end, ms. */
const STOP_MS = 10_000;

/** What happened to the packets of one direction. */
export interface PacketCounts {
  readonly packets: number;
  readonly lost: number;
  readonly dropped: number;
  readonly reordered: number;
}

/** A process that prints lines of JSON and ends when its standard input does. */
export class Talker {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(command: readonly string[], env: NodeJS.ProcessEnv) {
    const stdio = ['pipe', 'pipe', 'inherit'] as const;
    this.#process = spawn(command[0]!, command.slice(1), { stdio: [...stdio], env });
    this.#lines = createInterface({ input: this.#process.stdout! })[Symbol.asyncIterator]();
  }

  /** The next line. */
  async line<T>(): Promise<T> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.#process.spawnargs.join(' ')} ended early`);
    return JSON.parse(value) as T;
  }

  /** Ends its input; returns its last line. */
  async stop<T>(): Promise<T> {
    const timer = setTimeout(() => this.kill(), STOP_MS);
    this.#process.stdin!.end();
    try {
      return await this.line<T>();
    } finally {
      clearTimeout(timer);
      this.kill();
    }
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }

  async ended(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      await once(this.#process, 'close');
    }
  }
}

/** Two namespaces and what lies between. They are gone when the relay and all they run are. */
export class EmulatedPath {
  readonly programs: Programs;
  readonly #relay: Talker;
  readonly #namespaces: Readonly<Record<'near' | 'far', string>>;

  private constructor(
    programs: Programs,
    relay: Talker,
    namespaces: Readonly<Record<'near' | 'far', string>>,
  ) {
    this.programs = programs;
    this.#relay = relay;
    this.#namespaces = namespaces;
  }

  /** Makes the namespaces and starts to relay. */
  static async start(profile: PathProfile, seed: number): Promise<EmulatedPath> {
    const programs = buildPrograms();
    const { roundTripMs, loss, rateBitsPerSecond, jitterMs = 0, reorder = 0 } = profile;
    const words = {
      rate: rateBitsPerSecond,
      delay: roundTripMs / 2,
      jitter: jitterMs,
      loss,
      reorder,
      queue: queueBytesOf(profile),
      seed,
    };
    const args = Object.entries(words).map(([name, value]) => `${name}=${value}`);
    const relay = new Talker([programs.relay, ...args], process.env);
    return new EmulatedPath(programs, relay, await relay.line());
  }

  /** Runs a command at one end; `congestion` pins that of its sockets. */
  run(
    end: 'near' | 'far',
    command: readonly string[],
    congestion?: string,
    env: NodeJS.ProcessEnv = {},
  ): Talker {
    const pinned = congestion && {
      LD_PRELOAD: this.programs.pin,
      WAN_CONGESTION: congestion,
    };
    const words = [this.programs.enter, this.#namespaces[end], ...command];
    return new Talker(words, { ...process.env, ...env, ...pinned });
  }

  /** Ends the relay; returns what happened to the packets. */
  async stop(): Promise<{ readonly there: PacketCounts; readonly back: PacketCounts }> {
    const counts = await this.#relay.stop<{ there: PacketCounts; back: PacketCounts }>();
    await this.#relay.ended();
    return counts;
  }
}
