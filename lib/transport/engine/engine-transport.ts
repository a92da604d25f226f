/** Pipes over the I/O engine: dialling and listening, bounded as over node:net. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Clock } from '../../clock.ts';
import { DwcpError } from '../../errors.ts';
import type { LinkLimits } from '../../limits.ts';
import type { IoSocketOptions } from '../../native/io-contract.ts';
import type { Address, FramePipe, PipeListener, PipeTransport } from '../frame-pipe.ts';
import { HalfOpen } from '../half-open.ts';
import { checkPlaintext } from '../loopback.ts';
import type { Engine } from './engine.ts';
import { EnginePipe, systemError } from './engine-pipe.ts';

/** What an {@link EngineTransport} is made of. */
export interface EngineTransportOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly limits: LinkLimits;
  readonly allowPlaintext: boolean;
}

/** {@link PipeTransport} over the engine of this thread. */
export class EngineTransport implements PipeTransport {
  readonly tier: 'uring' | 'epoll';
  readonly #options: EngineTransportOptions;

  constructor(options: EngineTransportOptions) {
    this.#options = options;
    this.tier = options.engine.tier;
  }

  async listen(address: Address, onPipe: (pipe: FramePipe) => void): Promise<PipeListener> {
    const { engine, clock, limits, allowPlaintext } = this.#options;
    checkPlaintext(address, allowPlaintext);
    const [host] = await numericHosts(address, 'listen');
    const halfOpen = new HalfOpen(clock, limits);
    const opened = engine.listen(socketOptions(host!, address.port), (slot, generation) => {
      const pipe: EnginePipe = new EnginePipe({
        engine,
        slot,
        generation,
        clock,
        limits,
        onReady: () => {
          halfOpen.release(pipe);
          onPipe(pipe);
        },
        onGone: () => halfOpen.release(pipe),
      });
      halfOpen.admit(pipe);
      return pipe;
    });
    if (typeof opened === 'number') {
      const cause = systemError(-opened, 'listen', shown({ host: host!, port: address.port }));
      const message = `Cannot listen on ${shown(address)}: ${cause.message}`;
      throw new DwcpError('ERR_DWCP_CONNECT', message, { cause });
    }
    const [id, port] = opened;
    return {
      address: { host: address.host, port },
      close: () => {
        halfOpen.destroyAll();
        engine.unlisten(id);
        return Promise.resolve();
      },
    };
  }

  async connect(
    address: Address,
    { signal }: { readonly signal?: AbortSignal | undefined },
  ): Promise<FramePipe> {
    const { clock, limits, allowPlaintext } = this.#options;
    checkPlaintext(address, allowPlaintext);
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(aborted(signal));
      const dial = new Dial(this.#options, address);
      const finish = (error: DwcpError | undefined, pipe?: EnginePipe): void => {
        timer.cancel();
        signal?.removeEventListener('abort', onAbort);
        if (pipe) resolve(pipe);
        else reject(error!);
      };
      const onAbort = (): void => {
        dial.cancel();
        finish(aborted(signal!));
      };
      const timer = clock.setTimer(() => {
        dial.cancel();
        const late = `${shown(address)} did not answer within ${limits.connectTimeoutMs} ms`;
        finish(new DwcpError('ERR_DWCP_DEADLINE', late));
      }, limits.connectTimeoutMs);
      signal?.addEventListener('abort', onAbort, { once: true });
      dial.run().then(
        (pipe) => finish(undefined, pipe),
        (cause: Error) => {
          const message = `Cannot reach ${shown(address)}: ${cause.message}`;
          finish(new DwcpError('ERR_DWCP_CONNECT', message, { cause }));
        },
      );
    });
  }
}

/** One dial: the addresses of a name in turn, until one answers. */
class Dial {
  readonly #options: EngineTransportOptions;
  readonly #address: Address;
  #current: EnginePipe | undefined;
  #cancelled = false;

  constructor(options: EngineTransportOptions, address: Address) {
    this.#options = options;
    this.#address = address;
  }

  /** The connected pipe; rejects with the cause of the last failure. */
  async run(): Promise<EnginePipe> {
    let last: unknown;
    for (const host of await numericHosts(this.#address, 'connect')) {
      try {
        return await this.#attempt(host);
      } catch (error) {
        last = error;
        if (this.#cancelled) break;
      }
    }
    throw last;
  }

  cancel(): void {
    this.#cancelled = true;
    this.#current?.destroy();
  }

  #attempt(host: string): Promise<EnginePipe> {
    const { engine, clock, limits } = this.#options;
    const target = { host, port: this.#address.port };
    return new Promise((resolve, reject) => {
      if (this.#cancelled) return reject(new Error('cancelled'));
      const failed = engine.connect(socketOptions(host, target.port), (slot, generation) => {
        const pipe: EnginePipe = new EnginePipe({
          engine,
          slot,
          generation,
          clock,
          limits,
          onOpen: () => resolve(pipe),
          onGone: (error) => reject(causeOf(error) ?? new Error('cancelled')),
        });
        this.#current = pipe;
        return pipe;
      });
      if (failed !== undefined) reject(systemError(-failed, 'connect', shown(target)));
    });
  }
}

function causeOf(error: DwcpError | undefined): Error | undefined {
  return error?.cause instanceof Error ? error.cause : error;
}

function socketOptions(host: string, port: number): IoSocketOptions {
  return {
    host,
    port,
    framed: true,
    userTimeoutMs: 0,
    notsentLowatBytes: 0,
    congestion: '',
    reusePort: false,
  };
}

/** The numeric addresses of a host, in the resolver's order. */
async function numericHosts({ host, port }: Address, call: string): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  try {
    const found = await lookup(host, { all: true });
    return found.map(({ address }) => address);
  } catch (cause) {
    const message = `Cannot ${call} ${shown({ host, port })}: ${(cause as Error).message}`;
    throw new DwcpError('ERR_DWCP_CONNECT', message, { cause });
  }
}

function aborted(signal: AbortSignal): DwcpError {
  return new DwcpError('ERR_DWCP_ABORTED', 'The dial was aborted', { cause: signal.reason });
}

function shown(address: Address): string {
  return `${address.host}:${address.port}`;
}
